//! What `torch.export.save` writes, with the bytes of one entry made by the fuzzer.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nanprobe::graph::Exported;
use nanprobe_fuzz::{Entries, as_file};

static MODEL: LazyLock<Entries> = LazyLock::new(|| Entries::of(include_bytes!("../../fixtures/models/batch-mixing.pt2")));

fuzz_target!(|data: &[u8]| {
    if let Some((&choice, content)) = data.split_first() {
        as_file(&MODEL.with(usize::from(choice) % MODEL.len(), content), Exported::read);
    }
});
