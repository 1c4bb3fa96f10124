//! `stockhold report`: what happened in a day or in a week, as a table, a page, or for programs.

mod ask;
mod page;
mod rows;
mod text;

pub(super) use ask::{at_home, near};

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use crate::base::error::{Error, ErrorKind, Result};
use crate::mall::{Mall, Report, ReportPeriod, Span};
use crate::process::print;
use crate::reader::DirectoryReader;
use crate::settings::{Config, Flags, OfReport};

#[derive(Args)]
pub(super) struct ReportArgs {
    #[command(subcommand)]
    of: Of,
}

#[derive(Subcommand)]
enum Of {
    /// Of a day
    Daily {
        /// Which day, as in 2026-11-28
        #[arg(long)]
        date: String,
        #[command(flatten)]
        how: HowArgs,
    },
    /// Of a week that begins on a Monday
    Weekly {
        /// Which week, as in 2026-W48
        #[arg(long)]
        week: String,
        #[command(flatten)]
        how: HowArgs,
    },
}

#[derive(Args)]
struct HowArgs {
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Ask the server at this address [default: where the settings let it listen, when one has the
    /// directory]
    #[arg(long, value_name = "IP:PORT")]
    server: Option<SocketAddr>,
    #[command(flatten)]
    settings: Flags<OfReport>,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// An object, for programs
    Json,
    /// A line for each figure, for spreadsheets
    Csv,
    /// For terminals and mail
    Text,
    /// A page with plots, to look at and to print
    Html,
}

impl Format {
    /// The report as it is written.
    pub(super) fn write(self, report: &Report) -> Result<String> {
        match self {
            Self::Json => {
                serde_json::to_string_pretty(report).map(|it| it + "\n").map_err(|cause| {
                    Error::unavailable("the report cannot be written").with_source(cause)
                })
            }
            Self::Csv => Ok(rows::csv(report)),
            Self::Text => Ok(text::text(report)),
            Self::Html => page::page(report),
        }
    }
}

pub(super) fn report(args: &ReportArgs) -> Result<ExitCode> {
    let (span, name, how) = match &args.of {
        Of::Daily { date, how } => (Span::Daily, date, how),
        Of::Weekly { week, how } => (Span::Weekly, week, how),
    };
    let config = how.settings.settings()?;
    // What is no day is refused before anything is opened.
    let period = ReportPeriod::parse(span, name, &config.mall.time_zone)?;
    let report = match how.server {
        Some(server) => ask::ask(&config, server, &period)?,
        None => look(config, &period)?,
    };
    print(&how.format.write(&report)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Of a directory that no server has open; otherwise the server is asked.
fn look(mut config: Config, period: &ReportPeriod) -> Result<Report> {
    // Opening would make a directory that is not there.
    DirectoryReader::open(&config.data_dir)?;
    let engine = match config.take_engine().open() {
        Err(error) if error.kind() == ErrorKind::AlreadyOpen => {
            return ask::ask(&config, ask::at_home(&config)?, period);
        }
        opened => opened?,
    };
    let made = Mall::open(engine.clone(), config.mall).and_then(|mall| mall.report(period));
    let closed = engine.close();
    let report = made?;
    closed.map(|()| report)
}
