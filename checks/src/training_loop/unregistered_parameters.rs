//! Layers that the model computes with and does not own.

use serde::{Deserialize, Serialize};

use super::{Seen, falls};
use crate::check::Check;
use crate::evidence::TrainingLoop;
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// Layers of the model are in a plain list, so nothing trains them.
    ///
    /// ## What it looks for
    /// Parameters that the loss depends on and that belong neither to a module that the loop calls, nor to its criterion, nor to an optimizer.
    ///
    /// ## Why it matters
    /// A module finds its layers in its attributes. Those in a Python list, dictionary or tuple are missing from `model.parameters()`: no optimizer
    /// steps them, `to(device)` leaves them behind, `state_dict` loses them. They keep their random values.
    ///
    /// ## What to do
    /// Use `nn.ModuleList`, `nn.ModuleDict` or `nn.Sequential` in place of the list, and `nn.ParameterList` for bare parameters.
    ///
    /// ## False alarms
    /// Layers that are kept random on purpose, as in a reservoir, are found too: give them `requires_grad_(False)`.
    ///
    /// ## Reference
    /// torch.nn.ModuleList: modules it contains are properly registered, and will be visible by all Module methods.
    UnregisteredParameters, "loop" / "unregistered-parameters"
}

/// [`UnregisteredParameters`] has none: a parameter is held or it is not.
#[derive(Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {}

impl Check for UnregisteredParameters {
    type Needs = Seen;
    type Limits = Limits;

    fn judge(seen: &TrainingLoop, _: &Limits) -> Judgement {
        let Some(stray) = &seen.unregistered else {
            return Judgement::clear("modules and optimizers hold all parameters that the loss depends on");
        };
        Finding {
            severity: if falls(&seen.losses) { Severity::Warning } else { Severity::Error },
            strength: 1.0,
            message: "layers of the model are no part of it, as in a plain Python list, so nothing trains them".to_owned(),
            measured: format!("{} tensors with {} values get gradients and belong to no module", stray.tensors, stray.values),
            fix: "keep the layers in an `nn.ModuleList` or `nn.ModuleDict`, and make the optimizer after that".to_owned(),
            remedy: None,
            location: seen.optimizer_line(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Real;
    use crate::evidence::LoopUnregistered;
    use crate::testing::{clears, line, sound_loop, suspects};

    #[test]
    fn layers_in_a_list_are_an_error_where_the_optimizer_misses_them() {
        let stray = Some(LoopUnregistered { tensors: 10, values: 11_760 });
        let stuck = TrainingLoop { unregistered: stray.clone(), losses: vec![Real(1.4); 20], ..sound_loop() };
        let finding = suspects::<UnregisteredParameters>(&stuck);
        assert_eq!((finding.severity, finding.location), (Severity::Error, line(12)));
        let learns = TrainingLoop { unregistered: stray, losses: (0..20).map(|i| Real(2.0 / f64::from(i + 1))).collect(), ..sound_loop() };
        assert_eq!(suspects::<UnregisteredParameters>(&learns).severity, Severity::Warning);
    }

    #[test]
    fn a_model_that_owns_its_layers_is_clear() {
        clears::<UnregisteredParameters>(&sound_loop());
    }
}
