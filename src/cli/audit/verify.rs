//! `stockhold verify`: an audit of a data directory, as a table or for machines.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::progress::Progress;
use super::table::table;
use super::time::show_time;
use crate::audit::{self, Audit, AuditConfig, Audited, Finding, Kind, OLD_KEYS_MAX};
use crate::base::error::{Error, Result};
use crate::engine::files::newer;
use crate::process::print;
use crate::vfs::RealVfs;

#[derive(Args)]
pub(in crate::cli) struct VerifyArgs {
    /// The data directory; a server may be running on it
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// How many keyed requests the engine remembered up to 0.1.0; after that many newer ones a key
    /// might be used again
    #[arg(long, value_name = "N", default_value_t = OLD_KEYS_MAX)]
    idempotency_keys: usize,
    /// Leave history out
    #[arg(long)]
    no_history: bool,
    /// Where to copy history for reading it [default: the directory for temporary files]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    dir: &'a std::path::Path,
    clean: bool,
    exit_code: u8,
    audited: &'a Audited,
    checks: Vec<Check>,
    /// The first of each kind.
    findings: &'a [Finding],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    kind: Kind,
    exit_code: u8,
    findings: u64,
}

pub(in crate::cli) fn verify(args: &VerifyArgs) -> Result<ExitCode> {
    let scratch = if args.no_history { None } else { Some(scratch_dir(args)?) };
    // What this program does not know it would take for damage.
    newer::check(&RealVfs, &args.dir)?;
    let scratch_path = scratch.as_ref().map(|dir| dir.path().to_owned());
    let config = AuditConfig { keys_max: args.idempotency_keys, scratch: scratch_path };
    let audit = {
        let progress = Progress::new("records");
        audit::audit(&RealVfs, &args.dir, &config, &mut |done, total| progress.at(done, total))?
    };
    let exit_code = audit.findings.worst().map_or(0, Kind::exit_code);
    let text = if args.json { json(args, &audit, exit_code)? } else { human(args, &audit) };
    print(&text)?;
    Ok(ExitCode::from(exit_code))
}

fn scratch_dir(args: &VerifyArgs) -> Result<tempfile::TempDir> {
    let made = match &args.scratch {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    };
    made.map_err(|cause| Error::io("making a directory for a copy of history", cause))
}

fn json(args: &VerifyArgs, audit: &Audit, exit_code: u8) -> Result<String> {
    let check = |kind: Kind| Check {
        kind,
        exit_code: kind.exit_code(),
        findings: audit.findings.count(kind),
    };
    let report = Report {
        dir: &args.dir,
        clean: exit_code == 0,
        exit_code,
        audited: &audit.audited,
        checks: Kind::ALL.into_iter().map(check).collect(),
        findings: audit.findings.told(),
    };
    let written = serde_json::to_string(&report);
    written
        .map(|text| text + "\n")
        .map_err(|cause| Error::unavailable("the report cannot be written").with_source(cause))
}

fn human(args: &VerifyArgs, audit: &Audit) -> String {
    let (audited, findings) = (&audit.audited, &audit.findings);
    let mut text = format!("{}\n\n", args.dir.display());
    for (name, value) in looked_at(audited) {
        text.push_str(&format!("  {name:<10} {value}\n"));
    }
    for note in &audited.notes {
        text.push_str(&format!("  note       {note}\n"));
    }
    let rows: Vec<[String; 4]> = Kind::ALL
        .into_iter()
        .map(|kind| {
            let (count, code) = (findings.count(kind), kind.exit_code());
            let verdict = if count == 0 { "ok".to_owned() } else { count.to_string() };
            [kind.name().to_owned(), kind.promise().to_owned(), verdict, code.to_string()]
        })
        .collect();
    text.push('\n');
    text.push_str(&table(["check", "what holds", "found", "exit"], &[2, 3], &rows));
    for finding in findings.told() {
        text.push_str(&format!("\n{}: {}", finding.kind.name(), place(finding)));
    }
    text.push_str(match findings.worst() {
        None => "\nEverything holds.\n",
        Some(_) => "\n\nDo not change the directory. Copy it whole, then see docs/operations.md.\n",
    });
    text
}

fn looked_at(audited: &Audited) -> [(&'static str, String); 5] {
    let last = if audited.entered > 0 {
        format!(", to {}", show_time(audited.last_at))
    } else {
        String::new()
    };
    [
        (
            "records",
            format!(
                "{} to {}, {} recomputed{last}",
                audited.first_seq, audited.last_seq, audited.entered
            ),
        ),
        ("files", format!("{} archived, {} segments", audited.archive_files, audited.segments)),
        ("snapshots", format!("{}, {} parts compared", audited.snapshots, audited.snapshot_parts)),
        (
            "ledger",
            format!("{} accounts, {} pending reservations", audited.accounts, audited.pending),
        ),
        (
            "history",
            audited.history.map_or("not compared".into(), |(first, last)| {
                format!("records {first} to {last}")
            }),
        ),
    ]
}

fn place(finding: &Finding) -> String {
    match (finding.seq, &finding.file, finding.offset) {
        (Some(seq), _, _) => format!("record {seq}: {}", finding.what),
        (None, Some(file), Some(offset)) => {
            format!("{} at byte {offset}: {}", file.display(), finding.what)
        }
        _ => finding.what.clone(),
    }
}
