//! What `torch.save` writes, with the bytes of one entry, the pickle among them, made by the fuzzer.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nanprobe_fuzz::{Entries, as_file};

static WEIGHTS: LazyLock<Entries> = LazyLock::new(|| Entries::of(include_bytes!("../../fixtures/models/versions/views.pth")));

fuzz_target!(|data: &[u8]| {
    if let Some((&choice, content)) = data.split_first() {
        as_file(&WEIGHTS.with(usize::from(choice) % WEIGHTS.len(), content), nanprobe::pth::read);
    }
});
