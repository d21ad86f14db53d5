//! What `torch.save` writes, with one entry of the archive, the pickle among them, made by the fuzzer.
#![no_main]

mod entry;

use libfuzzer_sys::fuzz_target;

const WEIGHTS: &[u8] = include_bytes!("../../fixtures/models/versions/checkpoint.pth");

fuzz_target!(|data: &[u8]| {
    if let Some(archive) = entry::replaced(WEIGHTS, data) {
        entry::as_file(&archive, nanprobe::pth::read);
    }
});
