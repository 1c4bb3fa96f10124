//! `stockhold catalogue import`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::lines::json_lines;
use super::{Format, read};
use crate::base::error::{Error, Result};
use crate::cli::audit::Progress;
use crate::engine::Engine;
use crate::http::sheet::catalogue::{COLUMNS, entry};
use crate::http::sheet::{Lines, rows};
use crate::mall::{Entry, Import, Imported, Mall, MallConfig, Refused, User};
use crate::process::print;
use crate::settings::{Flags, OfData};

/// The exit code of an import that left lines out.
const LEFT: u8 = 2;

#[derive(Args)]
pub(super) struct ImportArgs {
    /// JSON lines, or CSV where its name ends so; `-` is standard input
    file: PathBuf,
    /// How the file is written, whatever its name
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write what is good and leave out what is not; otherwise one wrong line refuses the file
    #[arg(long)]
    keep_going: bool,
    /// Look at the whole file, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Who imports, as the records show it
    #[arg(long, default_value = "import", value_name = "NAME")]
    operator: String,
    #[command(flatten)]
    settings: Flags<OfData>,
}

pub(super) fn import(args: &ImportArgs) -> Result<ExitCode> {
    let config = args.settings.settings()?;
    User::new(&args.operator)?;
    // All of it is read before anything is opened or written.
    let file = read(&args.file)?;
    let lines = match Format::of(args.format, &args.file) {
        Format::Jsonl => json_lines(file, entry)?,
        Format::Csv => rows(file, COLUMNS, entry)?,
    };
    let engine = Engine::builder(&config.data_dir).open()?;
    let imported = write(&engine, args, lines);
    engine.close()?;
    let Imported { written, unchanged, refused } = imported?;
    for Refused { line, why } in &refused {
        print(&format!("line {line}: {why}\n"))?;
    }
    if !args.keep_going && !refused.is_empty() {
        let count = refused.len();
        return Err(Error::invalid(format!("{count} lines are refused, and nothing was written")));
    }
    let verb = if args.dry_run { "would be written" } else { "written" };
    print(&format!("{written} {verb}, {unchanged} unchanged, {} refused\n", refused.len()))?;
    Ok(if refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(LEFT) })
}

fn write(engine: &Engine, args: &ImportArgs, lines: Lines<Entry>) -> Result<Imported> {
    let (mut entries, mut wrong) = (Vec::with_capacity(lines.len()), Vec::new());
    for (line, entry) in lines {
        match entry {
            Ok(entry) => entries.push((line, entry)),
            Err(why) => wrong.push(Refused { line, why }),
        }
    }
    let mall = Mall::open(engine.clone(), MallConfig::default())?;
    let import = Import {
        entries,
        is_refused: !wrong.is_empty(),
        by: &args.operator,
        keep_going: args.keep_going,
        dry_run: args.dry_run,
    };
    let progress = Progress::new("documents");
    let mut imported = mall.import(import, |done, total| progress.at(done, total))?;
    imported.refused.extend(wrong);
    imported.refused.sort_by_key(|refused| refused.line);
    Ok(imported)
}
