//! What `torch.export.save` writes, with one entry of the archive made by the fuzzer.
#![no_main]

mod entry;

use libfuzzer_sys::fuzz_target;

const MODEL: &[u8] = include_bytes!("../../fixtures/models/batch-mixing.pt2");

fuzz_target!(|data: &[u8]| {
    if let Some(archive) = entry::replaced(MODEL, data) {
        entry::as_file(&archive, nanprobe::pt2::read);
    }
});
