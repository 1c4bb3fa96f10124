//! `stockhold mirror`: the tables, how far they are, making them anew, and holding them against the
//! ledger.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::audit::show_time;
use crate::base::TimeMs;
use crate::base::error::{Error, Result};
use crate::process::print;
use crate::settings::{Flags, OfMirror};
use crate::sink::{self as mirror, Checked, Database, TablesStatus};

/// The exit code of a check that found differences.
const DIFFERENT: u8 = 2;

#[derive(Args)]
pub(crate) struct MirrorArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bring the tables up to date
    Migrate {
        #[command(flatten)]
        target: TargetArgs,
        /// Print the SQL, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Print the SQL of views in the names of the mall's document, for tables that have a prefix
    Views(TargetArgs),
    /// Say how far the tables are
    Status {
        #[command(flatten)]
        target: TargetArgs,
        /// As one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Make the tables anew from the ledger; a server that mirrors waits meanwhile, and sells on
    Reload {
        #[command(flatten)]
        target: TargetArgs,
        /// Take the database from the ledger whose mirror it is
        #[arg(long)]
        adopt: bool,
    },
    /// Compare the tables with the ledger at the same event; exits with 2 when they differ
    Check(TargetArgs),
}

/// Where the ledger and its mirror are.
#[derive(Args)]
struct TargetArgs {
    #[command(flatten)]
    settings: Flags<OfMirror>,
}

impl TargetArgs {
    fn settings(&self) -> Result<(PathBuf, Database)> {
        let config = self.settings.settings()?;
        let mirror = config.mirror().ok_or_else(|| {
            Error::invalid(
                "there is no database: set STOCKHOLD_MIRROR_URL, or mirror_url in the configuration file, or --mirror-url",
            )
        })?;
        Ok((config.data_dir, mirror.database))
    }
}

pub(crate) fn mirror(args: &MirrorArgs) -> Result<ExitCode> {
    match &args.command {
        Command::Migrate { target, dry_run } => migrate(target, *dry_run),
        Command::Views(target) => views(target),
        Command::Status { target, json } => status(target, *json),
        Command::Reload { target, adopt } => reload(target, *adopt),
        Command::Check(target) => check(target),
    }
}

fn migrate(target: &TargetArgs, dry_run: bool) -> Result<ExitCode> {
    let (_, database) = target.settings()?;
    if dry_run {
        for statement in mirror::dry_run(&database)? {
            print(&format!("{statement};\n"))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let made = mirror::migrate(&database)?;
    for name in &made {
        print(&format!("made: {name}\n"))?;
    }
    if made.is_empty() {
        print("the tables are up to date\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn views(target: &TargetArgs) -> Result<ExitCode> {
    let (_, database) = target.settings()?;
    let (statements, taken) = mirror::views(&database)?;
    for statement in statements {
        print(&format!("{statement};\n"))?;
    }
    for name in taken {
        print(&format!("-- {name} is a table already\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn status(target: &TargetArgs, json: bool) -> Result<ExitCode> {
    let (dir, database) = target.settings()?;
    let status = mirror::status(&dir, &database)?;
    print(&if json { format!("{}\n", as_json(&status)) } else { as_text(&status) })?;
    Ok(ExitCode::SUCCESS)
}

fn reload(target: &TargetArgs, adopt: bool) -> Result<ExitCode> {
    let (dir, database) = target.settings()?;
    let bar = bar("events");
    let reloaded =
        mirror::reload(&dir, &database, adopt, &mut |done, total| show(&bar, done, total))?;
    bar.finish_and_clear();
    let begun =
        if reloaded.resumed { "went on with a reload that was cut short" } else { "reloaded" };
    print(&format!(
        "{begun}: events {} to {}, {} rows, {} set aside\n",
        reloaded.from_seq, reloaded.through, reloaded.rows, reloaded.rejected
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn check(target: &TargetArgs) -> Result<ExitCode> {
    let (dir, database) = target.settings()?;
    let bar = bar("events");
    // What cannot be printed is counted all the same.
    let mut told = |difference: &str| bar.suspend(|| drop(print(&format!("{difference}\n"))));
    let checked =
        mirror::check(&dir, &database, &mut told, &mut |done, total| show(&bar, done, total))?;
    bar.finish_and_clear();
    let Checked { seq, from_seq, accounts, orders, records, differences, set_aside } = checked;
    if from_seq > 1 {
        print(&format!(
            "records and orders are compared from event {from_seq} on: older events are not kept\n"
        ))?;
    }
    print(&format!(
        "compared at event {seq}: {accounts} accounts, {orders} orders, {records} records: {differences} differences, \
         {set_aside} of rows that are set aside\n"
    ))?;
    Ok(if differences == 0 { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENT) })
}

/// A progress bar on standard error, where that is a terminal.
fn bar(unit: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let template =
        format!("{{bar:40}} {{human_pos}} of {{human_len}} {unit}, {{per_sec}}, {{eta}} left");
    bar.set_style(
        ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar
}

fn show(bar: &ProgressBar, done: u64, total: u64) {
    bar.set_length(total);
    bar.set_position(done);
}

fn as_json(status: &TablesStatus) -> serde_json::Value {
    serde_json::json!({
        "database": status.database,
        "phase": status.phase,
        "ledgerId": status.ledger_id,
        "seq": status.watermark,
        "eventAt": status.event_at,
        "mirroredAt": status.mirrored_at,
        "lastSeq": status.last_seq,
        "lagEvents": status.lag_events,
        "lagMs": status.lag_ms,
        "rejectedRows": status.rejected,
        "lastError": status.last_error,
        "lastErrorAt": status.last_error_at,
    })
}

fn as_text(status: &TablesStatus) -> String {
    let lag = match (status.lag_events, status.lag_ms) {
        (0, _) => "nothing".to_owned(),
        (events, Some(ms)) => format!("{events} events, {}.{:03} s", ms / 1_000, ms % 1_000),
        (events, None) => {
            format!("{events} events, which are not kept any more: run `stockhold mirror reload`")
        }
    };
    let error = match (&status.last_error, status.last_error_at) {
        (Some(error), at) => format!("{error} ({})", time(at)),
        (None, _) => "none".to_owned(),
    };
    format!(
        "database    {}\nledger      {}\nphase       {}\nmirrored    to event {} of {}\n            it happened {}, and \
         was mirrored {}\nbehind      {lag}\nset aside   {} rows\nlast error  {error}\n",
        status.database,
        status.ledger_id,
        status.phase,
        status.watermark,
        status.last_seq,
        time(status.event_at),
        time(status.mirrored_at),
        status.rejected,
    )
}

fn time(at: Option<TimeMs>) -> String {
    at.map_or_else(|| "never".to_owned(), show_time)
}
