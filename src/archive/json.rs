//! JSON as Python writes it: infinities and NaN as bare words, which JSON does not have (Python's `json`, `allow_nan`).

/// The same with these words as texts.
pub fn strict(bytes: Vec<u8>) -> Vec<u8> {
    const WORDS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];
    let word = |rest: &[u8]| WORDS.into_iter().find(|word| rest.starts_with(word));
    let (mut strict, mut copied, mut at, mut in_text) = (Vec::new(), 0, 0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => in_text = !in_text,
            // What is escaped ends no text.
            b'\\' if in_text => at += 1,
            b'-' | b'I' | b'N' if !in_text => {
                if let Some(word) = word(&bytes[at..]) {
                    strict.extend_from_slice(&bytes[copied..at]);
                    strict.extend([b"\"", word, b"\""].concat());
                    copied = at + word.len();
                    at = copied - 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return bytes;
    }
    strict.extend_from_slice(&bytes[copied..]);
    strict
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_words_become_texts_and_texts_stay() {
        let of = |text: &str| String::from_utf8(strict(text.as_bytes().to_vec())).unwrap();
        assert_eq!(of(r#"{"max":Infinity,"min":-Infinity,"x":[NaN,-1]}"#), r#"{"max":"Infinity","min":"-Infinity","x":["NaN",-1]}"#);
        for same in [r#"{"a":"Infinity \" NaN"}"#, r#"["\\",1]"#, "", "\"", "\"\\", r#"["-Infinity"]"#] {
            assert_eq!(of(same), same);
        }
        assert_eq!(of(r#"["\\",NaN]"#), r#"["\\","NaN"]"#);
    }
}
