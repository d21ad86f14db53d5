//! The built-in architectures by name: what the command line needs to know of them without libtorch.

use thiserror::Error;

/// A built-in architecture.
#[derive(Debug, PartialEq, Eq)]
pub struct Architecture {
    /// Its name, torchvision's where it is torchvision's.
    pub name: &'static str,
    /// Side of the input it was designed for, in pixels.
    pub image_size: usize,
    /// The least side it works with.
    pub min_image_size: usize,
    /// What its side must be a multiple of, in pixels.
    pub size_step: usize,
    /// Whether it has batch norm, which makes it train at a wide range of learning rates.
    pub batch_norm: bool,
    /// Whether it takes grey images as one channel; torchvision's take three always.
    pub any_channels: bool,
    /// Whether it takes a row of any values, because it flattens its input first.
    pub flattens: bool,
}

/// A name that no architecture has.
#[derive(Debug, Error, PartialEq)]
#[error("unknown model `{given}`; did you mean `{nearest}`? (known: {})", ARCHITECTURES.iter().map(|a| a.name).collect::<Vec<_>>().join(", "))]
pub struct UnknownModel {
    given: String,
    nearest: &'static str,
}

const fn torchvision(name: &'static str, min_image_size: usize, batch_norm: bool) -> Architecture {
    Architecture { name, image_size: 224, min_image_size, size_step: 1, batch_norm, any_channels: false, flattens: false }
}

const fn small(name: &'static str, image_size: usize, min_image_size: usize) -> Architecture {
    Architecture { name, image_size, min_image_size, size_step: 1, batch_norm: false, any_channels: true, flattens: false }
}

impl Architecture {
    /// Whether it can take pictures of that side.
    pub fn takes(&self, size: usize) -> bool {
        size >= self.min_image_size && size.is_multiple_of(self.size_step)
    }
}

/// All of them.
pub const ARCHITECTURES: &[Architecture] = &[
    torchvision("resnet18", 32, true),
    torchvision("resnet34", 32, true),
    torchvision("resnet50", 32, true),
    torchvision("alexnet", 64, false),
    torchvision("vgg11", 32, false),
    torchvision("vgg16_bn", 32, true),
    torchvision("mobilenet_v2", 32, true),
    torchvision("mobilenet_v3_small", 32, true),
    torchvision("densenet121", 32, true),
    torchvision("squeezenet1_1", 32, false),
    torchvision("efficientnet_b0", 32, true),
    torchvision("convnext_tiny", 32, false),
    torchvision("shufflenet_v2_x1_0", 32, true),
    torchvision("regnet_y_400mf", 32, true),
    torchvision("googlenet", 32, true),
    // It cuts a picture into patches of 16 pixels, and has a position for each.
    Architecture { size_step: 16, ..torchvision("vit_b_16", 32, false) },
    torchvision("swin_t", 32, false),
    small("lenet", 32, 28),
    small("small-cnn", 32, 16),
    Architecture { batch_norm: true, ..small("small-cnn-bn", 32, 16) },
    Architecture { flattens: true, ..small("mlp", 28, 8) },
    Architecture { flattens: true, ..small("sigmoid-mlp", 28, 8) },
];

/// Ending of an exported model's file.
pub const EXPORTED: &str = ".pt2";

/// Whether a model's name is that of a file that `torch.export.save` wrote.
pub fn is_file(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(EXPORTED)
}

/// The architecture of that name.
pub fn find(name: &str) -> Result<&'static Architecture, UnknownModel> {
    ARCHITECTURES.iter().find(|a| a.name == name).ok_or_else(|| {
        let distance = |a: &&Architecture| strsim::damerau_levenshtein(&name.to_lowercase().replace('-', "_"), &a.name.replace('-', "_"));
        let nearest = ARCHITECTURES.iter().min_by_key(distance).map_or("resnet18", |a| a.name);
        UnknownModel { given: name.to_owned(), nearest }
    })
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        for (given, nearest) in [("resnet-18", "resnet18"), ("ResNet50", "resnet50"), ("vgg16bn", "vgg16_bn"), ("smallcnn", "small-cnn")]
            .into_iter()
            .chain([("vit-b-16", "vit_b_16"), ("densenet", "densenet121"), ("efficientnet", "efficientnet_b0"), ("swin", "swin_t")])
        {
            assert!(find(given).unwrap_err().to_string().contains(&format!("did you mean `{nearest}`")), "{given}");
        }
    }
}
