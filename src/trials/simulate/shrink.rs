//! Leaves out of a failing plan what it does not need to fail.

use std::collections::BTreeSet;

use super::plan::Plan;
use super::run;

/// How many plans are tried at most: what is left then is short enough.
const TRIES_MAX: usize = 600;

/// The smallest plan that was found to fail as well: first halves are left out, then quarters, down
/// to single steps (A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input",
/// 2002). Returns it with why it fails.
pub(crate) fn shrink(plan: &Plan, failure: String) -> (Plan, String) {
    let (mut best, mut failure) = (plan.clone(), failure);
    let mut tries = 0;
    let mut size = best.steps.len().div_ceil(2);
    while size > 0 && tries < TRIES_MAX {
        let numbers: Vec<usize> = best.numbers().into_iter().collect();
        let mut shrunk = false;
        for chunk in numbers.chunks(size).rev() {
            let kept: BTreeSet<usize> =
                best.numbers().into_iter().filter(|number| !chunk.contains(number)).collect();
            let plan = best.clone().keep(&kept);
            tries += 1;
            if let Some(why) = run(&plan).failure {
                (best, failure, shrunk) = (plan, why, true);
            }
        }
        if !shrunk || size > 1 {
            size /= 2;
        }
    }
    (best, failure)
}
