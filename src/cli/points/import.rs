//! `stockhold points import`.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::lines;
use crate::base::error::{Error, Result};
use crate::cli::audit::Progress;
use crate::cli::catalogue::{Format, read};
use crate::engine::Engine;
use crate::mall::{
    AGAIN_WITHIN_MS, BATCH_LINES_MAX, Mall, MallConfig, PointsApplied, PointsBatch, Refused, User,
};
use crate::process::print;
use crate::settings::{Flags, OfPoints};

/// The exit code of an import that left lines out.
const LEFT: u8 = 2;
/// How many keys may be remembered: those of several batches of the largest size.
const KEYS_MAX: usize = 8 * BATCH_LINES_MAX;

#[derive(Args)]
pub(super) struct ImportArgs {
    /// JSON lines, or CSV where its name ends so; `-` is standard input
    file: PathBuf,
    /// How the file is written, whatever its name
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// What the batch is called: of one name, nothing is applied twice. By default it follows from
    /// what the file holds
    #[arg(long, value_name = "NAME")]
    batch: Option<String>,
    /// Apply what is good and leave out what is not; otherwise one wrong line refuses the file
    #[arg(long)]
    keep_going: bool,
    /// Look at the whole file, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Who imports, as the records show it
    #[arg(long, default_value = "import", value_name = "NAME")]
    operator: String,
    #[command(flatten)]
    settings: Flags<OfPoints>,
}

pub(super) fn import(args: &ImportArgs) -> Result<ExitCode> {
    let config = args.settings.settings()?;
    User::new(&args.operator)?;
    // All of it is read before anything is opened or changed.
    let mut file = Vec::new();
    read(&args.file)?
        .read_to_end(&mut file)
        .map_err(|cause| Error::io(format!("reading {}", args.file.display()), cause))?;
    let digest = blake3::hash(&file).to_hex();
    let name = args.batch.clone().unwrap_or_else(|| format!("file-{}", &digest[..32]));
    User::new(&name).map_err(|error| Error::invalid(format!("--batch: {error}")))?;
    let lines = lines::read(&file, Format::of(args.format, &args.file))?;
    drop(file);
    if lines.len() > BATCH_LINES_MAX {
        return Err(Error::invalid(format!("a batch has at most {BATCH_LINES_MAX} lines")));
    }
    let (mut good, mut wrong) = (Vec::with_capacity(lines.len()), Vec::new());
    for (line, entry) in lines {
        match entry {
            Ok(entry) => good.push((line, entry)),
            Err(why) => wrong.push(Refused { line, why }),
        }
    }
    let batch = PointsBatch {
        lines: good,
        is_refused: !wrong.is_empty(),
        name: &name,
        digest: &digest,
        by: &args.operator,
        keep_going: args.keep_going,
        dry_run: args.dry_run,
    };
    let engine = Engine::builder(&config.data_dir)
        .idempotency_window_ms(AGAIN_WITHIN_MS)
        .idempotency_keys(KEYS_MAX)
        .idempotency_keys_per_owner(KEYS_MAX)
        .open()?;
    let applied = apply(&engine, config.mall, &batch);
    engine.close()?;
    told(args, &name, applied?, wrong)
}

fn apply(engine: &Engine, config: MallConfig, batch: &PointsBatch<'_>) -> Result<PointsApplied> {
    let mall = Mall::open(engine.clone(), config)?;
    let progress = Progress::new("lines");
    mall.apply_points(batch, |done, total| progress.at(done, total))
}

fn told(
    args: &ImportArgs,
    name: &str,
    applied: PointsApplied,
    wrong: Vec<Refused>,
) -> Result<ExitCode> {
    let PointsApplied { applied, before, mut refused } = applied;
    refused.extend(wrong);
    refused.sort_by_key(|refused| refused.line);
    for Refused { line, why } in &refused {
        print(&format!("line {line}: {why}\n"))?;
    }
    if !args.keep_going && !refused.is_empty() {
        let count = refused.len();
        let more = if before > 0 { "nothing more" } else { "nothing" };
        return Err(Error::invalid(format!("{count} lines are refused, and {more} was applied")));
    }
    let verb = if args.dry_run { "would be applied" } else { "applied" };
    let count = refused.len();
    print(&format!("{name}: {applied} {verb}, {before} applied before, {count} refused\n"))?;
    Ok(if refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(LEFT) })
}
