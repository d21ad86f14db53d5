//! A safetensors file of batches; every sample that is listed can be read.
#![no_main]

mod entry;

use libfuzzer_sys::fuzz_target;
use nanprobe::data::{DataOptions, Listing};

fuzz_target!(|data: &[u8]| {
    entry::as_file(data, |path| {
        if let Ok(listing) = Listing::open(path, &DataOptions::default()) {
            for sample in 0..listing.len().min(64) {
                let _ = listing.decode(sample, 3, 8);
            }
        }
    });
});
