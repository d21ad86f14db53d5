//! How many samples of each class the probe takes: the classes' frequencies are kept.

/// Shares out `total` in proportion to `counts` by the largest-remainder method, each share within
/// `at_least[c]..=at_most[c]`; their sum is off `total` only where these bounds leave no choice.
pub(super) fn apportion(counts: &[usize], total: usize, at_least: &[usize], at_most: &[usize]) -> Vec<usize> {
    let all = counts.iter().sum::<usize>().max(1) as f64;
    let quotas: Vec<f64> = counts.iter().map(|&count| total as f64 * count as f64 / all).collect();
    let bounds = at_least.iter().zip(at_most);
    let mut shares: Vec<usize> = quotas.iter().zip(bounds).map(|(quota, (&low, &high))| (*quota as usize).min(high).max(low)).collect();
    let mut sum: usize = shares.iter().sum();
    let owed = |shares: &[usize], class: usize| quotas[class] - shares[class] as f64;
    while sum < total {
        let open = (0..shares.len()).rev().filter(|&class| shares[class] < at_most[class]);
        let Some(class) = open.max_by(|&a, &b| owed(&shares, a).total_cmp(&owed(&shares, b))) else { break };
        shares[class] += 1;
        sum += 1;
    }
    while sum > total {
        let open = (0..shares.len()).filter(|&class| shares[class] > at_least[class]);
        let Some(class) = open.min_by(|&a, &b| owed(&shares, a).total_cmp(&owed(&shares, b))) else { break };
        shares[class] -= 1;
        sum -= 1;
    }
    shares
}

/// Training and held-out samples of each class out of one listing with these counts: as many as asked
/// for, or 70:30 of what there is. A class of two or more has at least one of each.
pub(super) fn train_and_held_out(counts: &[usize], train: usize, held_out: usize) -> (Vec<usize>, Vec<usize>) {
    let listed: usize = counts.iter().sum();
    let (train, held_out) = if train.saturating_add(held_out) <= listed {
        (train, held_out)
    } else {
        let part = (7 * listed + 5) / 10;
        (train.min(part), held_out.min(listed - part))
    };
    let one = |least: usize| counts.iter().map(|&count| usize::from(count >= least)).collect::<Vec<_>>();
    let spare: Vec<usize> = counts.iter().map(|&count| if count >= 2 { count - 1 } else { count }).collect();
    let training = apportion(counts, train, &one(1), &spare);
    let left: Vec<usize> = counts.iter().zip(&training).map(|(count, taken)| count - taken).collect();
    let held_out = apportion(counts, held_out, &one(2), &left);
    (training, held_out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frequencies_are_kept_and_remainders_go_to_the_largest() {
        let free = [usize::MAX; 3];
        assert_eq!(apportion(&[50, 30, 20], 10, &[0; 3], &free), [5, 3, 2]);
        assert_eq!(apportion(&[1, 1, 1], 10, &[0; 3], &free), [4, 3, 3]);
        assert_eq!(apportion(&[96, 2, 2], 10, &[1; 3], &free), [8, 1, 1]);
        assert_eq!(apportion(&[0, 0], 10, &[0; 2], &[0; 2]), [0, 0]);
    }

    #[test]
    fn too_few_samples_are_split_70_to_30() {
        assert_eq!(train_and_held_out(&[50, 50], 1000, 400), (vec![35, 35], vec![15, 15]));
        assert_eq!(train_and_held_out(&[5000, 5000], 1000, 400), (vec![500, 500], vec![200, 200]));
        assert_eq!(train_and_held_out(&[3, 1, 0], 1000, 400), (vec![2, 1, 0], vec![1, 0, 0]));
        assert_eq!(train_and_held_out(&[2, 2], 1, 1), (vec![1, 1], vec![1, 1]));
    }

    proptest! {
        #[test]
        fn shares_fit_what_there_is(counts in prop::collection::vec(0_usize..300, 1..20), train in 0_usize..500, held_out in 0_usize..300) {
            let (training, holding) = train_and_held_out(&counts, train, held_out);
            for class in 0..counts.len() {
                prop_assert!(training[class] + holding[class] <= counts[class]);
                prop_assert!(counts[class] < 2 || (training[class] >= 1 && holding[class] >= 1));
            }
            prop_assert!(training.iter().sum::<usize>() <= train.max(counts.len()));
        }

        #[test]
        fn a_share_is_within_one_of_its_quota_where_nothing_binds(counts in prop::collection::vec(1_usize..300, 1..20), total in 0_usize..100) {
            let shares = apportion(&counts, total, &vec![0; counts.len()], &vec![usize::MAX; counts.len()]);
            let all: usize = counts.iter().sum();
            prop_assert_eq!(shares.iter().sum::<usize>(), total);
            for (share, count) in shares.iter().zip(&counts) {
                prop_assert!((*share as f64 - (total * count) as f64 / all as f64).abs() < 1.0 + 1e-9);
            }
        }
    }
}
