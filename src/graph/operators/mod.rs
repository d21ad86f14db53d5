//! The operators: what a node of the graph does, resolved once when a network is made.
//!
//! One file a family, each a function from an operator's name to its [`Kernel`]. The arguments are
//! read while compiling, so that running a node costs one indirect call.

use tch::{TchError, Tensor};

use super::network::Values;
use super::{Arg, GraphError, Mode, Node, Value};

mod layers;
mod pointwise;
mod shape;

/// A compiled node.
pub type Kernel = Box<dyn Fn(&Values, Mode) -> Result<Tensor, TchError>>;

/// The kernel of a node.
pub fn compile(node: &Node) -> Result<Kernel, GraphError> {
    let args = Args(node);
    for family in [layers::compile, pointwise::compile, shape::compile] {
        if let Some(kernel) = family(args)? {
            return Ok(kernel);
        }
    }
    Err(GraphError::UnknownOperator { target: node.target.clone(), module: node.module.clone() })
}

/// A node's arguments, read by position; one past the end is left out.
#[derive(Clone, Copy)]
struct Args<'a>(&'a Node);

impl Args<'_> {
    fn target(&self) -> &str {
        &self.0.target
    }

    fn get(&self, index: usize) -> &Arg {
        self.0.args.get(index).unwrap_or(&Arg::None)
    }

    fn error(self, index: usize, expected: &'static str) -> GraphError {
        GraphError::Argument { target: self.0.target.clone(), node: self.0.name.clone(), index, expected }
    }

    fn tensor(self, index: usize) -> Result<Value, GraphError> {
        self.tensor_or_none(index)?.ok_or_else(|| self.error(index, "a tensor"))
    }

    fn tensor_or_none(self, index: usize) -> Result<Option<Value>, GraphError> {
        match self.get(index) {
            Arg::Value(value) => Ok(Some(*value)),
            Arg::None => Ok(None),
            _ => Err(self.error(index, "a tensor or nothing")),
        }
    }

    fn int_or(self, index: usize, default: i64) -> Result<i64, GraphError> {
        match self.get(index) {
            Arg::Int(n) => Ok(*n),
            Arg::None => Ok(default),
            _ => Err(self.error(index, "an integer")),
        }
    }

    fn ints_or(self, index: usize, default: &[i64]) -> Result<Vec<i64>, GraphError> {
        match self.get(index) {
            Arg::Ints(ints) => Ok(ints.clone()),
            Arg::None => Ok(default.to_vec()),
            _ => Err(self.error(index, "a list of integers")),
        }
    }

    fn float_or(self, index: usize, default: f64) -> Result<f64, GraphError> {
        match self.get(index) {
            Arg::Float(x) => Ok(*x),
            Arg::Int(n) => Ok(*n as f64),
            Arg::None => Ok(default),
            _ => Err(self.error(index, "a number")),
        }
    }
}
