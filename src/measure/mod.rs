//! Measuring what `docs/benchmarks.md` promises, on the machine at hand: `stockhold bench`.
//!
//! Every case opens an engine of its own in an empty directory, through the public API. Figures of one run can be
//! compared with each other and with the disk's sync rate, which is measured first; figures of two runs only when
//! nothing else used the processor in either.

mod codec;
mod durable;
mod lapse;
mod machine;
mod memory;
mod reopen;
mod report;
mod stage;

use std::io::Write;
use std::path::Path;

use self::report::Report;
use crate::error::{Error, Result};

/// Measures one thing and reports it.
type Case = fn(&Path, &mut Report<'_>) -> Result<()>;

/// Each under ten seconds.
const CASES: [(&str, Case); 12] = [
    ("sync", durable::sync_rate),
    ("pair", memory::pair),
    ("hot", memory::hot),
    ("sold-out", memory::sold_out),
    ("batch", durable::batch),
    ("callers", durable::callers),
    ("one", durable::one_caller),
    ("lapse", lapse::lapse),
    ("replay", reopen::replay),
    ("snapshot", reopen::snapshot),
    ("bytes", memory::bytes),
    ("bytes-exchange", memory::bytes_exchange),
];

/// Named only: it compares encodings, not Stockhold with a target.
const HIDDEN: [(&str, Case); 1] = [("codec", codec::compare)];

/// The names of the cases, in the order in which they run.
pub fn names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|(name, _)| *name)
}

/// Measures every case, or the one named `only`, and writes a table to `out` as it goes. Files are made in a new
/// directory in `dir` and removed; without `dir`, in the system's directory for temporary files, or in the current one
/// where that is in memory.
///
/// # Errors
/// `Invalid` for a case that does not exist, and whatever the engine or the disk says.
pub fn run(dir: Option<&Path>, only: Option<&str>, out: &mut dyn Write) -> Result<()> {
    let chosen: Vec<_> = match only {
        None => CASES.to_vec(),
        Some(only) => CASES.into_iter().chain(HIDDEN).filter(|(name, _)| *name == only).collect(),
    };
    if chosen.is_empty() {
        let names: Vec<_> = names().collect();
        return Err(Error::invalid(format!("there is no case of that name; there are {}", names.join(", "))));
    }
    let dir = dir.map_or_else(machine::scratch_dir, Path::to_owned);
    let mut report = Report::new(out);
    report.head(&dir)?;
    for (name, case) in chosen {
        let scratch = machine::Scratch::new(&dir)?;
        report.case(name);
        case(scratch.path(), &mut report)?;
    }
    Ok(())
}
