//! Our pixels against PIL's, for every kind of image: see fixtures/decode_oracle.py.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nanprobe::data::{DataOptions, Listing};
use serde::Deserialize;

#[derive(Deserialize)]
struct Oracle {
    size: usize,
    images: BTreeMap<String, Expected>,
}

/// PIL's pixels, [C, size, size], and how far two right decoders may lie apart, in levels.
#[derive(Deserialize)]
struct Expected {
    tolerance: u8,
    rgb: Vec<u8>,
    grey: Vec<u8>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/images")
}

#[test]
fn every_kind_of_image_decodes_to_the_pixels_that_pil_gives() {
    let oracle: Oracle = serde_json::from_str(&fs::read_to_string(folder().join("expected.json")).unwrap()).unwrap();
    let options = DataOptions { labels: Some("(.+)".to_owned()), ..DataOptions::default() };
    let listing = Listing::open(&folder(), &options).unwrap();
    assert_eq!(listing.len(), oracle.images.len(), "run fixtures/decode_oracle.py again");
    let mut wrong = Vec::new();
    for index in 0..listing.len() {
        let name = listing.path_of(index);
        let expected = &oracle.images[&name];
        for (mode, channels, pil) in [("RGB", 3, &expected.rgb), ("L", 1, &expected.grey)] {
            match listing.decode(index, channels, oracle.size) {
                Err(error) => wrong.push(format!("{name} as {mode}: {}", error.reason)),
                Ok(ours) => {
                    assert_eq!(ours.len(), pil.len(), "{name}");
                    let worst = ours.iter().zip(pil).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                    if worst > expected.tolerance {
                        wrong.push(format!("{name} as {mode}: {worst} levels apart, {} allowed", expected.tolerance));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
