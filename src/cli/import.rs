//! `stockhold import`: what was there before the ledger, while no server has the directory.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::{AccountKey, IdempotencyKey, QUANTITY_MAX};
use crate::engine::Engine;
use crate::event::Policy;
use crate::ledger::Command;
use crate::ledger::Receive;
use crate::mall::Note;
use crate::process::print;
use crate::settings::{Flags, OfData};

/// Who an import says that it is.
const OPERATOR: &str = "import";
/// The scope of an import's keys.
const SCOPE: &str = "stockhold import points";
/// The exit code of an import that skipped users.
const LEFT: u8 = 2;

#[derive(Args)]
pub(super) struct ImportArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Give users the points that they had before: each once, however often it is run
    Points(PointsArgs),
}

#[derive(Args)]
struct PointsArgs {
    /// Lines of `USER,POINTS`, or of JSON: {"userId": "ann", "points": 500}
    file: PathBuf,
    /// The reason that the records show
    #[arg(long, default_value = "期初余额")]
    reason: String,
    #[command(flatten)]
    settings: Flags<OfData>,
}

/// A user with the points that the user had.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Balance {
    user_id: String,
    points: u64,
}

/// What became of the lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Imported {
    given: u64,
    given_before: u64,
    /// Users who have points that no import gave them, as far as is remembered.
    left: Vec<String>,
}

pub(super) fn import(args: &ImportArgs) -> Result<ExitCode> {
    let What::Points(args) = &args.what;
    let config = args.settings.settings()?;
    // All of it is read before anything is given.
    let balances = balances(&text_of(&args.file)?)?;
    let engine = Engine::builder(&config.data_dir).open()?;
    let imported = give(&engine, &balances, &args.reason);
    engine.close()?;
    let Imported { given, given_before, left } = imported?;
    for user in &left {
        print(&format!("{user} has points already, and was left alone\n"))?;
    }
    print(&format!(
        "{given} imported, {given_before} imported before, {} left alone\n",
        left.len()
    ))?;
    Ok(if left.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(LEFT) })
}

#[allow(clippy::disallowed_methods, reason = "an operator's file, not the engine's")]
fn text_of(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|cause| Error::io(format!("reading {}", path.display()), cause))
}

/// The lines of a file, each of a user of its own.
fn balances(text: &str) -> Result<Vec<Balance>> {
    let mut seen = HashSet::new();
    let mut balances = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let wrong = |what: String| Error::invalid(format!("line {}: {what}", index + 1));
        let balance = balance(line).map_err(wrong)?;
        if !seen.insert(balance.user_id.clone()) {
            return Err(wrong(format!("{} has a line before", balance.user_id)));
        }
        AccountKey::points(&balance.user_id).map_err(|error| wrong(error.to_string()))?;
        if balance.points > QUANTITY_MAX {
            return Err(wrong(format!("a balance has at most {QUANTITY_MAX} points")));
        }
        balances.push(balance);
    }
    Ok(balances)
}

fn balance(line: &str) -> std::result::Result<Balance, String> {
    if line.starts_with('{') {
        return serde_json::from_str(line).map_err(|error| error.to_string());
    }
    let (user, points) = line.rsplit_once(',').ok_or("it is neither USER,POINTS nor JSON")?;
    let points = points.trim().parse().map_err(|_| format!("{points:?} is no number of points"))?;
    Ok(Balance { user_id: user.trim().trim_matches('"').to_owned(), points })
}

/// Gives each user the points, unless an import did, or the user has some of other origin.
fn give(engine: &Engine, balances: &[Balance], reason: &str) -> Result<Imported> {
    let mut imported = Imported::default();
    let note = Note { operator: Some(OPERATOR), reason }.text();
    for Balance { user_id, points } in balances.iter().filter(|balance| balance.points > 0) {
        let account_key = AccountKey::points(user_id)?;
        let account = match engine.account(&account_key) {
            Some(account) => account,
            None => engine.open_account(&account_key, Policy::strict())?,
        };
        // Each user's own: no share of one owner bounds how many are imported.
        let key = IdempotencyKey::new(SCOPE, user_id)?.owned_by(user_id);
        let had = engine.level(account)?.received > 0;
        // Keys are forgotten at some time; that somebody has points is not.
        if had && engine.first_answer(key)?.is_none() {
            imported.left.push(user_id.clone());
            continue;
        }
        let command =
            Command::Receive(Receive { account, quantity: *points, note: &note, key: Some(key) });
        let given = engine.execute(&command).and_then(|ticket| ticket.wait());
        match given {
            Ok(_) if had => imported.given_before += 1,
            Ok(_) => imported.given += 1,
            Err(error) if error.kind() == ErrorKind::Conflict => {
                return Err(Error::conflict(format!(
                    "{user_id} was given another number of points by an import before"
                )));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(imported)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_whole_or_refused_by_their_number() {
        let read =
            balances("\u{feff}ann,500\n\n\"bob\", 7\n{\"userId\": \"cat\", \"points\": 0}\n")
                .expect("valid lines");
        let expected = [("ann", 500), ("bob", 7), ("cat", 0)];
        assert_eq!(
            read,
            expected.map(|(user_id, points)| Balance { user_id: user_id.to_owned(), points })
        );
        for (text, part) in [
            ("ann,500\nann,1", "line 2: ann has a line before"),
            ("ann", "line 1"),
            ("ann,-1", "line 1"),
            ("ann,1.5", "1.5"),
            ("{\"userId\": \"ann\"}", "points"),
            ("{\"userId\": \"ann\", \"points\": 1, \"colour\": 2}", "colour"),
            ("ann,281474976710657", "at most"),
        ] {
            let error = balances(text).expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
