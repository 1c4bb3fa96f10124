//! `stockhold catalogue export`.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value};

use super::{Format, write};
use crate::base::error::{Error, Result};
use crate::cli::audit::Progress;
use crate::http::sheet::Sheet;
use crate::http::sheet::catalogue::{COLUMNS, category, product};
use crate::mall::model::{Category, Document, Product};
use crate::mall::{IMPORTS, Pending, read_document, sealed};
use crate::process::logs;
use crate::reader::{DirectoryReader, LedgerView};
use crate::settings::{Flags, OfData};

/// The exit code of an export that left documents out.
const LEFT: u8 = 2;

#[derive(Args)]
pub(super) struct ExportArgs {
    /// Where to; `-` is standard output
    #[arg(default_value = "-")]
    file: PathBuf,
    /// How it is written, whatever its name: by default CSV where its name ends so, else JSON lines
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    settings: Flags<OfData>,
}

pub(super) fn export(args: &ExportArgs) -> Result<ExitCode> {
    let config = args.settings.settings()?;
    let directory = DirectoryReader::open(&config.data_dir)?;
    let view = {
        let progress = Progress::new("events");
        directory
            .ledger_at_with(directory.last_seq(), &mut |done, total| progress.at(done, total))?
    };
    let mut left = 0;
    let import = interrupted(&view, &mut left);
    let categories = documents::<Category>(&view, &import, &mut left);
    let products = documents::<Product>(&view, &import, &mut left);
    let (categories, products) = (categories.iter().map(category), products.iter().map(product));
    let mut file = write(&args.file)?;
    match Format::of(args.format, &args.file) {
        Format::Jsonl => print_lines(&mut file, categories.chain(products))?,
        Format::Csv => {
            let mut sheet = Sheet::new(&mut file, COLUMNS)?;
            categories.chain(products).try_for_each(|members| sheet.row(&members))?;
            sheet.finish()?;
        }
    }
    file.flush().map_err(|cause| Error::io("writing the catalogue", cause))?;
    Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::from(LEFT) })
}

/// What an import still has to put where it belongs, that was killed after it was decided: the next
/// start does so, and this shows it already.
fn interrupted(view: &LedgerView, left: &mut usize) -> Vec<Pending> {
    sealed(&view.documents(IMPORTS)).unwrap_or_else(|why| {
        *left += 1;
        logs::say(&format!("an import that was interrupted cannot be read: {why}"));
        Vec::new()
    })
}

/// The documents that can be read, by their ids; the others are named.
fn documents<T: Document>(view: &LedgerView, import: &[Pending], left: &mut usize) -> Vec<T> {
    let mut all = Vec::new();
    let mut bodies: BTreeMap<_, _> = view.documents(T::COLLECTION).into_iter().collect();
    let imported = import.iter().filter(|it| it.collection == T::COLLECTION);
    bodies.extend(imported.map(|it| (it.id.clone(), it.body.clone())));
    for (id, body) in bodies {
        match read_document(&body) {
            Ok(kept) => all.push(kept.content),
            Err(why) => {
                *left += 1;
                let collection = T::COLLECTION;
                logs::say(&format!("the {collection} {id} cannot be read, and is left out: {why}"));
            }
        }
    }
    all
}

fn print_lines(
    file: &mut impl Write,
    documents: impl Iterator<Item = Map<String, Value>>,
) -> Result<()> {
    for members in documents {
        match writeln!(file, "{}", Value::Object(members)) {
            Ok(()) => {}
            // Nobody reads any more.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            Err(cause) => return Err(Error::io("writing the catalogue", cause)),
        }
    }
    Ok(())
}
