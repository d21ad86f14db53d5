//! A safetensors file of batches; every sample that is listed can be read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nanprobe::data::{DataOptions, Listing};
use nanprobe_fuzz::as_file;

fuzz_target!(|data: &[u8]| {
    as_file(data, |path| {
        if let Ok(listing) = Listing::open(path, &DataOptions::default()) {
            for sample in 0..listing.len().min(64) {
                drop(listing.decode(sample, 3, 8));
            }
        }
    });
});
