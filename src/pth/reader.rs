//! The bytes of a pickle, from front to back, never beyond their end.

use std::borrow::Cow;
use std::rc::Rc;

use super::error::PickleError;

/// A place in the bytes.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes before the place.
    pub fn at(&self) -> usize {
        self.at
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], PickleError> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| PickleError::Damaged { at: self.at, problem: "it ends too early".to_owned() })?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, PickleError> {
        Ok(self.take(1)?[0])
    }

    /// A little-endian number without sign, of at most 8 bytes.
    pub fn number(&mut self, width: usize) -> Result<u64, PickleError> {
        Ok(self.take(width)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// Bytes behind their count.
    pub fn counted(&mut self, width: usize) -> Result<&'a [u8], PickleError> {
        let count = self.number(width)?;
        self.take(usize::try_from(count).unwrap_or(usize::MAX))
    }

    pub fn text(&mut self, width: usize) -> Result<Rc<str>, PickleError> {
        Ok(String::from_utf8_lossy(self.counted(width)?).into())
    }

    /// A little-endian number with sign behind the count of its bytes; none where it does not fit into 64 bits.
    pub fn long(&mut self, width: usize) -> Result<Option<i64>, PickleError> {
        let bytes = self.counted(width)?;
        let Some(last) = bytes.last() else { return Ok(Some(0)) };
        if bytes.len() > 8 {
            return Ok(None);
        }
        let mut full = [if last & 0x80 == 0 { 0 } else { 0xff }; 8];
        full[..bytes.len()].copy_from_slice(bytes);
        Ok(Some(i64::from_le_bytes(full)))
    }

    /// A text up to the end of the line.
    pub fn line(&mut self) -> Result<Cow<'a, str>, PickleError> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = self.take(length + 1)?;
        Ok(String::from_utf8_lossy(&line[..length]))
    }

    /// Whether what follows holds a text.
    pub fn rest_holds(&self, text: &[u8]) -> bool {
        self.bytes[self.at..].windows(text.len()).any(|window| window == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_little_endian_and_signed_where_they_should_be() {
        assert_eq!(Reader::new(&[1, 2]).number(2), Ok(0x201));
        assert_eq!(Reader::new(&[0xff; 8]).number(8), Ok(u64::MAX));
        assert_eq!(Reader::new(&[0]).long(1), Ok(Some(0)));
        assert_eq!(Reader::new(&[1, 0xff]).long(1), Ok(Some(-1)));
        assert_eq!(Reader::new(&[2, 0xff, 0]).long(1), Ok(Some(255)));
        assert_eq!(Reader::new(&[9, 0, 0, 0, 0, 0, 0, 0, 0, 1]).long(1), Ok(None));
    }

    #[test]
    fn what_is_counted_never_reaches_beyond_the_end() {
        assert!(Reader::new(&[0xff; 8]).counted(8).is_err());
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 1]).text(4).is_err());
        assert!(Reader::new(b"no end of line").line().is_err());
    }
}
