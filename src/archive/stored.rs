//! A tensor as it lies in a file: raw little-endian bytes, and how they are to be read.

use std::rc::Rc;

/// Dimensions of a tensor.
pub const MOST_DIMENSIONS: usize = 16;

/// Type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as torch names them")]
pub enum DType {
    UInt8,
    Int8,
    Int16,
    Int32,
    Int64,
    Float16,
    Float32,
    Float64,
    Bool,
    BFloat16,
}

impl DType {
    /// By the export schema's number.
    pub fn of(number: u64) -> Option<Self> {
        Some(match number {
            1 => Self::UInt8,
            2 => Self::Int8,
            3 => Self::Int16,
            4 => Self::Int32,
            5 => Self::Int64,
            6 => Self::Float16,
            7 => Self::Float32,
            8 => Self::Float64,
            12 => Self::Bool,
            13 => Self::BFloat16,
            _ => return None,
        })
    }

    /// Bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Self::UInt8 | Self::Int8 | Self::Bool => 1,
            Self::Int16 | Self::Float16 | Self::BFloat16 => 2,
            Self::Int32 | Self::Float32 => 4,
            Self::Int64 | Self::Float64 => 8,
        }
    }

    /// Whether it can be trained.
    pub fn is_float(self) -> bool {
        matches!(self, Self::Float16 | Self::Float32 | Self::Float64 | Self::BFloat16)
    }
}

/// A tensor's values and how they lie.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Type of its elements.
    pub dtype: DType,
    /// Its sizes.
    pub sizes: Vec<i64>,
    /// Elements from one index to the next, for each dimension.
    pub strides: Vec<i64>,
    /// Elements before the first.
    pub offset: i64,
    /// Whether gradients were asked for.
    pub requires_grad: bool,
    /// The bytes it lies in, which tied tensors share.
    pub bytes: Rc<Vec<u8>>,
}

impl Stored {
    /// A tensor of which every element lies within its bytes; what is wrong otherwise.
    pub fn new(dtype: DType, sizes: Vec<i64>, strides: Vec<i64>, offset: i64, bytes: Rc<Vec<u8>>) -> Result<Self, String> {
        if sizes.len() != strides.len() || sizes.len() > MOST_DIMENSIONS {
            return Err(format!("{} sizes and {} strides", sizes.len(), strides.len()));
        }
        if sizes.iter().chain(&strides).chain([&offset]).any(|n| *n < 0) {
            return Err(format!("sizes {sizes:?}, strides {strides:?} and offset {offset}, of which none may be negative"));
        }
        let last = || {
            let mut last = offset;
            let mut count: i64 = 1;
            for (n, stride) in sizes.iter().zip(&strides) {
                count = count.checked_mul(*n)?;
                last = last.checked_add((n - 1).max(0).checked_mul(*stride)?)?;
            }
            // More elements than bytes can only come from strides of 0.
            (count <= bytes.len() as i64).then_some(())?;
            if count == 0 { Some(0) } else { last.checked_add(1) }
        };
        let needed = last().and_then(|elements| elements.checked_mul(dtype.size() as i64));
        if needed.is_none_or(|needed| needed > bytes.len() as i64) {
            return Err(format!("sizes {sizes:?} and strides {strides:?} do not fit into its {} bytes", bytes.len()));
        }
        Ok(Self { dtype, sizes, strides, offset, requires_grad: false, bytes })
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.sizes.iter().product::<i64>() as usize
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its elements in row-major order.
    pub fn contiguous(&self) -> Vec<u8> {
        // An empty one may begin anywhere.
        if self.is_empty() {
            return vec![];
        }
        let size = self.dtype.size();
        let mut dense = 1;
        let row_major = self.sizes.iter().zip(&self.strides).rev().all(|(n, stride)| {
            let fits = *n == 1 || *stride == dense;
            dense *= n;
            fits
        });
        let start = self.offset as usize * size;
        if row_major {
            return self.bytes[start..start + self.len() * size].to_vec();
        }
        let mut gathered = Vec::with_capacity(self.len() * size);
        let mut index = vec![0i64; self.sizes.len()];
        for _ in 0..self.len() {
            let at = (self.offset + index.iter().zip(&self.strides).map(|(i, stride)| i * stride).sum::<i64>()) as usize * size;
            gathered.extend_from_slice(&self.bytes[at..at + size]);
            for dimension in (0..index.len()).rev() {
                index[dimension] += 1;
                if index[dimension] < self.sizes[dimension] {
                    break;
                }
                index[dimension] = 0;
            }
        }
        gathered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(sizes: &[i64], strides: &[i64], offset: i64, bytes: &Rc<Vec<u8>>) -> Result<Stored, String> {
        Stored::new(DType::UInt8, sizes.to_vec(), strides.to_vec(), offset, Rc::clone(bytes))
    }

    #[test]
    fn a_transposed_view_is_read_in_its_own_order() {
        let bytes = Rc::new((0..8).collect::<Vec<u8>>());
        assert_eq!(stored(&[2, 3], &[3, 1], 1, &bytes).unwrap().contiguous(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(stored(&[3, 2], &[1, 3], 0, &bytes).unwrap().contiguous(), [0, 3, 1, 4, 2, 5]);
        assert_eq!(stored(&[2, 2], &[0, 1], 6, &bytes).unwrap().contiguous(), [6, 7, 6, 7]);
        assert!(stored(&[0, 3], &[3, 1], 100, &bytes).unwrap().contiguous().is_empty());
    }

    #[test]
    fn a_tensor_that_reaches_beyond_its_bytes_is_an_error() {
        let bytes = Rc::new(vec![0; 8]);
        for (sizes, strides, offset) in [
            (&[9][..], &[1][..], 0),
            (&[3, 3], &[3, 1], 0),
            (&[2], &[8], 0),
            (&[2], &[1], 7),
            (&[1], &[1], i64::MAX),
            (&[i64::MAX, i64::MAX], &[i64::MAX, 1], 0),
            (&[1 << 40], &[0], 0),
            (&[-1], &[1], 0),
            (&[2], &[-1], 1),
            (&[2], &[1], -1),
            (&[2], &[1, 1], 0),
        ] {
            assert!(stored(sizes, strides, offset, &bytes).is_err(), "{sizes:?} {strides:?} {offset}");
        }
    }
}
