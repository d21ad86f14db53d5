//! What a model takes and gives: which output is the logits, which the loss, which input the targets.

use nanprobe_checks::recipe::Loss;

use super::InputSizes;
use super::scope::{Scope, kind};
use crate::archive::DType;
use crate::graph::criterion::recognise;
use crate::graph::knowledge::depends_on;
use crate::graph::{Criterion, Graph, TargetForm, Value};
use crate::pt2::{self, Argument, InputSpec, OutputSpec, TensorMeta};

/// An input as the file describes it.
pub(super) struct Given {
    pub(super) sizes: InputSizes,
    dtype: Option<DType>,
}

/// An output as the file describes it.
pub(super) struct Returned {
    value: Value,
    /// Its sizes, where they are known; none where one is dynamic.
    sizes: Option<Vec<Option<i64>>>,
    float: bool,
    /// Whether the file says that it is the loss.
    loss: bool,
}

fn sizes(meta: &TensorMeta) -> Vec<Option<i64>> {
    meta.sizes.iter().map(|size| size.get("as_int").and_then(serde_json::Value::as_i64)).collect()
}

/// The tensors that the caller gives, in order.
pub(super) fn given(file: &pt2::Exported) -> Vec<Given> {
    let module = &file.program.graph_module;
    let tensors = module.signature.input_specs.iter().filter_map(|spec| match spec {
        InputSpec::UserInput { arg: Argument::AsTensor(tensor) } => Some(tensor.name.clone()),
        _ => None,
    });
    let described = |name: String| {
        let meta = module.graph.tensor_values.get(&name);
        let dtype = meta.and_then(|meta| DType::of(meta.dtype));
        let sizes = InputSizes { name, sizes: meta.map(sizes).unwrap_or_default(), float: dtype.is_none_or(DType::is_float) };
        Given { sizes, dtype }
    };
    tensors.map(described).collect()
}

/// The tensors that are returned, in order.
pub(super) fn returned(file: &pt2::Exported, scope: &Scope) -> Result<Vec<Returned>, String> {
    let module = &file.program.graph_module;
    let names = module.signature.output_specs.iter().filter_map(|spec| match spec {
        OutputSpec::UserOutput { arg: Argument::AsTensor(tensor) } => Some((tensor.name.as_str(), false)),
        OutputSpec::LossOutput { arg } => Some((arg.name.as_str(), true)),
        _ => None,
    });
    let described = |(name, loss): (&str, bool)| {
        let meta = module.graph.tensor_values.get(name);
        let float = meta.is_none_or(|meta| DType::of(meta.dtype).is_none_or(DType::is_float));
        Ok(Returned { value: scope.tensor(name)?, sizes: meta.map(sizes), float, loss })
    };
    names.map(described).collect()
}

/// Sets the graph's output and, where it computes a loss, its criterion. Answers the output's width, if it is known.
pub(super) fn settle(graph: &mut Graph, given: &[Given], returned: &[Returned]) -> Result<Option<i64>, String> {
    if given.is_empty() {
        return Err("it takes no tensor".to_owned());
    }
    let scalar = |output: &&Returned| output.loss || output.float && output.sizes.as_ref().is_some_and(Vec::is_empty);
    // The first of several, which are logits and auxiliary ones.
    let logits = returned.iter().find(|output| !scalar(output));
    if let Some(loss) = returned.iter().find(scalar) {
        let known = recognise(graph, loss.value);
        let (kind, read, mean) = known.map_or((Loss::Exported, None, false), |(kind, read, mean)| (kind, Some(read), mean));
        let output =
            read.or(logits.map(|output| output.value)).ok_or("it returns a loss of an unknown kind alone: return the logits as well")?;
        if let Some(criterion) = criterion(graph, given, output, loss.value, kind, mean)? {
            graph.output = output;
            graph.criterion = Some(criterion);
            let width = |output: &Returned| output.sizes.as_ref().and_then(|sizes| sizes.get(1).copied().flatten());
            return Ok(logits.and_then(width));
        }
    }
    let output = logits.ok_or("it returns no tensor of a class score for each sample")?;
    graph.output = output.value;
    Ok(output.sizes.as_ref().and_then(|sizes| sizes.get(1).copied().flatten()))
}

/// The criterion that takes the one input on which the output does not depend; none where every input is the model's.
fn criterion(graph: &Graph, given: &[Given], output: Value, loss: Value, kind: Loss, mean: bool) -> Result<Option<Criterion>, String> {
    let reaches = |value: Value, input: usize| match value {
        Value::Node(index) => depends_on(graph, input)[index],
        other => other == Value::Input(input),
    };
    let targets: Vec<usize> = (0..given.len()).filter(|&input| !reaches(output, input) && reaches(loss, input)).collect();
    match targets[..] {
        [] => Ok(None),
        [target] => Ok(Some(Criterion { kind, loss, target, form: form(&given[target])?, mean, used: true })),
        _ => {
            let names: Vec<&str> = targets.iter().map(|&input| given[input].sizes.name.as_str()).collect();
            Err(format!("its loss takes several inputs that the outputs do not depend on ({}); only the targets may", names.join(", ")))
        }
    }
}

/// What an input takes as targets.
fn form(given: &Given) -> Result<TargetForm, String> {
    let float = given.dtype.is_some_and(DType::is_float);
    match (float, &given.sizes.sizes[..]) {
        (false, [_]) => Ok(TargetForm::Indices),
        (true, [_]) => Ok(TargetForm::Floats),
        (true, [_, Some(1)]) => Ok(TargetForm::Column),
        (true, [_, Some(width)]) => Ok(TargetForm::OneHot(*width)),
        (_, sizes) => {
            let found = given.dtype.map_or("an unknown type".to_owned(), |dtype| format!("{:?}", kind(dtype)));
            Err(format!("its targets `{}` have {} dimensions of {found}; one class for each sample is read", given.sizes.name, sizes.len()))
        }
    }
}
