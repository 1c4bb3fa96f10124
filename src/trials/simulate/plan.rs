//! What happens in a run. A plan follows from its seed alone, before anything runs, and each step
//! has its own choices in it: a plan with steps left out is a plan too, which is how a failing one
//! is shrunk.

use std::collections::BTreeSet;

use super::draw::{
    ahead, counted, later, mix_in, opening, opening_of_lots, reacquire, record, return_in_part,
    step, together, wait,
};
use super::setup::Setup;
use super::step::Step;
use crate::vfs::crash::Chance;

/// The steps of a run, each with its number, which stays when others are left out.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(super) seed: u64,
    pub(super) setup: Setup,
    pub(super) steps: Vec<(usize, Step)>,
}

impl Plan {
    /// The plan that follows from a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut setup = Setup::new(&mut chance);
        let mut steps = opening(&mut chance);
        if seed % 16 == 11 {
            steps.extend(opening_of_lots(&mut Chance::new(!seed ^ 12)));
        }
        let count = 40 + chance.below(120);
        steps.extend((0..count).map(|_| step(&mut chance)));
        // The plans of other seeds stay what they always were.
        let opened = steps.len() - count;
        if seed % 4 == 3 {
            mix_in(&mut steps[opened..], &mut Chance::new(!seed), 4, later);
        }
        if seed % 8 == 5 {
            mix_in(&mut steps[opened..], &mut Chance::new(!seed), 4, return_in_part);
        }
        if seed % 8 == 7 {
            mix_in(&mut steps[opened..], &mut Chance::new(!seed ^ 7), 8, ahead);
        }
        if seed % 8 == 6 {
            mix_in(&mut steps[opened..], &mut Chance::new(!seed), 4, together);
        }
        if seed % 16 == 6 {
            mix_in(&mut steps[opened..], &mut Chance::new(!seed ^ 16), 6, record);
        }
        if seed % 16 == 14 {
            mix_in(&mut steps[opened..], &mut Chance::new(!seed ^ 14), 8, counted);
        }
        if seed % 16 == 11 {
            mix_in(&mut steps[opened..], &mut Chance::new(!seed ^ 11), 4, reacquire);
        }
        if seed % 16 == 14 {
            mix_in(&mut steps[opened..], &mut Chance::new(!seed ^ 14), 3, wait);
        }
        setup.points_end = seed % 16 == 13;
        Self { seed, setup, steps: steps.into_iter().enumerate().collect() }
    }

    /// The same plan with these steps alone.
    pub(crate) fn keep(mut self, kept: &BTreeSet<usize>) -> Self {
        self.steps.retain(|(number, _)| kept.contains(number));
        self
    }

    /// The numbers of its steps.
    pub(crate) fn numbers(&self) -> BTreeSet<usize> {
        self.steps.iter().map(|(number, _)| *number).collect()
    }

    /// A line for each step.
    pub(crate) fn describe(&self) -> String {
        self.steps.iter().map(|(number, step)| format!("{number:>5}  {step:?}\n")).collect()
    }

    /// A chance that is this step's own.
    pub(super) fn chance_of(&self, number: usize) -> Chance {
        let mut chance = Chance::new(self.seed);
        Chance::new(chance.number() ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}
