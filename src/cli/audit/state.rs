//! `stockhold state`: the whole ledger as it stood.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::out::Out;
use super::progress::Progress;
use super::table::table;
use super::time::{Moment, parse_moment, show_time};
use crate::base::error::{Error, Result};
use crate::base::{AccountKey, Seq, TimeMs};
use crate::event::Policy;
use crate::ledger::{Level, Pending};
use crate::reader::{DirectoryReader, LedgerView};

#[derive(Args)]
pub(in crate::cli) struct StateArgs {
    /// The data directory; a server may be running on it
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// After this event, or at this time, as in 2026-03-01T09:30:00Z [default: at the end]
    #[arg(long, value_name = "SEQ|TIME")]
    at: Option<String>,
    /// Only this account; may be given several times
    #[arg(long, value_name = "KEY")]
    account: Vec<AccountKey>,
    /// Only accounts of this kind: stock, points, quota, or one of the embedder's own
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Show the pending reservations too; JSON always has them
    #[arg(long)]
    pending: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

impl StateArgs {
    fn shows(&self, level: &Level) -> bool {
        (self.account.is_empty() || self.account.contains(&level.key))
            && self.kind.as_deref().is_none_or(|wanted| wanted == level.key.kind_name())
    }

    fn is_filtered(&self) -> bool {
        !self.account.is_empty() || self.kind.is_some()
    }
}

pub(in crate::cli) fn state(args: &StateArgs) -> Result<ExitCode> {
    let moment = args.at.as_deref().map(parse_moment).transpose()?;
    let reader = DirectoryReader::open(&args.dir)?;
    let seq = match moment {
        None => reader.last_seq(),
        Some(Moment::Seq(seq)) => seq,
        Some(Moment::Time(time)) => reader.seq_at(time)?,
    };
    let view = {
        let progress = Progress::new("events");
        reader.ledger_at_with(seq, &mut |done, total| progress.at(done, total))?
    };
    if let Some(missing) = args.account.iter().find(|key| view.account(key).is_none()) {
        return Err(Error::not_found(format!("there was no account {missing} as of event {seq}")));
    }
    let picture = Picture::of(&view, args);
    let mut out = Out::new();
    match args.json {
        true => out.json(&picture.json(&view)?)?,
        false => out.line(picture.text(&view, args)?.trim_end())?,
    };
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// What of the ledger is asked for.
struct Picture {
    levels: Vec<Level>,
    pending: Vec<Pending>,
}

impl Picture {
    fn of(view: &LedgerView, args: &StateArgs) -> Self {
        let mut levels = view.levels();
        levels.retain(|level| args.shows(level));
        levels.sort_by(|a, b| a.key.cmp(&b.key));
        let mut pending = view.all_pending();
        if args.is_filtered() {
            let shown: std::collections::HashSet<_> =
                levels.iter().map(|level| level.account).collect();
            pending
                .retain(|pending| pending.lines.iter().any(|line| shown.contains(&line.account)));
        }
        Self { levels, pending }
    }

    fn text(&self, view: &LedgerView, args: &StateArgs) -> Result<String> {
        let number = |units: u64| units.to_string();
        let rows: Vec<[String; 7]> = self
            .levels
            .iter()
            .map(|level| {
                let rules = rules(&level.policy);
                let (received, written_off) = (number(level.received), number(level.written_off));
                let (reserved, consumed) = (number(level.reserved), number(level.consumed));
                [
                    level.key.to_string(),
                    level.available.to_string(),
                    reserved,
                    consumed,
                    received,
                    written_off,
                    rules,
                ]
            })
            .collect();
        let head =
            ["account", "available", "reserved", "consumed", "received", "written off", "rules"];
        let mut text = table(head, &[1, 2, 3, 4, 5], &rows);
        if args.pending && !self.pending.is_empty() {
            let rows: Vec<[String; 4]> =
                self.pending.iter().map(|pending| pending_row(pending, view)).collect();
            text.push('\n');
            text.push_str(&table(["reservation", "until", "for", "holds"], &[0], &rows));
        }
        let documents: usize =
            view.collections().iter().map(|name| view.documents(name).len()).sum();
        text.push_str(&format!(
            "\nAs of event {}, {}: {} accounts, {} pending reservations, {documents} documents.\nLedger {}\n",
            view.seq(),
            show_time(view.at()),
            self.levels.len(),
            self.pending.len(),
            view.digest()?,
        ));
        Ok(text)
    }

    fn json(&self, view: &LedgerView) -> Result<StateJson> {
        let collections = view.collections();
        Ok(StateJson {
            digest: view.digest()?.to_string(),
            seq: view.seq(),
            at: view.at(),
            time: show_time(view.at()),
            accounts: self.levels.iter().map(AccountJson::of).collect(),
            pending: self.pending.iter().map(|pending| PendingJson::of(pending, view)).collect(),
            documents: collections
                .iter()
                .map(|name| (name.clone(), view.documents(name).len()))
                .collect(),
        })
    }
}

fn rules(policy: &Policy) -> String {
    match policy {
        Policy { backorder: 0, limit: 0, .. } => String::new(),
        Policy { backorder, limit: 0, .. } => format!("backorder {backorder}"),
        Policy { limit, window, .. } => format!("limit {limit}, {window:?}"),
    }
}

fn name(account: crate::base::AccountId, view: &LedgerView) -> String {
    view.level_of(account)
        .map_or_else(|| account.number().to_string(), |level| level.key.to_string())
}

fn pending_row(pending: &Pending, view: &LedgerView) -> [String; 4] {
    let holds: Vec<String> = pending
        .lines
        .iter()
        .map(|line| format!("{} x {}", line.quantity, name(line.account, view)))
        .collect();
    let owner = pending.owner.map(|owner| name(owner, view)).unwrap_or_default();
    [pending.reservation.to_string(), show_time(pending.expires_at), owner, holds.join(", ")]
}

#[derive(Serialize)]
struct StateJson {
    seq: Seq,
    at: TimeMs,
    time: String,
    /// What tells the whole ledger from any other, whatever of it is shown.
    digest: String,
    accounts: Vec<AccountJson>,
    pending: Vec<PendingJson>,
    /// How many there are in each collection.
    documents: std::collections::BTreeMap<String, usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountJson {
    account: String,
    number: u32,
    available: i64,
    reserved: u64,
    consumed: u64,
    received: u64,
    written_off: u64,
    policy: Policy,
}

impl AccountJson {
    fn of(level: &Level) -> Self {
        Self {
            account: level.key.to_string(),
            number: level.account.number(),
            available: level.available,
            reserved: level.reserved,
            consumed: level.consumed,
            received: level.received,
            written_off: level.written_off,
            policy: level.policy,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PendingJson {
    /// As a string: it has more digits than every reader of JSON keeps.
    reservation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    expires_at: TimeMs,
    lines: Vec<LineJson>,
}

#[derive(Serialize)]
struct LineJson {
    account: String,
    quantity: u64,
}

impl PendingJson {
    fn of(pending: &Pending, view: &LedgerView) -> Self {
        let line = |line: &crate::ledger::Line| LineJson {
            account: name(line.account, view),
            quantity: line.quantity,
        };
        Self {
            reservation: pending.reservation.to_string(),
            owner: pending.owner.map(|owner| name(owner, view)),
            expires_at: pending.expires_at,
            lines: pending.lines.iter().map(line).collect(),
        }
    }
}
