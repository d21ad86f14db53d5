//! A loss curve in one line of block elements.

use nanprobe_checks::Real;

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// A step whose loss is no number.
const NOT_FINITE: char = '×';

/// The losses in at most `columns` characters, each the mean of its steps, drawn from zero: a loss that does not fall is level, however
/// it jitters, and half the height is half the loss. A stretch with a loss that is not finite is a `×`.
pub(super) fn sparkline(losses: &[Real], columns: usize) -> String {
    let columns = columns.min(losses.len());
    let stretch = |column: usize| &losses[column * losses.len() / columns..(column + 1) * losses.len() / columns];
    let means: Vec<f64> = (0..columns).map(|column| mean(stretch(column))).collect();
    let finite = || means.iter().copied().filter(|mean| mean.is_finite());
    // A criterion of one's own may be negative.
    let (least, most) = (finite().fold(0.0, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let block = |mean: f64| {
        let height = if most > least { (mean - least) / (most - least) } else { 0.0 };
        BLOCKS[((height * BLOCKS.len() as f64) as usize).min(BLOCKS.len() - 1)]
    };
    means.iter().map(|&mean| if mean.is_finite() { block(mean) } else { NOT_FINITE }).collect()
}

fn mean(losses: &[Real]) -> f64 {
    losses.iter().map(|loss| loss.0 / losses.len() as f64).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drawn(losses: &[f64], columns: usize) -> String {
        let losses: Vec<Real> = losses.iter().copied().map(Real).collect();
        sparkline(&losses, columns)
    }

    #[test]
    fn a_fall_descends_and_a_rise_ascends() {
        let falling: Vec<f64> = (0..64).map(|step| f64::from(64 - step) / 64.0).collect();
        assert_eq!(drawn(&falling, 8), "█▇▆▅▄▃▂▁");
        let rising: Vec<f64> = falling.into_iter().rev().collect();
        assert_eq!(drawn(&rising, 8), "▁▂▃▄▅▆▇█");
    }

    #[test]
    fn a_loss_that_does_not_fall_is_level_and_a_short_curve_is_not_stretched() {
        assert_eq!(drawn(&[0.693; 60], 4), "████");
        assert_eq!(drawn(&[0.71, 0.67, 0.70, 0.68, 0.693], 30), "█████");
        assert_eq!(drawn(&[0.0; 3], 30), "▁▁▁");
        assert_eq!(drawn(&[1.0, 0.0], 30), "█▁");
        assert_eq!(drawn(&[], 30), "");
    }

    #[test]
    fn what_is_not_finite_is_marked_and_does_not_flatten_the_rest() {
        assert_eq!(drawn(&[1.0, 0.0, f64::NAN, f64::INFINITY], 4), "█▁××");
        assert_eq!(drawn(&[f64::NAN; 3], 3), "×××");
        assert_eq!(drawn(&[f64::MAX, f64::MAX, 0.0, f64::MIN], 4).chars().count(), 4);
    }

    proptest! {
        #[test]
        fn any_curve_has_as_many_columns_as_it_may(losses in prop::collection::vec(any::<f64>(), 0..200), columns in 1usize..40) {
            prop_assert_eq!(drawn(&losses, columns).chars().count(), columns.min(losses.len()));
        }

        #[test]
        fn the_form_does_not_depend_on_the_unit(losses in prop::collection::vec(0.0f64..10.0, 2..80), factor in 1u8..4) {
            // Powers of two, so that no rounding differs.
            let factor = f64::from(1u32 << factor);
            let scaled: Vec<Real> = losses.iter().map(|loss| Real(loss * factor)).collect();
            prop_assert_eq!(sparkline(&scaled, 30), drawn(&losses, 30));
        }
    }
}
