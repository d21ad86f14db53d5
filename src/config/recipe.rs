//! The recipe in force: what was said, and torchvision's usual fine-tuning recipe for the rest.
//!
//! SGD with momentum 0.9 and a learning rate of 0.001 on pretrained weights is what PyTorch's transfer
//! learning tutorial uses; 0.01 from scratch and ImageNet's normalisation are torchvision's references
//! (0.1 for batches of 256, scaled down to 32). The other optimizers have torch.optim's own defaults, a
//! tenth of it on pretrained weights.

use nanprobe_checks::recipe::{Init, Loss, Mode, ModelRecipe, Normalize, OptimizerKind, OptimizerRecipe, Recipe};

use super::error::ConfigError;
use crate::architecture::{self, ARCHITECTURES, Architecture};
use crate::cli::JobArgs;

const BATCH_SIZE: usize = 32;
const IMAGE_SIZE: usize = 224;
const SGD_MOMENTUM: f64 = 0.9;
/// torch.optim.AdamW's.
const ADAMW_WEIGHT_DECAY: f64 = 0.01;

/// The architecture of that name, or what to do about it.
pub(super) fn architecture_of(name: &str) -> Result<&'static Architecture, ConfigError> {
    let file = std::path::Path::new(name);
    if file.extension().is_some_and(|extension| {
        ["pt", "pth", "ckpt", "onnx", "h5", "safetensors"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    }) {
        let known = ARCHITECTURES.iter().map(|a| a.name).collect::<Vec<_>>().join(", ");
        return Err(ConfigError::OtherModelFile { given: name.to_owned(), known });
    }
    Ok(architecture::find(name)?)
}

/// The recipe of a job whose model is named.
pub(super) fn recipe(job: &JobArgs, name: &str) -> Result<Recipe, ConfigError> {
    // What a file leaves open is as for torchvision's models.
    let (name, usual_size, usual) = if architecture::is_file(name) {
        (name, IMAGE_SIZE, Normalize::Imagenet)
    } else {
        let architecture = architecture_of(name)?;
        let image_size = job.image_size.map_or(architecture.image_size, Into::into);
        if image_size < architecture.min_image_size {
            return Err(ConfigError::ImageSize { given: image_size, model: architecture.name, least: architecture.min_image_size });
        }
        if !architecture.takes(image_size) {
            return Err(ConfigError::ImageSizeStep { given: image_size, model: architecture.name, step: architecture.size_step });
        }
        let usual = if architecture.any_channels { Normalize::MeanStd { mean: 0.5, std: 0.5 } } else { Normalize::Imagenet };
        (architecture.name, architecture.image_size, usual)
    };
    let image_size = job.image_size.map_or(usual_size, Into::into);
    Ok(Recipe {
        model: ModelRecipe {
            name: name.to_owned(),
            weights: job.weights.clone(),
            init: job.init.unwrap_or(Init::Default),
            outputs: job.outputs.map(Into::into),
            output_activation: job.output_activation,
            detach: job.detach.clone(),
            batch_norm_momentum: job.batch_norm_momentum,
            reference: job.reference.clone(),
        },
        loss: job.loss.unwrap_or(Loss::CrossEntropy),
        optimizer: optimizer(job),
        batch_size: job.batch_size.map_or(BATCH_SIZE, Into::into),
        shuffle: !job.no_shuffle,
        image_size,
        normalize: job.normalize.unwrap_or(usual),
        trainable: job.trainable.clone(),
        training_mode: job.training_mode.unwrap_or(Mode::Train),
        evaluation_mode: job.evaluation_mode.unwrap_or(Mode::Eval),
        loop_: job.training_loop.clone(),
    })
}

fn optimizer(job: &JobArgs) -> OptimizerRecipe {
    let kind = job.optimizer.unwrap_or(OptimizerKind::Sgd);
    let lr = match (kind, job.weights.is_some()) {
        (OptimizerKind::Sgd, false) => 1e-2,
        (OptimizerKind::Adam | OptimizerKind::AdamW, true) => 1e-4,
        _ => 1e-3,
    };
    let momentum = match kind {
        OptimizerKind::Sgd => job.momentum.unwrap_or(SGD_MOMENTUM),
        OptimizerKind::RmsProp => job.momentum.unwrap_or(0.0),
        // They have none, and a momentum meant for another optimizer must not stand in the report.
        OptimizerKind::Adam | OptimizerKind::AdamW => 0.0,
    };
    let weight_decay = if kind == OptimizerKind::AdamW { ADAMW_WEIGHT_DECAY } else { 0.0 };
    OptimizerRecipe {
        kind,
        lr: job.lr.unwrap_or(lr),
        momentum,
        weight_decay: job.weight_decay.unwrap_or(weight_decay),
        groups: job.lr_group.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, change: impl Fn(&mut JobArgs)) -> Recipe {
        let mut job = JobArgs::default();
        change(&mut job);
        recipe(&job, name).unwrap()
    }

    #[test]
    fn the_defaults_are_torchvisions_fine_tuning_recipe() {
        let plain = of("resnet18", |_| {});
        assert_eq!((plain.loss, plain.batch_size, plain.shuffle, plain.image_size), (Loss::CrossEntropy, 32, true, 224));
        assert_eq!(plain.normalize, Normalize::Imagenet);
        assert_eq!((plain.optimizer.lr, plain.optimizer.momentum, plain.optimizer.weight_decay), (1e-2, 0.9, 0.0));
        assert_eq!(of("mlp", |_| {}).normalize, Normalize::MeanStd { mean: 0.5, std: 0.5 });
    }

    #[test]
    fn the_learning_rate_follows_the_optimizer_and_the_weights() {
        for (kind, scratch, tuned) in [
            (OptimizerKind::Sgd, 1e-2, 1e-3),
            (OptimizerKind::Adam, 1e-3, 1e-4),
            (OptimizerKind::AdamW, 1e-3, 1e-4),
            (OptimizerKind::RmsProp, 1e-3, 1e-3),
        ] {
            assert_eq!(of("alexnet", |job| job.optimizer = Some(kind)).optimizer.lr, scratch, "{kind}");
            let with_weights = of("alexnet", |job| (job.optimizer, job.weights) = (Some(kind), Some("w.safetensors".into())));
            assert_eq!(with_weights.optimizer.lr, tuned, "{kind}");
        }
    }

    #[test]
    fn adam_has_no_momentum_and_adamw_its_own_decay() {
        let adamw = of("lenet", |job| (job.optimizer, job.momentum) = (Some(OptimizerKind::AdamW), Some(0.9))).optimizer;
        assert_eq!((adamw.momentum, adamw.weight_decay), (0.0, 0.01));
        assert_eq!(of("lenet", |job| job.optimizer = Some(OptimizerKind::RmsProp)).optimizer.momentum, 0.0);
    }

    #[test]
    fn images_too_small_for_the_model_are_rejected_by_its_name() {
        let job = JobArgs { image_size: std::num::NonZeroUsize::new(32), ..JobArgs::default() };
        let error = recipe(&job, "alexnet").unwrap_err().to_string();
        assert!(error.contains("32") && error.contains("alexnet") && error.contains("64"), "{error}");
    }

    #[test]
    fn images_that_no_patches_fit_are_answered_with_the_next_size_that_does() {
        let job = |size| JobArgs { image_size: std::num::NonZeroUsize::new(size), ..JobArgs::default() };
        let error = recipe(&job(100), "vit_b_16").unwrap_err().to_string();
        assert!(error.contains("100") && error.contains("vit_b_16") && error.contains("such as 112"), "{error}");
        assert_eq!(recipe(&job(96), "vit_b_16").unwrap().image_size, 96);
    }

    #[test]
    fn unknown_and_exported_models_are_told_apart() {
        let unknown = architecture_of("resnet-18").unwrap_err().to_string();
        assert!(unknown.contains("did you mean `resnet18`"), "{unknown}");
        let checkpoint = architecture_of("model.pth").unwrap_err().to_string();
        assert!(checkpoint.contains("torch.export.save") && checkpoint.contains("resnet18"), "{checkpoint}");
        assert_eq!(of("net/model.pt2", |_| {}).model.name, "net/model.pt2");
    }
}
