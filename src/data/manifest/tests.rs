use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::data::testing::Tree;
use crate::data::{DataOptions, SubsetOptions, companion, subset};

/// Images `img/0.png` to `img/9.png`, and a table of this content.
fn tree(name: &str, content: impl AsRef<[u8]>) -> Tree {
    let tree = Tree::of(&(0..10).map(|i| format!("img/{i}.png")).collect::<Vec<_>>());
    tree.write(name, content.as_ref());
    tree
}

fn listed(name: &str, content: impl AsRef<[u8]>) -> Result<Listing, String> {
    Listing::open(&tree(name, content).path().join(name), &DataOptions::default()).map_err(|error| error.to_string())
}

fn paths(listing: &Listing) -> Vec<String> {
    (0..listing.len()).map(|index| listing.path_of(index)).collect()
}

#[test]
fn a_csv_is_read_by_its_header_in_the_order_of_its_rows() {
    let listing = listed("list.csv", "id,Image Path,label\n7,img/1.png,dog\n8,img/0.png,cat\n9,img/2.png,dog\n").unwrap();
    assert_eq!(
        (listing.kind, &listing.classes[..], &listing.labels[..]),
        (SourceKind::Manifest, &["cat", "dog"].map(str::to_owned)[..], &[1, 0, 1][..])
    );
    assert_eq!(paths(&listing), ["img/1.png", "img/0.png", "img/2.png"]);
    assert_eq!(listing.rule, "column `label` of `list.csv`; files from column `Image Path`");
}

#[test]
fn quotes_bom_crlf_blank_lines_and_other_separators_are_read_alike() {
    let plain = listed("list.csv", "file,class\nimg/1.png,a\nimg/2.png,b\n").unwrap();
    for (name, content) in [
        ("list.csv", "\u{feff}file,class\r\n\r\nimg/1.png,a\r\n,\r\n\"img/2.png\",\"b\"\r\n"),
        ("list.csv", "file;class\n img/1.png ;a\nimg/2.png;b"),
        ("list.tsv", "file\tclass\nimg/1.png\ta\nimg/2.png\tb\n"),
        ("list.jsonl", "\u{feff}{\"file\": \"img/1.png\", \"class\": \"a\"}\r\n\r\n{\"class\": \"b\", \"file\": \"img/2.png\"}"),
        ("list.csv", "img/1.png,a\nimg/2.png,b\n"),
    ] {
        let listing = listed(name, content).unwrap();
        assert_eq!((paths(&listing), &listing.classes, &listing.labels), (paths(&plain), &plain.classes, &plain.labels), "{content}");
    }
    let quoted = listed("list.csv", "file,class\nimg/1.png,\"a, \"\"b\"\"\"\nimg/2.png,c\n").unwrap();
    assert_eq!(quoted.classes, ["a, \"b\"", "c"]);
}

#[test]
fn without_a_header_the_columns_are_told_by_what_is_in_them() {
    let listing = listed("list.csv", "1,img/0.png\n10,img/1.png\n2,img/2.png\n").unwrap();
    assert_eq!((&listing.classes[..], &listing.labels[..]), (&["1", "2", "10"].map(str::to_owned)[..], &[0, 2, 1][..]));
    assert_eq!(listing.rule, "column 1 of `list.csv`, which has no header; files from column 2");
    let rows: String = (0..10).fold("size,breed,img\n".to_owned(), |mut rows, i| {
        let _ = writeln!(rows, "{}.5,{},img/{i}.png", i * 7, ["pug", "husky"][i % 2]);
        rows
    });
    assert_eq!(listed("list.csv", rows).unwrap().classes, ["husky", "pug"]);
    let message = listed("list.csv", "img,colour,shape\nimg/0.png,red,round\nimg/1.png,blue,flat\n").unwrap_err();
    assert!(message.contains("its columns `colour`, `shape` may each be the label; name the one that is `label`"), "{message}");
}

#[test]
fn names_without_folder_ending_or_slashes_are_found_and_the_rule_says_how() {
    let listing = listed("labels.csv", "id,breed\n1,pug\n2,husky\n3,pug\n").unwrap();
    assert_eq!(paths(&listing), ["img/1.png", "img/2.png", "img/3.png"]);
    assert!(listing.rule.ends_with("files from column `id` (read as `img/NAME.png`)"), "{}", listing.rule);
    assert_eq!(paths(&listed("l.csv", "file,label\nimg\\1.png,a\nimg\\2.png,b\n").unwrap()), ["img/1.png", "img/2.png"]);
}

#[test]
fn a_folder_is_read_by_its_table_unless_it_has_class_folders() {
    let tree = tree("metadata.csv", "file_name,label\nimg/1.png,a\nimg/2.png,b\n");
    let open = || Listing::open(tree.path(), &DataOptions::default()).unwrap();
    assert_eq!((open().kind, open().source()), (SourceKind::Manifest, tree.path().join("metadata.csv")));
    tree.add("other/1.png");
    assert_eq!(open().kind, SourceKind::ImageFolder);
}

#[test]
fn absolute_paths_and_paths_above_the_manifest_are_read() {
    let tree = tree("lists/a.csv", "file,label\n../img/1.png,a\n../img/2.png,b\n");
    assert!(Listing::open(&tree.path().join("lists/a.csv"), &DataOptions::default()).unwrap().decode(1, 3, 4).is_ok());
    let absolute = format!("file,label\n{0}/img/1.png,a\n{0}/img/2.png,b\n", tree.path().display());
    tree.write("b.csv", absolute.as_bytes());
    assert!(Listing::open(&tree.path().join("b.csv"), &DataOptions::default()).unwrap().decode(0, 3, 4).is_ok());
}

#[test]
fn a_subset_is_drawn_a_missing_file_is_counted_and_the_held_out_table_is_found() {
    let rows = |from: usize, to: usize| (from..to).map(|i| format!("img/{i}.png,{}", ["a", "b"][i % 2])).collect::<Vec<_>>().join("\n");
    let tree = tree("train.csv", format!("path,label\n{}\nimg/gone.png,a\n", rows(0, 8)));
    tree.write("val.csv", format!("path,label\n{}", rows(8, 10)).as_bytes());
    let options = DataOptions { path: tree.path().join("train.csv"), ..DataOptions::default() };
    let listing = Listing::open(&options.path, &options).unwrap();
    let held_out = companion(&listing, &options).unwrap().unwrap();
    assert_eq!(paths(&held_out), ["img/8.png", "img/9.png"]);
    let drawn = subset(&listing, Some(&held_out), &SubsetOptions { train: 20, size: 4, ..SubsetOptions::default() }, &|_, _| {}).unwrap();
    assert_eq!((drawn.train.labels, drawn.held_out.labels), (vec![0, 1, 0, 1, 0, 1, 0, 1], vec![0, 1]));
    assert_eq!((drawn.unreadable.failed, drawn.unreadable.examples[0].path.as_str()), (1, "img/gone.png"));
}

#[test]
fn a_column_that_says_train_and_val_divides_the_rows() {
    let tree = tree("list.csv", "file,label,split\nimg/1.png,a,train\nimg/2.png,b,TRAIN\nimg/3.png,a,test\nimg/4.png,b,val\n");
    let options = DataOptions { path: tree.path().join("list.csv"), ..DataOptions::default() };
    let listing = Listing::open(&options.path, &options).unwrap();
    assert_eq!(paths(&listing), ["img/1.png", "img/2.png"]);
    assert!(listing.rule.ends_with(", rows whose `split` is `train`"), "{}", listing.rule);
    let held_out = companion(&listing, &options).unwrap().unwrap();
    assert_eq!((paths(&held_out), held_out.source()), (vec!["img/4.png".to_owned()], tree.path().join("list.csv:val")));
}

#[test]
fn what_is_wrong_with_a_table_is_said_with_its_line() {
    for (name, content, says) in [
        ("l.csv", &b""[..], "is not read as a manifest: it is empty"),
        ("l.csv", b"path,label\n", "a header and no rows"),
        ("l.csv", b"path,label\nimg/1.png,a\nimg/2.png\n", "line 3: 1 values where the first line has 2"),
        ("l.csv", b"path,label\nimg/1.png,a\nimg/2.png,\n", "line 3 has nothing in column `label`"),
        ("l.csv", b"path,label\nimg/1.png,caf\xe9\n", "line 2: not in UTF-8; save the file as UTF-8"),
        ("l.csv", b"\xff\xfep\0a\0", "it is in UTF-16"),
        ("l.csv", b"path,label\nimg/1.png,\0\n", "it is no text"),
        ("l.csv", b"path,label\nimg/1.png,0.5\nimg/2.png,0.25\n", "column `label`: the label 0."),
        ("l.csv", b"path,label\nnone/1.png,a\nnone/2.png,b\n", "none of the 2 files looked for is there, the first being `none/1.png`"),
        ("l.csv", b"colour,taste\nred,sweet\n", "none of its columns (1, 2) holds paths of images"),
        ("l.jsonl", b"{\"file\": \"img/1.png\", \"label\": 1}\n{\"file\": \"img/2.png\"}\n", "line 2 has nothing in column `label`"),
        ("l.jsonl", b"{\"file\": \"img/1.png\", \"label\": 1}\n[1, 2]\n", "line 2 is no JSON object"),
        ("l.jsonl", b"{\"file\": \"img/1.png\", \"lab", "line 1 is no JSON object"),
    ] {
        let message = listed(name, content).unwrap_err();
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn a_label_pattern_has_no_meaning_here() {
    let tree = tree("l.csv", "path,label\nimg/1.png,a\n");
    let options = DataOptions { labels: Some("(.)".into()), ..DataOptions::default() };
    let message = Listing::open(&tree.path().join("l.csv"), &options).unwrap_err().to_string();
    assert!(message.contains("leave --labels out"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[a-z,;\"\n{}:/.\t]{0,200}", name in prop::sample::select(vec!["l.csv", "l.jsonl", "l.tsv"])) {
        for content in [&bytes, text.as_bytes(), &[b"path,label\nimg/1.png,a\n", &bytes[..]].concat()] {
            if let Ok(listing) = listed(name, content) {
                prop_assert_eq!(listing.labels.len(), listing.len());
            }
        }
    }
}
