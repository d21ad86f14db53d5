//! The built-in architectures: one family a file, each a builder that emits a graph with
//! torchvision's parameter names, shapes and initialisation.

use crate::architecture::{Architecture, UnknownModel, find};
use crate::graph::Graph;

mod alexnet;
mod mobilenet;
mod resnet;
mod small;
mod vgg;

/// What a model is built for.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Input channels; torchvision's architectures take 3.
    pub channels: i64,
    /// Side of the square input in pixels.
    pub size: i64,
    /// Width of the output.
    pub outputs: i64,
}

/// The graph of a built-in architecture.
pub fn build(name: &str, shape: Shape) -> Result<Graph, UnknownModel> {
    let Architecture { name, .. } = find(name)?;
    Ok(match *name {
        "resnet18" => resnet::basic("resnet18", [2, 2, 2, 2], shape),
        "resnet34" => resnet::basic("resnet34", [3, 4, 6, 3], shape),
        "resnet50" => resnet::bottleneck("resnet50", [3, 4, 6, 3], shape),
        "alexnet" => alexnet::alexnet(shape),
        "vgg11" => vgg::vgg11(shape),
        "vgg16_bn" => vgg::vgg16_bn(shape),
        "mobilenet_v2" => mobilenet::mobilenet_v2(shape),
        "lenet" => small::lenet(shape),
        "small-cnn" => small::small_cnn("small-cnn", shape),
        "small-cnn-bn" => small::small_cnn("small-cnn-bn", shape),
        "mlp" => small::mlp("mlp", shape),
        "sigmoid-mlp" => small::mlp("sigmoid-mlp", shape),
        other => unreachable!("architecture `{other}` is listed but not built"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::ARCHITECTURES;

    #[test]
    fn every_listed_architecture_is_built() {
        for architecture in ARCHITECTURES {
            let shape = Shape { channels: 3, size: architecture.image_size as i64, outputs: 7 };
            let graph = build(architecture.name, shape).unwrap();
            assert_eq!(graph.name, architecture.name);
            assert_eq!(
                graph.parameters.iter().any(|p| p.name.contains("bn")),
                graph.name.starts_with("resnet") || graph.name.ends_with("-bn"),
                "{}",
                graph.name
            );
        }
    }
}
