//! Measuring what `docs/benchmarks.md` promises, on the machine at hand: `stockhold bench`.
//!
//! Every case opens an engine of its own in an empty directory, through the public API. Figures of
//! one run can be compared with each other and with the limits measured in it; figures of two runs
//! only when nothing else used the processor in either.

mod catalogue;
mod codec;
#[cfg(feature = "mysql")]
mod dbserver;
mod durable;
mod figures;
mod handover;
mod http;
mod lapse;
mod limit;
mod machine;
mod memory;
#[cfg(feature = "mysql")]
mod mirror;
mod peers;
mod reopen;
mod stage;

use std::path::Path;

use self::figures::Figures;
use crate::base::error::{Error, Result};

pub(crate) use figures::{Figure, Row, table};
pub(crate) use machine::{descriptors_of, facts, resident_bytes_of, scratch_dir};

/// Names the database of the case `mirror`, for the process that measures it.
pub(crate) const MIRROR_URL: &str = "STOCKHOLD_BENCH_MYSQL_URL";

/// A group of figures that are measured together, in ten seconds or so.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    measure: fn(&Path, &mut Figures) -> Result<()>,
}

const fn case(
    name: &'static str,
    about: &'static str,
    measure: fn(&Path, &mut Figures) -> Result<()>,
) -> Case {
    Case { name, about, measure }
}

/// In the order in which they run.
pub(crate) const CASES: &[Case] = &[
    case("limits", "What the machine allows: disk syncs, compare-and-swap, a lock", limit::limits),
    case("pair", "Reserve and confirm in memory, one thread", memory::pair),
    case("hot", "Reserves of one product in memory, all cores", memory::hot),
    case("sold-out", "Refusals of a sold-out product, all cores", memory::sold_out),
    case("batch", "Durable batches of 1,000, one caller", durable::batch),
    case("callers", "Durable reserve and confirm, 256 callers one at a time", durable::callers),
    case("one", "Durable reserve and confirm, one caller", durable::one_caller),
    case("http", "The exchange over HTTP against a bare echo, 64 connections", http::http),
    case(
        "sustained",
        "The exchange over HTTP for a minute, and what history costs meanwhile",
        http::sustained,
    ),
    case(
        "overload",
        "Ten times the exchanges over HTTP that can be done, on one processor; the load on another",
        http::overload,
    ),
    case(
        "watchers",
        "The exchange over HTTP, with 5,000 open streams of the stock that is sold, and without",
        http::watchers,
    ),
    case("metrics", "The exchange over HTTP, counted and scraped, and not", http::metrics),
    case(
        "catalogue",
        "A catalogue of 100,000 products: imported, changed, and looked through",
        catalogue::catalogue,
    ),
    case(
        "handover",
        "How long clients wait while a server takes over, with 120,000 accounts",
        handover::handover,
    ),
    case("lapse", "A million reservations that lapse in the same millisecond", lapse::lapse),
    case("replay", "Opening after a crash: events replayed", reopen::replay),
    case("snapshot", "Opening from a checkpoint of a million live reservations", reopen::snapshot),
    case("bytes", "Memory of a live reservation of one line", memory::bytes),
    case(
        "bytes-exchange",
        "Memory of a live reservation of points, quota and stock",
        memory::bytes_exchange,
    ),
    #[cfg(feature = "mysql")]
    case(
        "mirror",
        "Rows into MySQL or MariaDB, and how late they are there; needs a server",
        mirror::mirror,
    ),
    case("codec", "The journal's fixed layout against MessagePack", codec::compare),
];

/// Measures the case `name`. Files are made in a new directory in `dir`, and removed.
///
/// # Errors
/// `Invalid` for a case that does not exist, and whatever the engine or the disk says.
pub(crate) fn run(name: &str, dir: &Path) -> Result<Vec<Figure>> {
    let case = CASES.iter().find(|case| case.name == name);
    let case = case.ok_or_else(|| Error::invalid(format!("there is no case {name}")))?;
    let scratch = machine::Scratch::new(dir)?;
    let mut figures = Figures::default();
    (case.measure)(scratch.path(), &mut figures)?;
    Ok(figures.0)
}
