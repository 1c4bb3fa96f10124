//! `stockhold simulate`: the engine under crashes, faults and time travel, from seeds.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::panic;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::base::error::{Error, Result};
use crate::process::print;
use crate::trials::simulate::{self, Plan};

#[derive(Args)]
pub(super) struct SimulateArgs {
    /// The first seed
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// How many seeds to run, one after the other
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    seeds: u64,
    /// On how many threads; each seed has one to itself [default: one a processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Take these steps of one seed alone, as in 3,17-20: what is left of a failing one after
    /// shrinking
    #[arg(long, value_name = "LIST", value_parser = parse_steps, conflicts_with = "seeds")]
    steps: Option<BTreeSet<usize>>,
}

pub(super) fn simulate(args: &SimulateArgs) -> Result<ExitCode> {
    let hook = panic::take_hook();
    // A panic of the engine is a finding, and told of as one.
    panic::set_hook(Box::new(|_| {}));
    let outcome = match &args.steps {
        Some(steps) => replay(args.seed, steps),
        None => hunt(args),
    };
    panic::set_hook(hook);
    outcome
}

/// Runs many seeds, and shrinks the first that fails.
fn hunt(args: &SimulateArgs) -> Result<ExitCode> {
    let end = args.seed.checked_add(args.seeds);
    let end = end.ok_or_else(|| {
        Error::invalid("--seed and --seeds together are too high: choose a lower --seed")
    })?;
    let threads =
        args.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let started = Instant::now();
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {per_sec}, {eta} left");
    let style = style.map_err(|cause| Error::unavailable("the progress bar").with_source(cause))?;
    let bar = ProgressBar::new(args.seeds).with_style(style);
    let runs = simulate::run_many(args.seed..end, threads, &|| bar.inc(1));
    let seeds = bar.position();
    bar.finish_and_clear();
    print(&format!(
        "{seeds} seeds from {} in {:.1} s\n{}journals {}\n",
        args.seed,
        started.elapsed().as_secs_f64(),
        runs.counts,
        runs.journals()
    ))?;
    match runs.failure {
        None => Ok(ExitCode::SUCCESS),
        Some((seed, failure)) => {
            print(&format!(
                "\nseed {seed} fails at {failure}\nleaving out what it does not need...\n"
            ))?;
            let (plan, failure) = simulate::shrink(&Plan::new(seed), failure);
            print(&told(seed, &plan, &failure))?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Takes some steps of one seed, and prints them.
fn replay(seed: u64, steps: &BTreeSet<usize>) -> Result<ExitCode> {
    let plan = Plan::new(seed).keep(steps);
    let run = simulate::run(&plan);
    print(&format!("{}trace {:016x}\n", plan.describe(), run.trace))?;
    match run.failure {
        None => print("nothing fails\n").map(|()| ExitCode::SUCCESS),
        Some(failure) => print(&told(seed, &plan, &failure)).map(|()| ExitCode::FAILURE),
    }
}

fn told(seed: u64, plan: &Plan, failure: &str) -> String {
    let steps = list_steps(&plan.numbers());
    format!(
        "\n{failure}\nwith these steps:\n{}\nreplay it with\n  stockhold simulate --seed {seed} --steps {steps}\n",
        plan.describe()
    )
}

/// Numbers and ranges of them, separated by commas.
fn parse_steps(list: &str) -> Result<BTreeSet<usize>, String> {
    let mut steps = BTreeSet::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.parse::<usize>().ok().filter(|number| *number < 1_000_000);
        match (number(first), number(last)) {
            (Some(first), Some(last)) => steps.extend(first..=last),
            _ => {
                return Err(format!(
                    "{part:?} is neither a number of a step nor a range as in 17-20"
                ));
            }
        }
    }
    Ok(steps)
}

fn list_steps(steps: &BTreeSet<usize>) -> String {
    let mut list = String::new();
    let mut rest = steps.iter().copied().peekable();
    while let Some(first) = rest.next() {
        let mut last = first;
        while let Some(next) = rest.next_if_eq(&(last + 1)) {
            last = next;
        }
        let separator = if list.is_empty() { "" } else { "," };
        let written = match first == last {
            true => write!(list, "{separator}{first}"),
            false => write!(list, "{separator}{first}-{last}"),
        };
        written.expect("a string takes everything");
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_steps_read_back() {
        for list in ["0", "3,17-20", "1-2,4,6-9"] {
            assert_eq!(list_steps(&parse_steps(list).expect("it is a list")), list);
        }
        for list in ["", "a", "3-", "-3", "1,,2", "99999999999"] {
            assert!(parse_steps(list).is_err(), "{list}");
        }
    }
}
