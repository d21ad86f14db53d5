//! One NumPy array: a header that says what it holds, then its values.
//!
//! Format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>. The header is a Python dictionary of three keys, read without
//! a parser for Python: a general one would follow nested brackets and allocate on the header's word. Arrays of objects are
//! pickles, which are never opened.

use std::rc::Rc;

use safetensors::Dtype;

use crate::archive::{DType, Stored};

/// First bytes of every array.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";
/// More dimensions than NumPy has.
const MAX_DIMENSIONS: usize = 64;

/// Type of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// Numbers.
    Numbers(Dtype),
    /// Text of so many UTF-32 characters, filled up with zeros.
    Unicode(usize),
    /// Text of so many bytes, filled up with zeros.
    Bytes(usize),
}

/// An array in row-major order, its numbers little-endian.
#[derive(Debug)]
pub(super) struct Array {
    pub values: Values,
    pub shape: Vec<usize>,
    /// All bytes of the file.
    pub content: Vec<u8>,
    /// Where the values begin.
    pub start: usize,
}

impl Array {
    /// Reads an array; what is wrong otherwise.
    pub fn read(content: Vec<u8>) -> Result<Self, String> {
        let (text, start) = header(&content)?;
        let Described { values, size, swapped } = describe(&text)?;
        let shape = shape(&text)?;
        let fortran = match value(&text, "fortran_order")? {
            rest if rest.starts_with("True") => shape.len() > 1,
            rest if rest.starts_with("False") => false,
            _ => return Err("its header says neither True nor False of fortran_order".to_owned()),
        };
        let found = content.len() - start;
        let expected = shape.iter().try_fold(size, |bytes, length| bytes.checked_mul(*length));
        if expected != Some(found) {
            let expected = expected.map_or_else(|| "more than can be".to_owned(), |bytes| bytes.to_string());
            return Err(format!("it holds {found} bytes of values, its header promises {expected} (shape {shape:?}); write it again"));
        }
        let mut array = Self { values, shape, content, start };
        if swapped {
            array.content[start..].chunks_exact_mut(if matches!(values, Values::Unicode(_)) { 4 } else { size }).for_each(<[u8]>::reverse);
        }
        if fortran {
            array.make_row_major(size)?;
        }
        Ok(array)
    }

    /// N: the first dimension.
    pub fn len(&self) -> usize {
        self.shape.first().copied().unwrap_or(0)
    }

    /// The values' bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.content[self.start..]
    }

    /// The texts of an array of text.
    pub fn texts(&self) -> Option<Vec<String>> {
        match self.values {
            Values::Numbers(_) => None,
            Values::Bytes(size) => {
                Some(self.bytes().chunks_exact(size).map(|text| String::from_utf8_lossy(text).trim_end_matches('\0').to_owned()).collect())
            }
            Values::Unicode(size) => {
                let letter = |bytes: &[u8; 4]| char::from_u32(u32::from_le_bytes(*bytes)).unwrap_or(char::REPLACEMENT_CHARACTER);
                let text = |text: &[u8]| text.as_chunks().0.iter().map(letter).collect::<String>().trim_end_matches('\0').to_owned();
                Some(self.bytes().chunks_exact(size * 4).map(text).collect())
            }
        }
    }

    /// Replaces numbers by others of the same count.
    pub fn converted<const FROM: usize, const TO: usize>(self, dtype: Dtype, number: impl Fn([u8; FROM]) -> [u8; TO]) -> Self {
        let content = self.bytes().as_chunks::<FROM>().0.iter().flat_map(|bytes| number(*bytes)).collect();
        Self { values: Values::Numbers(dtype), content, start: 0, ..self }
    }

    fn make_row_major(&mut self, size: usize) -> Result<(), String> {
        let dtype = match size {
            1 => DType::UInt8,
            2 => DType::Int16,
            4 => DType::Int32,
            8 => DType::Int64,
            _ => return Err("it is text in Fortran order; save np.ascontiguousarray of it".to_owned()),
        };
        let sizes: Vec<i64> = self.shape.iter().map(|&length| length as i64).collect();
        let strides = sizes.iter().scan(1, |stride, length| Some(std::mem::replace(stride, *stride * length))).collect();
        let stored = Stored::new(dtype, sizes, strides, 0, Rc::new(self.content.split_off(self.start)))?;
        self.content = stored.contiguous();
        self.start = 0;
        Ok(())
    }
}

/// The header's text, and where it ends. Nothing is allocated on its word.
fn header(content: &[u8]) -> Result<(String, usize), String> {
    let truncated = || "it ends within its header; write it again".to_owned();
    let rest = content.strip_prefix(MAGIC).ok_or("it does not begin as a NumPy array does")?;
    let (length, begin) = match rest {
        [1, _, a, b, ..] => (usize::from(u16::from_le_bytes([*a, *b])), MAGIC.len() + 4),
        [2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, MAGIC.len() + 6),
        [major, _, _, _, ..] => return Err(format!("its format has version {major}, and versions 1 to 3 are read")),
        _ => return Err(truncated()),
    };
    let end = begin.checked_add(length).filter(|end| *end <= content.len()).ok_or_else(truncated)?;
    Ok((String::from_utf8_lossy(&content[begin..end]).into_owned(), end))
}

/// What follows a key.
fn value<'a>(header: &'a str, key: &str) -> Result<&'a str, String> {
    let found = [format!("'{key}'"), format!("\"{key}\"")].into_iter().find_map(|key| header.split_once(&key));
    let after = found.and_then(|(_, rest)| rest.trim_start().strip_prefix(':')).map(str::trim_start);
    after.ok_or_else(|| format!("its header does not say {key}"))
}

fn shape(header: &str) -> Result<Vec<usize>, String> {
    let wrong = || "its header gives no shape of whole numbers".to_owned();
    let inner = value(header, "shape")?.strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or_else(wrong)?.0;
    // Python 2 writes `10L`.
    let lengths = inner.split(',').map(|text| text.trim().trim_end_matches('L')).filter(|text| !text.is_empty());
    let shape: Vec<usize> = lengths.map(|text| text.parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
    if shape.len() > MAX_DIMENSIONS { Err(format!("it has {} dimensions", shape.len())) } else { Ok(shape) }
}

/// A type as the header gives it.
struct Described {
    values: Values,
    /// Bytes of one.
    size: usize,
    /// Whether numbers are big-endian.
    swapped: bool,
}

fn describe(header: &str) -> Result<Described, String> {
    let rest = value(header, "descr")?;
    let quote = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'));
    let Some((text, _)) = quote.and_then(|quote| rest[1..].split_once(quote)) else {
        return Err("it is a structured array; save each of its fields as an array of its own".to_owned());
    };
    let unread = || format!("its values are of type `{text}`, which is not read; save it as floats, whole numbers or text");
    let (order, rest) = text.strip_prefix(['<', '>', '|', '=']).map_or(("", text), |rest| (&text[..1], rest));
    if rest.starts_with('O') {
        return Err("it is an array of Python objects, a pickle, which is never opened; save it as numbers or text, \
             such as np.array(list(x), dtype=np.float32) or y.astype(str)"
            .to_owned());
    }
    let kind = rest.chars().next().filter(char::is_ascii).ok_or_else(unread)?;
    let length: usize = rest[1..].parse().map_err(|_| unread())?;
    let number = |dtype| Ok((Values::Numbers(dtype), length));
    let (values, size) = match (kind, length) {
        ('b', 1) => number(Dtype::BOOL),
        ('u', 1) => number(Dtype::U8),
        ('u', 2) => number(Dtype::U16),
        ('u', 4) => number(Dtype::U32),
        ('u', 8) => number(Dtype::U64),
        ('i', 1) => number(Dtype::I8),
        ('i', 2) => number(Dtype::I16),
        ('i', 4) => number(Dtype::I32),
        ('i', 8) => number(Dtype::I64),
        ('f', 2) => number(Dtype::F16),
        ('f', 4) => number(Dtype::F32),
        ('f', 8) => number(Dtype::F64),
        ('U', 1..=4096) => Ok((Values::Unicode(length), length * 4)),
        ('S', 1..=4096) => Ok((Values::Bytes(length), length)),
        _ => Err(unread()),
    }?;
    Ok(Described { values, size, swapped: order == ">" && !matches!(values, Values::Bytes(_)) })
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An array as `np.save` writes it.
    pub fn npy(descr: &str, fortran: bool, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
        let shape = shape.iter().fold(String::new(), |shape, length| shape + &length.to_string() + ",");
        let order = if fortran { "True" } else { "False" };
        let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape}), }}\n");
        [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes(), bytes].concat()
    }

    fn read(descr: &str, fortran: bool, shape: &[usize], bytes: &[u8]) -> Result<Array, String> {
        Array::read(npy(descr, fortran, shape, bytes))
    }

    #[test]
    fn numbers_in_any_order_become_little_endian_row_by_row() {
        let plain = read("<i2", false, &[2, 2], &[1, 0, 2, 0, 3, 0, 4, 0]).unwrap();
        assert_eq!((plain.values, plain.bytes()), (Values::Numbers(Dtype::I16), &[1, 0, 2, 0, 3, 0, 4, 0][..]));
        assert_eq!(read(">i2", false, &[2, 2], &[0, 1, 0, 2, 0, 3, 0, 4]).unwrap().bytes(), plain.bytes());
        assert_eq!(read("<i2", true, &[2, 2], &[1, 0, 3, 0, 2, 0, 4, 0]).unwrap().bytes(), plain.bytes());
    }

    #[test]
    fn text_is_read_as_numpy_writes_it() {
        let unicode: Vec<u8> = "caté\0\0".chars().flat_map(|c| (c as u32).to_le_bytes()).collect();
        assert_eq!(read("<U3", false, &[2], &unicode).unwrap().texts().unwrap(), ["cat", "é"]);
        assert_eq!(read("|S3", false, &[2], b"catno\0").unwrap().texts().unwrap(), ["cat", "no"]);
    }

    #[test]
    fn what_is_not_read_is_named_with_the_way_out() {
        let huge = npy("<f8", false, &[usize::MAX, 9], &[]);
        let lying = [MAGIC, &[2, 0], &u32::MAX.to_le_bytes(), b"{'descr'"].concat();
        for (content, says) in [
            (
                npy("|O", false, &[2], b"\x80\x04"),
                "an array of Python objects, a pickle, which is never opened; save it as numbers or text",
            ),
            (npy("<M8[ns]", false, &[1], &[0; 8]), "of type `<M8[ns]`"),
            (npy("<f4", false, &[3], &[0; 11]), "it holds 11 bytes of values, its header promises 12 (shape [3])"),
            (npy("<f4", false, &[2], &[0; 9]), "promises 8"),
            (huge, "promises more than can be"),
            (lying, "it ends within its header"),
            (npy("|u1", false, &[1], &[0])[..9].to_vec(), "it ends within its header"),
            (b"PK\x03\x04".to_vec(), "does not begin as a NumPy array does"),
            ([MAGIC, &[9, 0, 0, 0]].concat(), "version 9"),
            (npy("|u1", false, &[], &[]), "promises 1"),
        ] {
            let message = Array::read(content).unwrap_err();
            assert!(message.contains(says), "{message}");
        }
        let structured = String::from_utf8_lossy(&npy("|u1", false, &[0], &[])[10..]).replace("'|u1'", "[('a', '<f4')]");
        let content = [MAGIC, &[1, 0], &(structured.len() as u16).to_le_bytes(), structured.as_bytes()].concat();
        assert!(Array::read(content).unwrap_err().contains("structured array"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), descr in "[<>|=]?[a-zO][0-9]{0,3}", shape in "[0-9,L ]{0,30}", values in 0_usize..40) {
            let header = format!("{{'descr': '{descr}', 'fortran_order': True, 'shape': ({shape})}}");
            let content = [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes(), &vec![7; values]].concat();
            for content in [bytes.clone(), [MAGIC, &bytes].concat(), content] {
                if let Ok(array) = Array::read(content) {
                    prop_assert!(array.texts().is_none_or(|texts| texts.len() == array.shape.iter().product::<usize>()));
                }
            }
        }
    }
}
