//! Values of a file: tensors from stored bytes, which of them are one and the same, and the type they are computed in.

use std::collections::HashMap;

use tch::{Device, Kind, Tensor};

use super::scope::kind;
use super::{GraphError, Reader};
use crate::archive::{DType, Stored};
use crate::pt2::{self, InputSpec};

/// The tensors of parameters and buffers.
pub(super) fn values(reader: &Reader) -> Result<(Vec<Tensor>, Vec<Tensor>), GraphError> {
    let tensor = |stored: &&Stored| -> Result<Tensor, GraphError> {
        let read = Tensor::f_from_data_size(&stored.contiguous(), &stored.sizes, kind(stored.dtype))?.f_to_device(Device::Cpu)?;
        Ok(if reader.single == Some(stored.dtype) { read.f_to_kind(Kind::Float)? } else { read })
    };
    let parameters = reader.stored.iter().map(|stored| Ok(tensor(stored)?.f_to_kind(Kind::Float)?)).collect::<Result<_, GraphError>>()?;
    Ok((parameters, reader.stored_buffers.iter().map(tensor).collect::<Result<_, _>>()?))
}

/// The order of a first parameter's dimensions in which it is the second, where both are views of the same values.
pub(super) fn order(first: &Stored, second: &Stored) -> Option<Vec<i64>> {
    let mut order = Vec::with_capacity(second.sizes.len());
    for dimension in second.sizes.iter().zip(&second.strides) {
        let place = (0..first.sizes.len() as i64)
            .find(|&i| !order.contains(&i) && (&first.sizes[i as usize], &first.strides[i as usize]) == dimension)?;
        order.push(place);
    }
    (order.len() == first.sizes.len()).then_some(order)
}

/// The floating type that most of the parameters' values have, unless that is float32.
pub(super) fn precision(file: &pt2::Exported) -> Option<DType> {
    let mut counts: HashMap<DType, i64> = HashMap::new();
    for spec in &file.program.graph_module.signature.input_specs {
        if let InputSpec::Parameter { parameter_name, .. } = spec
            && let Some(stored) = file.weights.get(parameter_name).filter(|stored| stored.dtype.is_float())
        {
            *counts.entry(stored.dtype).or_default() += stored.sizes.iter().product::<i64>();
        }
    }
    counts
        .into_iter()
        .max_by_key(|(dtype, count)| (*count, *dtype == DType::Float32))
        .map(|(dtype, _)| dtype)
        .filter(|dtype| *dtype != DType::Float32)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn views_of_the_same_values_are_one_parameter_where_their_dimensions_are_the_same_in_some_order() {
        let bytes = Rc::new(vec![0; 64]);
        let view =
            |sizes: &[i64], strides: &[i64]| Stored::new(DType::Float32, sizes.to_vec(), strides.to_vec(), 0, Rc::clone(&bytes)).unwrap();
        let weight = view(&[4, 4], &[4, 1]);
        assert_eq!(order(&weight, &view(&[4, 4], &[4, 1])), Some(vec![0, 1]));
        assert_eq!(order(&weight, &view(&[4, 4], &[1, 4])), Some(vec![1, 0]));
        assert_eq!(order(&weight, &view(&[2, 8], &[8, 1])), None);
        assert_eq!(order(&weight, &view(&[16], &[1])), None);
    }
}
