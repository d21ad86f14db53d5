//! What a model takes and gives: which output is the logits, which the loss, which input the targets.

use nanprobe_checks::recipe::Loss;

use super::InputSizes;
use super::scope::{Scope, kind};
use crate::archive::DType;
use crate::graph::criterion::recognise;
use crate::graph::knowledge::depends_on;
use crate::graph::{Arg, Criterion, Graph, Node, TargetForm, Value};
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
    /// Its key in the dictionary that is returned.
    key: Option<String>,
}

/// An output that may be the class scores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its key in the dictionary that the model returns, where it returns one.
    pub key: Option<String>,
    /// The scores, [N, classes].
    pub value: Value,
    /// Number of classes, if it is known.
    pub width: Option<i64>,
}

impl Answer {
    /// Whether the user calls it logits.
    pub fn is_named_logits(&self) -> bool {
        self.key.as_ref().is_some_and(|key| key.to_ascii_lowercase().contains("logit"))
    }
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
    let names: Vec<(&str, bool)> = names.collect();
    let keys = module.keys().filter(|keys| keys.len() == names.len());
    let described = |(index, (name, loss)): (usize, (&str, bool))| {
        let meta = module.graph.tensor_values.get(name);
        let float = meta.is_none_or(|meta| DType::of(meta.dtype).is_none_or(DType::is_float));
        let key = keys.as_ref().map(|keys| keys[index].clone());
        Ok(Returned { value: scope.tensor(name)?, sizes: meta.map(sizes), float, loss, key })
    };
    names.into_iter().enumerate().map(described).collect()
}

/// Sets the graph's output and, where it computes a loss, its criterion. Answers what may be the output, the one that is taken first.
pub(super) fn settle(graph: &mut Graph, given: &[Given], returned: &[Returned]) -> Result<Vec<Answer>, String> {
    if given.is_empty() {
        return Err("it takes no tensor".to_owned());
    }
    let scalar = |output: &&Returned| output.loss || output.float && output.sizes.as_ref().is_some_and(Vec::is_empty);
    let mut answers = Vec::new();
    let mut problem = "it returns no tensor of a class score for each sample".to_owned();
    for output in returned.iter().filter(|output| !scalar(output)) {
        match rows(graph, output) {
            Ok(answer) => answers.push(answer),
            Err(other) => problem = other,
        }
    }
    // The first of several, which are logits and auxiliary ones, unless one says that it is.
    if let Some(named) = answers.iter().position(Answer::is_named_logits) {
        answers.swap(0, named);
    }
    if let Some(loss) = returned.iter().find(scalar) {
        let known = recognise(graph, loss.value);
        let (kind, read, mean) = known.map_or((Loss::Exported, None, false), |(kind, read, mean)| (kind, Some(read), mean));
        let logits = returned.iter().find(|output| !scalar(output));
        let output =
            read.or(logits.map(|output| output.value)).ok_or("it returns a loss of an unknown kind alone: return the logits as well")?;
        if let Some(criterion) = criterion(graph, given, output, loss.value, kind, mean)? {
            let width = answers.first().and_then(|answer| answer.width);
            // What the criterion reads is what is returned, or comes right before it.
            let like = returned.iter().find(|returned| returned.value == output).or(logits);
            let flat = like.and_then(|like| like.sizes.as_ref()).is_some_and(|sizes| sizes.len() == 1);
            let value = if flat { row(graph, output, "aten.unsqueeze.default", 1) } else { output };
            graph.output = value;
            graph.criterion = Some(criterion);
            return Ok(vec![Answer { key: None, value, width: if flat { Some(1) } else { width } }]);
        }
    }
    graph.output = answers.first().ok_or(problem)?.value;
    Ok(answers)
}

/// An output as one row of scores for each sample. A model with one score may leave its dimension out, and one of convolutions alone may
/// keep pixels, of which there is one: the user's loop removes them.
fn rows(graph: &mut Graph, output: &Returned) -> Result<Answer, String> {
    let width = |sizes: &[Option<i64>]| sizes.get(1).copied().flatten();
    let (value, width) = match output.sizes.as_deref() {
        Some([_]) => (row(graph, output.value, "aten.unsqueeze.default", 1), Some(1)),
        Some([_, _, rest @ ..]) if !rest.is_empty() => {
            let sizes = output.sizes.as_deref().unwrap_or_default();
            if rest.iter().any(|size| *size != Some(1)) {
                let words = crate::design::sizes(sizes);
                return Err(format!(
                    "its output has the sizes {words}; a classifier gives one row of class scores for each sample, [N, classes]"
                ));
            }
            (row(graph, output.value, "aten.flatten.using_ints", 1), width(sizes))
        }
        sizes => (output.value, sizes.and_then(width)),
    };
    Ok(Answer { key: output.key.clone(), value, width })
}

fn row(graph: &mut Graph, value: Value, operator: &str, dimension: i64) -> Value {
    let args = vec![Arg::Value(value), Arg::Int(dimension)];
    let name = format!("output.rows_{}", graph.nodes.len());
    graph.nodes.push(Node::new(name, operator, args, String::new()));
    Value::Node(graph.nodes.len() - 1)
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
