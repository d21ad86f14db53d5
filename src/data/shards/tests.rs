use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::data::testing::Tree;
use crate::data::{DataOptions, SourceKind, SubsetOptions, companion, subset};

/// A tar file with these members.
fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // Set directly, for `set_path` refuses names that lead out of a folder.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        archive.append(&header, *bytes).unwrap();
    }
    archive.into_inner().unwrap()
}

fn png(shade: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image::RgbImage::from_pixel(4, 4, image::Rgb([shade, 0, 0])).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn listed(content: &[u8]) -> Result<Listing, String> {
    let tree = Tree::of::<&str>(&[]);
    tree.write("a.tar", content);
    Listing::open(&tree.path().join("a.tar"), &DataOptions::default()).map_err(|error| error.to_string())
}

#[test]
fn samples_are_members_of_one_name_and_images_are_read_where_they_lie() {
    let (one, two) = (png(10), png(20));
    let tree = Tree::of::<&str>(&[]);
    tree.write(
        "s-0.tar",
        &tar(&[("x/000.png", &one), ("x/000.cls", b"10\n"), ("README", b"text"), ("x/001.cls", b"2"), ("x/001.jpg", &two)]),
    );
    tree.write("s-1.tar", &tar(&[("002.left.png", &one), ("002.cls", b"10")]));
    let listing = Listing::open(tree.path(), &DataOptions::default()).unwrap();
    assert_eq!(
        (listing.kind, &listing.classes[..], &listing.labels[..]),
        (SourceKind::WebDataset, &["2", "10"].map(str::to_owned)[..], &[1, 0, 1][..])
    );
    assert_eq!([0, 1, 2].map(|i| listing.path_of(i)), ["s-0.tar#x/000.png", "s-0.tar#x/001.jpg", "s-1.tar#002.left.png"]);
    assert_eq!(listing.rule, ".cls member of each sample in 2 tar files");
    assert_eq!((listing.decode(1, 3, 4).unwrap()[0], listing.decode(2, 3, 4).unwrap()[0]), (20, 10));
}

#[test]
fn labels_may_be_text_or_a_key_of_json() {
    let image = png(1);
    let text = listed(&tar(&[("0.png", &image), ("0.txt", b"dog"), ("1.png", &image), ("1.txt", b"cat")])).unwrap();
    assert_eq!(text.classes, ["cat", "dog"]);
    let json: [&[u8]; 2] = [br#"{"width": 4, "label": "dog"}"#, br#"{"label": "cat", "class": 7}"#];
    let json =
        listed(&tar(&[("0.png", &image), ("0.json", json[0]), ("0.txt", b"a dog"), ("1.png", &image), ("1.json", json[1])])).unwrap();
    assert_eq!(
        (&json.classes[..], json.rule.as_str()),
        (&["cat", "dog"].map(str::to_owned)[..], "key `label` in the .json member of each sample in `a.tar`")
    );
}

#[test]
fn shards_of_a_part_are_told_by_their_names_and_a_subset_is_drawn() {
    let tree = Tree::of::<&str>(&[]);
    let image = png(1);
    let shard = |from: usize, to: usize| {
        let names: Vec<_> = (from..to).map(|i| (format!("{i}.png"), format!("{i}.cls"), (i % 2).to_string())).collect();
        tar(&names.iter().flat_map(|(png, cls, label)| [(png.as_str(), &image[..]), (cls.as_str(), label.as_bytes())]).collect::<Vec<_>>())
    };
    for (name, from, to) in [("train-0.tar", 0, 6), ("train-1.tar", 6, 10), ("test-0.tar", 10, 13), ("val-0.tar", 13, 15)] {
        tree.write(name, &shard(from, to));
    }
    let options = DataOptions { path: tree.path().to_owned(), ..DataOptions::default() };
    let listing = Listing::open(tree.path(), &options).unwrap();
    let held_out = companion(&listing, &options).unwrap().unwrap();
    assert_eq!((listing.len(), held_out.len(), held_out.path_of(0).as_str()), (10, 2, "val-0.tar#13.png"));
    let drawn = subset(&listing, Some(&held_out), &SubsetOptions { size: 4, ..SubsetOptions::default() }, &|_, _| {}).unwrap();
    assert_eq!((drawn.train.labels.len(), drawn.held_out.labels), (10, vec![1, 0]));
    let named = DataOptions { val: Some(tree.path().join("test-0.tar")), ..options };
    assert_eq!(companion(&listing, &named).unwrap().unwrap().len(), 3);
}

#[test]
fn names_that_lead_out_and_links_touch_nothing() {
    let image = png(1);
    let mut members = tar(&[("../../0.png", &image), ("../../0.cls", b"a"), ("/etc/1.png", &image), ("/etc/1.cls", b"b")]);
    // Without the two empty blocks that end an archive.
    members.truncate(members.len() - 1024);
    let mut archive = tar::Builder::new(members);
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    archive.append_link(&mut link, "2.png", "/etc/passwd").unwrap();
    let listing = listed(&archive.into_inner().unwrap()).unwrap();
    assert_eq!((listing.len(), listing.path_of(0).as_str()), (2, "a.tar#../../0.png"));
}

#[test]
fn what_is_wrong_with_a_shard_is_said_with_its_sample() {
    let image = png(1);
    let whole = tar(&[("0.cls", b"1"), ("0.png", &image)]);
    let mut lying = whole.clone();
    let mut header = tar::Header::from_byte_slice(&whole[1024..1536]).clone();
    header.set_size(1 << 40);
    header.set_cksum();
    lying[1024..1536].copy_from_slice(header.as_bytes());
    for (content, says) in [
        (lying, "its member `0.png` declares 1099511627776 bytes, more than the file has left"),
        (whole[..1540].to_vec(), "more than the file has left; download it again"),
        (whole[..1200].to_vec(), "cannot be read"),
        (vec![], "no sample has an image and a label"),
        (tar(&[("0.png", &image), ("1.png", &image)]), "sample `0` has no label; it needs a member ending in .cls"),
        (
            tar(&[("0.png", &image), ("0.cls", b"1"), ("1.png", &image), ("1.txt", b"2")]),
            "sample `1` has no label; it needs a member ending in .cls next",
        ),
        (tar(&[("cat/0.png", &image), ("dog/1.png", &image)]), "if the folders in the tar file are the classes, unpack it"),
        (tar(&[("0.png", &image), ("0.cls", b" ")]), "the label of sample `0` is empty"),
        (
            tar(&[("0.png", &image), ("0.json", b"{\"width\": 4}")]),
            "`0.json` has no label; it needs a key such as `label`, and has `width`",
        ),
        (tar(&[("0.png", &image), ("0.json", b"{")]), "`0.json` is no JSON"),
    ] {
        let message = listed(&content).unwrap_err();
        assert!(message.contains(says) && message.contains("a.tar"), "{message}");
    }
    let tree = Tree::of::<&str>(&[]);
    tree.write("a.tar.gz", b"\x1f\x8b");
    let message = Listing::open(&tree.path().join("a.tar.gz"), &DataOptions::default()).unwrap_err().to_string();
    assert!(message.contains("it is compressed"), "{message}");
}

#[test]
fn an_image_that_is_cut_off_later_is_an_unreadable_sample() {
    let tree = Tree::of::<&str>(&[]);
    let content = tar(&[("0.cls", b"1"), ("0.png", &png(1))]);
    tree.write("a.tar", &content);
    let listing = Listing::open(&tree.path().join("a.tar"), &DataOptions::default()).unwrap();
    tree.write("a.tar", &content[..1540]);
    let error = listing.decode(0, 3, 4).unwrap_err();
    assert_eq!((error.path.as_str(), error.reason.as_str()), ("a.tar#0.png", "truncated: the tar file ends within it"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..1100), places in prop::collection::vec((0_usize..2560, any::<u8>()), 0..20)) {
        let mut changed = tar(&[("0.cls", b"1"), ("0.png", &png(1))]);
        for (place, byte) in places {
            if let Some(old) = changed.get_mut(place) {
                *old = byte;
            }
        }
        for content in [&bytes, &changed] {
            if let Ok(listing) = listed(content) {
                (0..listing.len()).for_each(|sample| drop(listing.decode(sample, 3, 4)));
            }
        }
    }
}
