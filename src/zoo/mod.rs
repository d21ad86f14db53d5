//! The built-in architectures: one family a file, each a builder that emits a graph with
//! torchvision's parameter names, shapes and initialisation.

use crate::architecture::{Architecture, UnknownModel, find};
use crate::graph::Graph;

mod alexnet;
mod blocks;
mod convnext;
mod densenet;
mod efficientnet;
mod googlenet;
mod mobilenet;
mod mobilenet_v3;
mod regnet;
mod resnet;
mod shufflenet;
mod small;
mod squeezenet;
mod swin;
mod vgg;
mod vit;

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
        "mobilenet_v3_small" => mobilenet_v3::mobilenet_v3_small(shape),
        "densenet121" => densenet::densenet121(shape),
        "squeezenet1_1" => squeezenet::squeezenet1_1(shape),
        "efficientnet_b0" => efficientnet::efficientnet_b0(shape),
        "convnext_tiny" => convnext::convnext_tiny(shape),
        "shufflenet_v2_x1_0" => shufflenet::shufflenet_v2_x1_0(shape),
        "regnet_y_400mf" => regnet::regnet_y_400mf(shape),
        "googlenet" => googlenet::googlenet(shape),
        "vit_b_16" => vit::vit_b_16(shape),
        "swin_t" => swin::swin_t(shape),
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
    use std::collections::HashSet;

    use tch::{Device, Kind, Tensor, no_grad};

    use super::*;
    use crate::architecture::ARCHITECTURES;
    use crate::graph::knowledge::{layers, parameter_depths, trailing_activations};
    use crate::graph::{Fill, Mode, Network, Value};

    fn graph_of(architecture: &Architecture, size: usize) -> Graph {
        build(architecture.name, Shape { channels: 3, size: size as i64, outputs: 7 }).unwrap()
    }

    #[test]
    fn every_listed_architecture_is_built() {
        for architecture in ARCHITECTURES {
            let graph = graph_of(architecture, architecture.image_size);
            assert_eq!(graph.name, architecture.name);
            assert!(architecture.takes(architecture.image_size) && architecture.takes(architecture.min_image_size), "{}", graph.name);
            let norms = graph.nodes.iter().any(|node| node.target == "aten.batch_norm.default");
            assert_eq!(norms, architecture.batch_norm, "{}", graph.name);
            let names: HashSet<&str> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
            assert_eq!(names.len(), graph.nodes.len(), "{}: nodes of the same name", graph.name);
        }
    }

    #[test]
    fn the_first_layer_sees_the_pictures_and_the_last_one_gives_the_outputs() {
        for architecture in ARCHITECTURES {
            let graph = graph_of(architecture, architecture.image_size);
            let layers = layers(&graph);
            let reads = |node: usize| graph.nodes[node].reads().find(|value| !matches!(value, Value::Parameter(_)));
            let first = reads(layers[0]);
            assert!(first == Some(Value::Input(0)) || first == Some(Value::Node(0)), "{}", graph.name);
            let depths = parameter_depths(&graph);
            let deepest = *depths.iter().max().unwrap();
            let last: Vec<_> = graph.parameters.iter().zip(&depths).filter(|(_, depth)| **depth == deepest).map(|(p, _)| p).collect();
            assert_eq!(deepest + 1, layers.len() as u64, "{}", graph.name);
            assert!(last.iter().all(|p| p.shape[0] == 7), "{}: {last:?}", graph.name);
            let trailing: Vec<&str> = trailing_activations(&graph).into_iter().map(|i| graph.nodes[i].module.as_str()).collect();
            // SqueezeNet averages a ReLU's outputs over the picture: none of its answers is below zero.
            let expected: &[&str] = if graph.name == "squeezenet1_1" { &["classifier.2"] } else { &[] };
            assert_eq!(trailing, expected, "{}", graph.name);
        }
    }

    #[test]
    fn every_architecture_runs_at_its_least_size() {
        for architecture in ARCHITECTURES {
            let size = architecture.min_image_size;
            let mut graph = graph_of(architecture, size);
            // Only whether it runs is asked: drawing a hundred million numbers would take most of the time.
            graph.parameters.iter_mut().for_each(|p| p.fill = Fill::Constant(0.0));
            let network = Network::new(graph, Device::Cpu).unwrap();
            let input = Tensor::zeros([2, 3, size as i64, size as i64], (Kind::Float, Device::Cpu));
            for mode in [Mode::Train, Mode::Evaluate] {
                let outputs = no_grad(|| network.forward(std::slice::from_ref(&input), mode, None));
                let outputs = outputs.unwrap_or_else(|error| panic!("{} at {size}: {error}", architecture.name));
                assert_eq!(outputs.size(), [2, 7], "{}", architecture.name);
            }
        }
    }
}
