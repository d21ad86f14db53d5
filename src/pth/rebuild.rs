//! What torch's own functions in a state dict's pickle would do: `torch._utils` and `torch.serialization`.

use std::rc::Rc;

use crate::archive::MOST_DIMENSIONS;

use super::value::{Global, Object, Storage, Tensor, Value};

/// What a call gives.
pub enum Made {
    /// A new object.
    Object(Object),
    /// A value that was there already.
    Value(Value),
}

/// The items of a value that is a list or a tuple.
pub fn list<'a>(value: &Value, objects: &'a [Object]) -> Option<&'a [Value]> {
    match value {
        Value::Object(index) => match &objects[*index] {
            Object::List(items) => Some(items),
            _ => None,
        },
        _ => None,
    }
}

/// The result of calling one of the known names; what is wrong with the arguments otherwise.
pub fn call(global: &Global, arguments: &[Value], objects: &[Object]) -> Result<Made, String> {
    let wrong = || format!("{global:?} with other arguments than torch gives it");
    match (global, arguments) {
        (Global::Dict, []) => Ok(Made::Object(Object::Dict(vec![]))),
        (Global::Tensor { typed }, _) => tensor(arguments, *typed, objects).map(|tensor| Made::Object(Object::Tensor(Rc::new(tensor)))),
        (Global::Parameter, [Value::Object(index), Value::Bool(requires_grad), ..]) => match &objects[*index] {
            Object::Tensor(tensor) => {
                let parameter = Tensor { requires_grad: *requires_grad, ..(**tensor).clone() };
                Ok(Made::Object(Object::Tensor(Rc::new(parameter))))
            }
            _ => Err(wrong()),
        },
        (Global::FromType, [Value::Object(function), _, inner, ..]) => match (&objects[*function], list(inner, objects)) {
            // Not itself, which could go on for ever.
            (Object::Global(inner @ (Global::Tensor { .. } | Global::Parameter)), Some(arguments)) => call(inner, arguments, objects),
            _ => Err(wrong()),
        },
        (Global::Size, [sizes]) => Ok(Made::Value(sizes.clone())),
        (Global::Plain, _) => Ok(Made::Value(Value::Inert)),
        _ => Err(wrong()),
    }
}

/// `(storage, offset, sizes, strides, requires_grad, hooks)`, and a dtype after them where it is typed.
fn tensor(arguments: &[Value], typed: bool, objects: &[Object]) -> Result<Tensor, String> {
    let wrong = || "a tensor that is not described as torch does it".to_owned();
    let [Value::Object(storage), Value::Int(offset), sizes, strides, Value::Bool(requires_grad), _, rest @ ..] = arguments else {
        return Err(wrong());
    };
    let Object::Storage(storage) = &objects[*storage] else { return Err(wrong()) };
    let numbers = |value: &Value| {
        // What is copied for each tensor must not grow with a list that many of them share.
        let numbers = list(value, objects).filter(|numbers| numbers.len() <= MOST_DIMENSIONS)?;
        let numbers = numbers.iter().map(|n| if let Value::Int(n) = n { Some(*n) } else { None });
        numbers.collect::<Option<Vec<i64>>>()
    };
    let dtype = match (typed, rest) {
        (false, _) => storage.dtype,
        (true, [Value::Object(index), ..]) => match &objects[*index] {
            Object::Global(Global::DType(dtype)) => *dtype,
            _ => return Err(wrong()),
        },
        (true, _) => return Err(wrong()),
    };
    Ok(Tensor {
        storage: Rc::clone(storage),
        dtype,
        sizes: numbers(sizes).ok_or_else(wrong)?,
        strides: numbers(strides).ok_or_else(wrong)?,
        offset: *offset,
        requires_grad: *requires_grad,
    })
}

/// `("storage", class, key, location, count)`.
pub fn storage(id: &[Value], objects: &[Object]) -> Result<Storage, String> {
    let wrong = || "a reference to what is no storage".to_owned();
    let [Value::Text(kind), Value::Object(class), Value::Text(key), _, Value::Int(count)] = id else { return Err(wrong()) };
    let count = u64::try_from(*count).map_err(|_| wrong())?;
    let (dtype, bytes) = match &objects[*class] {
        Object::Global(Global::Bytes) => (None, Some(count)),
        Object::Global(Global::Storage(dtype)) => (*dtype, dtype.and_then(|dtype| count.checked_mul(dtype.size() as u64))),
        _ => return Err(wrong()),
    };
    if &**kind == "storage" { Ok(Storage { key: Rc::clone(key), dtype, bytes }) } else { Err(wrong()) }
}
