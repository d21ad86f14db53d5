//! Where a job's model comes from: a built-in architecture, or a file of the user's.

use std::path::Path;

use nanprobe_checks::evidence::ModuleSource;
use nanprobe_checks::recipe::{Loss, matches};

use crate::architecture::{self, Architecture};
use crate::data::Layout;
use crate::graph::knowledge::{output_function, trailing_activations};
use crate::graph::{Criterion, Exported, Graph};
use crate::model::ModelError;
use crate::zoo::{self, Shape};

/// A model before it has a shape and values.
pub enum Design {
    /// Built here.
    Named(&'static Architecture),
    /// Exported by the user.
    Exported(Box<Exported>),
}

/// Parameters below which a model's operators are too short to be shared between threads.
const SMALL: i64 = 500_000;

impl Design {
    /// The model of that name, or in that file.
    pub fn open(name: &str) -> Result<Self, ModelError> {
        if architecture::is_file(name) {
            Ok(Self::Exported(Box::new(Exported::read(Path::new(name))?)))
        } else {
            Ok(Self::Named(architecture::find(name)?))
        }
    }

    /// The same, sharing tensors that nobody writes to.
    #[must_use]
    pub fn shallow_clone(&self) -> Self {
        match self {
            Self::Named(architecture) => Self::Named(architecture),
            Self::Exported(exported) => Self::Exported(Box::new(exported.shallow_clone())),
        }
    }

    /// Its graph for inputs and outputs of a shape.
    pub fn graph(&self, shape: Shape) -> Result<Graph, ModelError> {
        match self {
            Self::Named(architecture) => Ok(zoo::build(architecture.name, shape)?),
            Self::Exported(exported) => Ok(exported.graph.clone()),
        }
    }

    /// The shape it takes and gives where the data are pictures: what is asked where it leaves a choice.
    pub fn shape_of_pictures(
        &self,
        size: usize,
        size_given: bool,
        grey: bool,
        outputs: Option<usize>,
        classes: usize,
    ) -> Result<Shape, ModelError> {
        let asked = Shape { channels: 3, size: size as i64, outputs: outputs.unwrap_or(classes) as i64 };
        match self {
            Self::Named(architecture) => Ok(Shape { channels: if architecture.any_channels && grey { 1 } else { 3 }, ..asked }),
            Self::Exported(exported) => {
                let wrong = |problem| Err(ModelError::Input { model: exported.graph.name.clone(), problem });
                let input = match &exported.inputs[..] {
                    [one] => one,
                    several => {
                        let names: Vec<&str> = several.iter().map(|input| input.name.as_str()).collect();
                        return wrong(format!("it takes {} inputs ({}); give them with `--batches FILE`", several.len(), names.join(", ")));
                    }
                };
                if !input.float {
                    return wrong("it takes whole numbers, such as token ids; give them with `--batches FILE`".to_owned());
                }
                let [batch, channels, height, width] = input.sizes[..] else {
                    return wrong(format!("it takes an input of {} dimensions, and pictures have four: [N, C, H, W]", input.sizes.len()));
                };
                self.batch_is_open(batch)?;
                let side = height.or(width).unwrap_or(asked.size);
                let (height, width) = (height.unwrap_or(side), width.unwrap_or(side));
                if height != width {
                    return wrong(format!("it takes pictures of {height} x {width} pixels, and only square ones are made"));
                }
                if size_given && side != asked.size {
                    return wrong(format!("it takes pictures of {side} pixels, not {size}: leave `image-size` out"));
                }
                let channels = channels.unwrap_or(asked.channels);
                if !matches!(channels, 1 | 3) {
                    return wrong(format!("it takes {channels} channels, and pictures have 1 or 3"));
                }
                Ok(Shape { channels, size: side, outputs: exported.outputs.unwrap_or(asked.outputs) })
            }
        }
    }

    /// The shape that a built-in architecture is made for where the data are tensors; that an exported model takes them.
    pub fn shape_of_tensors(&self, layout: &[Layout], outputs: Option<usize>, classes: usize) -> Result<Shape, ModelError> {
        let outputs = outputs.unwrap_or(classes) as i64;
        match self {
            Self::Named(architecture) => {
                let (channels, size) = match layout.iter().map(|input| &input.shape[..]).collect::<Vec<_>>()[..] {
                    [&[channels, height, width]] if height == width && (architecture.any_channels || channels == 3) => (channels, height),
                    [&[features]] if architecture.flattens => (features, 1),
                    _ => {
                        let shapes: Vec<String> = layout.iter().map(|input| format!("{:?}", input.shape)).collect();
                        let problem = format!(
                            "it takes square pictures, and the samples have shape {}; give your own model, or `mlp` for a table",
                            shapes.join(" and ")
                        );
                        return Err(ModelError::Input { model: architecture.name.to_owned(), problem });
                    }
                };
                if !architecture.takes(size) && !architecture.flattens {
                    let least = architecture.min_image_size;
                    let problem = format!(
                        "it takes pictures of {least} pixels or more in steps of {}, and the samples have {size}",
                        architecture.size_step
                    );
                    return Err(ModelError::Input { model: architecture.name.to_owned(), problem });
                }
                Ok(Shape { channels: channels as i64, size: size as i64, outputs })
            }
            Self::Exported(exported) => {
                let wrong = |problem| Err(ModelError::Input { model: exported.graph.name.clone(), problem });
                if exported.inputs.len() != layout.len() {
                    let names: Vec<&str> = exported.inputs.iter().map(|input| input.name.as_str()).collect();
                    let (taken, given) = (names.len(), layout.len());
                    return wrong(format!("it takes {taken} inputs ({}), and the samples have {given}", names.join(", ")));
                }
                for (input, given) in exported.inputs.iter().zip(layout) {
                    let [batch, rest @ ..] = &input.sizes[..] else { return wrong(format!("`{}` is a single number", input.name)) };
                    self.batch_is_open(*batch)?;
                    let fits =
                        rest.len() == given.shape.len() && rest.iter().zip(&given.shape).all(|(n, m)| n.is_none_or(|n| n == *m as i64));
                    if !fits {
                        return wrong(format!("`{}` takes {}, and the samples have {:?}", input.name, sizes(rest), given.shape));
                    }
                }
                Ok(Shape { channels: 0, size: 0, outputs: exported.outputs.unwrap_or(outputs) })
            }
        }
    }

    fn batch_is_open(&self, batch: Option<i64>) -> Result<(), ModelError> {
        match (self, batch) {
            (Self::Exported(exported), Some(batch)) => {
                let problem = format!(
                    "its batch size is fixed at {batch}: export it with `dynamic_shapes=({{0: torch.export.Dim.AUTO}},)`; if that is how it was \
                     exported, something in its `forward` fixed the size, such as `len(x)` or a shape written as a number"
                );
                Err(ModelError::Input { model: exported.graph.name.clone(), problem })
            }
            _ => Ok(()),
        }
    }

    /// Settles which output is meant, where there are several, by the width that is asked for.
    pub fn answer_with(&mut self, outputs: usize) {
        if let Self::Exported(exported) = self {
            exported.answer_with(outputs as i64);
        }
    }

    /// Whether its first input takes whole numbers, and so divides pixels itself.
    pub fn takes_integers(&self) -> bool {
        matches!(self, Self::Exported(exported) if exported.inputs.first().is_some_and(|input| !input.float))
    }

    /// Whether a pattern is about parameters that only lead to an output that is not taken.
    pub fn ignores(&self, pattern: &str) -> bool {
        matches!(self, Self::Exported(exported) if exported.ignored.iter().any(|name| matches(pattern, name)))
    }

    /// The loss that fits an exported model with a single output for two classes, where it has none of its own.
    pub fn loss_of_one_output(&self, outputs: i64, classes: usize) -> Option<Loss> {
        let Self::Exported(exported) = self else { return None };
        let single = outputs == 1 && classes == 2 && exported.graph.criterion.is_none();
        let last = trailing_activations(&exported.graph).into_iter().find_map(|index| output_function(&exported.graph.nodes[index]));
        single.then_some(if last == Some("sigmoid") { Loss::Bce } else { Loss::BceWithLogits })
    }

    /// The criterion inside the model, where it has one.
    pub fn criterion(&self) -> Option<&Criterion> {
        if let Self::Exported(exported) = self { exported.graph.criterion.as_ref() } else { None }
    }

    /// Whether it can take pictures of side `size` instead of `asked`, with what a weights file holds for it, if there is one.
    pub fn takes(&self, size: usize, asked: Shape, weights: bool) -> Result<bool, ModelError> {
        let Self::Named(architecture) = self else {
            // A file may need the size that it was exported with; what one takes that leaves it open shows when it is run.
            return Ok(false);
        };
        if !architecture.takes(size) || !weights {
            return Ok(architecture.takes(size));
        }
        // Positions are parameters of some: at another size those of the file would not fit.
        let shapes = |shape| self.graph(shape).map(|graph| graph.parameters.into_iter().map(|p| p.shape).collect::<Vec<_>>());
        Ok(shapes(Shape { size: size as i64, ..asked })? == shapes(asked)?)
    }

    /// Whether it was exported for pictures of any side.
    pub fn leaves_size_open(&self) -> bool {
        let Self::Exported(exported) = self else { return false };
        matches!(&exported.inputs[..], [input] if matches!(input.sizes[..], [_, _, None, None]))
    }

    /// Whether its operators are too short to be shared between threads.
    pub fn small(&self) -> bool {
        match self {
            Self::Named(architecture) => architecture.any_channels,
            Self::Exported(exported) => exported.graph.parameters.iter().map(|p| p.shape.iter().product::<i64>()).sum::<i64>() < SMALL,
        }
    }

    /// The parameters that train, where the file freezes some.
    pub fn trainable(&self) -> Option<Vec<String>> {
        match self {
            Self::Exported(exported) if !exported.frozen.is_empty() => {
                Some(exported.graph.parameters.iter().map(|p| p.name.clone()).filter(|name| !exported.frozen.contains(name)).collect())
            }
            _ => None,
        }
    }

    /// What is known of the user's source.
    pub fn modules(&self) -> Vec<ModuleSource> {
        let Self::Exported(exported) = self else { return vec![] };
        let source = |(path, module): (&String, &crate::graph::Module)| ModuleSource {
            module: path.clone(),
            class: module.class.clone(),
            file: module.source.as_ref().map(|source| source.file.clone()),
            line: module.source.as_ref().map(|source| source.line),
        };
        exported.modules.iter().map(source).collect()
    }
}

/// Sizes of an input in words; `N` where one is open.
pub fn sizes(sizes: &[Option<i64>]) -> String {
    let sizes: Vec<String> = sizes.iter().map(|size| size.map_or_else(|| "N".to_owned(), |size| size.to_string())).collect();
    format!("[{}]", sizes.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_lowered_to_one_that_the_model_and_its_weights_can_take() {
        let takes = |name: &str, size, weights| {
            let design = Design::open(name).unwrap();
            design.takes(size, Shape { channels: 3, size: 224, outputs: 5 }, weights).unwrap()
        };
        for (name, size, fresh, pretrained) in
            [("swin_t", 50, true, true), ("resnet18", 31, false, false), ("vit_b_16", 96, true, false), ("vit_b_16", 100, false, false)]
        {
            assert_eq!((takes(name, size, false), takes(name, size, true)), (fresh, pretrained), "{name} at {size}");
        }
    }
}
