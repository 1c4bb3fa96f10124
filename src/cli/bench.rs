//! `stockhold bench`: speed and memory, as a table.

use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use serde::Serialize;

use crate::base::error::{Error, Result};
use crate::trials::bench::{self, CASES, Figure, Row};

#[derive(Args)]
pub(super) struct BenchArgs {
    /// What to measure [default: everything]
    #[arg(value_name = "CASE", value_parser = cases())]
    cases: Vec<String>,
    /// How often; the table shows the median, the least and the most
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// For the case mirror: an empty database, as mysql://USER:PASSWORD@HOST:PORT/DATABASE
    /// [default: a MariaDB server of its own, where there is one] [env: STOCKHOLD_BENCH_MYSQL_URL]
    #[arg(long, value_name = "URL")]
    mysql_url: Option<String>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Where to keep files meanwhile [default: the directory for temporary files, unless that is in
    /// memory]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Measure one case in this process, and print its figures for the process that asked
    #[arg(long, hide = true)]
    child: bool,
}

fn cases() -> PossibleValuesParser {
    CASES
        .iter()
        .map(|case| PossibleValue::new(case.name).help(case.about))
        .collect::<Vec<_>>()
        .into()
}

/// What `--json` prints.
#[derive(Serialize)]
struct Results {
    machine: String,
    runs: u32,
    figures: Vec<Row>,
}

pub(super) fn bench(args: &BenchArgs) -> Result<()> {
    let dir = args.dir.clone().unwrap_or_else(bench::scratch_dir);
    if args.child {
        return child(args, &dir);
    }
    let machine = bench::facts();
    let names = CASES.iter().map(|case| case.name);
    let names =
        names.filter(|name| args.cases.is_empty() || args.cases.iter().any(|case| case == name));
    let mut figures = Vec::new();
    for name in names {
        let mut runs = Vec::new();
        for run in 1..=args.runs {
            if stderr().is_terminal() {
                eprintln!("{name}, run {run} of {}", args.runs);
            }
            runs.push(apart(args, name, &dir)?);
        }
        figures.extend(Row::of_runs(name, &runs));
    }
    if args.json {
        println!("{}", to_json(&Results { machine, runs: args.runs, figures })?);
    } else {
        println!(
            "{machine}\nfiles in {}, runs: {}\n\n{}",
            dir.display(),
            args.runs,
            bench::table(&figures)
        );
    }
    Ok(())
}

/// Measures a case in a process of its own: what the one before left in the allocator is not in its
/// figures.
fn apart(args: &BenchArgs, name: &str, dir: &Path) -> Result<Vec<Figure>> {
    let failed = |cause| Error::io(format!("measuring {name}"), cause);
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.args(["bench", name, "--child", "--dir"]).arg(dir).stderr(Stdio::inherit());
    // Where others do not see its password.
    if let Some(url) = &args.mysql_url {
        command.env(bench::MIRROR_URL, url);
    }
    let output = command.output().map_err(failed)?;
    if !output.status.success() {
        return Err(Error::unavailable(format!("measuring {name} failed")));
    }
    serde_json::from_slice(&output.stdout).map_err(|cause| {
        Error::unavailable(format!("measuring {name} printed no figures")).with_source(cause)
    })
}

fn child(args: &BenchArgs, dir: &Path) -> Result<()> {
    let [name] = &args.cases[..] else {
        return Err(Error::invalid("one case is measured at a time"));
    };
    println!("{}", to_json(&bench::run(name, dir)?)?);
    Ok(())
}

fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|cause| Error::unavailable("figures cannot be written").with_source(cause))
}
