//! `stockhold recommend`: how well recommendations foresee what users take.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::base::error::{Error, Result};
use crate::process::print;
use crate::trials::evaluate::{self, History};

/// The longest file that is read.
const FILE_BYTES_MAX: u64 = 64 << 20;

#[derive(Args)]
pub(super) struct RecommendArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Lead a mall through a history of exchanges, and count how often it foresees the last one of each
    /// user, beside a list of what sells
    Evaluate(EvaluateArgs),
}

#[derive(Args)]
struct EvaluateArgs {
    #[command(flatten)]
    source: Source,
    /// How many products a list has
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u8).range(1..=20))]
    at: u8,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// A CSV file with the columns user, item and time, and perhaps category and price
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// A history that is made from this number
    #[arg(long, value_name = "SEED")]
    generated: Option<u64>,
}

pub(super) fn recommend(args: &RecommendArgs) -> Result<()> {
    let Act::Evaluate(args) = &args.act;
    let history = match (&args.source.data, args.source.generated) {
        (Some(path), _) => read(path)?,
        (None, seed) => History::generated(seed.unwrap_or_default()),
    };
    let found = evaluate::evaluate(&history, usize::from(args.at))?;
    if !args.json {
        return print(&found.text());
    }
    let json = serde_json::to_string_pretty(&found)
        .map_err(|cause| Error::unavailable("writing JSON").with_source(cause))?;
    print(&format!("{json}\n"))
}

#[allow(clippy::disallowed_methods, reason = "a user's file, not the engine's")]
fn read(path: &Path) -> Result<History> {
    let shown = path.display().to_string();
    let failed = |cause| Error::io(shown.clone(), cause);
    let file = std::fs::File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() > FILE_BYTES_MAX {
        return Err(Error::invalid(format!("{shown} has more than {FILE_BYTES_MAX} bytes")));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Whatever it became meanwhile, and whatever kind of file it is.
    History::read(&name, file.take(FILE_BYTES_MAX))
        .map_err(|error| Error::invalid(format!("{shown}: {error}")))
}
