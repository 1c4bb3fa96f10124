//! `stockhold soak`: a real server under load that is killed, stopped and starved, and held to
//! every promise.

mod acts;
mod ask;
mod caller;
mod check;
mod choices;
mod counts;
mod disk;
mod done;
mod gauge;
mod holdings;
mod invent;
mod known;
mod learn;
mod life;
mod line;
mod look;
mod outcomes;
mod place;
mod products;
mod progress;
mod report;
mod run;
mod server;
mod soaked;
mod stall;
mod states;
mod stocks;
mod store;
mod trouble;
mod units;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use self::run::Soak;
use crate::base::error::{Error, Result};
use crate::process::{print, runtime};
use crate::trials::bench;

pub(crate) use soaked::soaked;

#[derive(Args)]
pub(crate) struct SoakArgs {
    /// For how long
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_080))]
    minutes: u64,
    /// For how long, in seconds instead; every trouble is tried once however short that is
    #[arg(long, value_name = "N", conflicts_with = "minutes", value_parser = clap::value_parser!(u64).range(1..=604_800))]
    seconds: Option<u64>,
    /// Repeats the requests and the troubles of a run, as far as the machine's timing allows
    /// [default: at random]
    #[arg(long)]
    seed: Option<u64>,
    /// How many connections ask
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: u32,
    /// How many requests they send in a second, all together
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Where to keep files meanwhile; they stay when something is wrong [default: the directory for
    /// temporary files, unless that is in memory]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Lets the server make a deliberate mistake, which must be seen
    #[cfg(feature = "test-util")]
    #[arg(long, hide = true, value_name = "NAME")]
    mistake: Option<String>,
}

impl SoakArgs {
    /// What the server is to do wrong: nothing, but for a test of the soak itself.
    #[cfg(feature = "test-util")]
    fn mistake(&self) -> Option<&str> {
        self.mistake.as_deref()
    }

    #[cfg(not(feature = "test-util"))]
    fn mistake(&self) -> Option<&str> {
        None
    }

    fn seconds(&self) -> u64 {
        self.seconds.unwrap_or(self.minutes * 60)
    }
}

pub(crate) fn soak(args: &SoakArgs) -> Result<ExitCode> {
    let parent = args.dir.clone().unwrap_or_else(bench::scratch_dir);
    let made = tempfile::Builder::new().prefix("stockhold-soak-").tempdir_in(&parent);
    let dir = made
        .map_err(|cause| Error::io(format!("making a directory in {}", parent.display()), cause))?;
    // Declared after the directory, so that it ends before, with every task that works in it.
    let runtime = runtime()?;
    let report = runtime.block_on(async {
        let caught = signal(SignalKind::interrupt());
        let mut interrupt = caught.map_err(|cause| Error::io("catching signals", cause))?;
        tokio::select! {
            report = Soak::run(args, dir.path()) => report,
            _ = interrupt.recv() => Err(Error::unavailable("the soak was interrupted")),
        }
    })?;
    let text = if args.json { to_json(&report)? } else { report.to_string() };
    print(&format!("{text}\n"))?;
    if report.holds() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("stockhold: its files stay in {}", dir.keep().display());
    Ok(ExitCode::FAILURE)
}

fn to_json(report: &report::Report) -> Result<String> {
    serde_json::to_string(report)
        .map_err(|cause| Error::unavailable("the report cannot be written").with_source(cause))
}
