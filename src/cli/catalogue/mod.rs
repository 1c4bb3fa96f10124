//! `stockhold catalogue`: many categories and products at once, from a file and into one.

mod export;
mod import;
pub(super) mod lines;

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use crate::base::error::{Error, Result};

#[derive(Args)]
pub(super) struct CatalogueArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Write categories and products of a file, into a directory that no server has open
    Import(import::ImportArgs),
    /// Print all categories and products; a server may be running on the directory
    Export(export::ExportArgs),
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A JSON object on each line
    Jsonl,
    /// A table with a line of names at its head
    Csv,
}

impl Format {
    /// What was said, or what a file's name says.
    pub(super) fn of(said: Option<Self>, file: &Path) -> Self {
        let is_csv = || file.extension().is_some_and(|it| it.eq_ignore_ascii_case("csv"));
        said.unwrap_or_else(|| if is_csv() { Self::Csv } else { Self::Jsonl })
    }
}

pub(super) fn catalogue(args: &CatalogueArgs) -> Result<ExitCode> {
    match &args.what {
        What::Import(args) => import::import(args),
        What::Export(args) => export::export(args),
    }
}

/// A file for which `-` is standard input.
#[allow(clippy::disallowed_methods, reason = "an operator's file, not the engine's")]
pub(super) fn read(file: &Path) -> Result<Box<dyn BufRead>> {
    if file == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let opened = std::fs::File::open(file);
    let opened = opened.map_err(|cause| Error::io(format!("reading {}", file.display()), cause))?;
    Ok(Box::new(BufReader::with_capacity(1 << 16, opened)))
}

/// A file for which `-` is standard output.
#[allow(clippy::disallowed_methods, reason = "an operator's file, not the engine's")]
fn write(file: &Path) -> Result<Box<dyn Write>> {
    if file == Path::new("-") {
        return Ok(Box::new(BufWriter::with_capacity(1 << 16, std::io::stdout().lock())));
    }
    let made = std::fs::File::create(file);
    let made = made.map_err(|cause| Error::io(format!("writing {}", file.display()), cause))?;
    Ok(Box::new(BufWriter::with_capacity(1 << 16, made)))
}
