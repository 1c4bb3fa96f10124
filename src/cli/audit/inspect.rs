//! `stockhold inspect`: the files of a data directory, its events, and the history of one account
//! or reservation.

use std::io::{IsTerminal, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::event::{self, Kind};
use super::life::Life;
use super::names::Names;
use super::out::Out;
use super::progress::Progress;
use super::table::table;
use super::time::{parse_time, show_time};
use crate::base::error::{Error, Result};
use crate::base::{AccountId, AccountKey, ReservationId, Seq, TimeMs};
use crate::event::Event;
use crate::journal::{FileKind, JournalFile};
use crate::mall::{ORDER_NO_PREFIX, parse_order_id};
use crate::reader::{DirectoryReader, EventRange};

#[derive(Args)]
pub(in crate::cli) struct InspectArgs {
    /// The data directory; a server may be running on it
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Show events; any filter implies it. Without, the files that hold them are shown
    #[arg(long)]
    events: bool,
    /// From this event on [default: the oldest that is kept]
    #[arg(long, value_name = "SEQ")]
    from: Option<Seq>,
    /// To this event [default: the last]
    #[arg(long, value_name = "SEQ")]
    to: Option<Seq>,
    /// From this time on, as in 2026-03-01T09:30:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only events of this kind; may be given several times
    #[arg(long, value_name = "KIND", value_enum)]
    kind: Vec<Kind>,
    /// Only what changed this account, or was on its behalf: stock/PRODUCT, points/USER,
    /// quota/USER/PRODUCT
    #[arg(long, value_name = "KEY")]
    account: Option<AccountKey>,
    /// Only the life of this reservation: its number, or an order's id or number
    #[arg(long, value_name = "ID", value_parser = parse_reservation)]
    reservation: Option<ReservationId>,
    /// At most this many events
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Print lines of JSON
    #[arg(long)]
    json: bool,
    /// Draw what the account had over time, as a file that browsers show
    #[arg(long, requires = "account", conflicts_with_all = ["json", "limit"])]
    svg: bool,
}

impl InspectArgs {
    fn is_about_events(&self) -> bool {
        let bounds = self.from.is_some()
            || self.to.is_some()
            || self.since.is_some()
            || self.until.is_some();
        let filters = !self.kind.is_empty() || self.account.is_some() || self.reservation.is_some();
        self.events || bounds || filters || self.limit.is_some()
    }
}

pub(in crate::cli) fn inspect(args: &InspectArgs) -> Result<ExitCode> {
    let times = [&args.since, &args.until].map(|time| time.as_deref().map(parse_time).transpose());
    let [since, until] = times;
    let (since, until) = (since?, until?);
    let reader = DirectoryReader::open(&args.dir)?;
    match args.is_about_events() {
        true => show_events(args, &reader, since, until)?,
        false => show_files(args, &reader)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A reservation as events, as clients, or as people name it.
fn parse_reservation(text: &str) -> Result<ReservationId> {
    let number = text.strip_prefix(ORDER_NO_PREFIX).unwrap_or(text).parse().ok();
    let reservation = number.map(ReservationId::from_number).or_else(|| parse_order_id(text));
    reservation.ok_or_else(|| {
        Error::invalid("a reservation is a number; an order is ord_ and 16 digits, or EX and 20")
    })
}

/// What an event must be to be shown.
struct Filter<'a> {
    args: &'a InspectArgs,
    account: Option<AccountId>,
    since: TimeMs,
    until: TimeMs,
}

impl Filter<'_> {
    fn shows(&self, event: &Event<'_>) -> bool {
        let kinds = &self.args.kind;
        (self.since..self.until).contains(&event.at)
            && (kinds.is_empty() || kinds.contains(&Kind::of(&event.fact)))
            && self.account.is_none_or(|account| event::touches(&event.fact, account))
            && self.args.reservation.is_none_or(|id| event::is_about(event, id))
    }
}

fn show_events(
    args: &InspectArgs,
    reader: &DirectoryReader,
    since: Option<TimeMs>,
    until: Option<TimeMs>,
) -> Result<()> {
    let names = names(reader);
    let account = args.account.as_ref().map(|key| {
        names.find(key).ok_or_else(|| {
            Error::not_found(format!("there is no account {key}; `stockhold state` lists all"))
        })
    });
    let filter = Filter {
        args,
        account: account.transpose()?,
        since: since.unwrap_or(0),
        until: until.unwrap_or(TimeMs::MAX),
    };
    let from = args.from.unwrap_or(reader.oldest_seq());
    let events = reader.events(from..=args.to.unwrap_or(Seq::MAX))?;
    if args.svg {
        return draw_life(events, &filter, &names);
    }
    let (mut out, mut left, total) = (Out::new(), args.limit.unwrap_or(u64::MAX), events.left());
    // A bar between the lines would be in their way.
    let progress = (!stdout().is_terminal()).then(|| Progress::new("events"));
    for (event, done) in events.zip(1..) {
        let (seq, event) = event?;
        if let Some(progress) = &progress {
            progress.at(done, total);
        }
        if left == 0 {
            break;
        }
        if !filter.shows(&event) {
            continue;
        }
        left -= 1;
        let read = match args.json {
            true => out.json(&event::json(seq, &event, &names))?,
            false => out.line(&event::line(seq, &event, &names))?,
        };
        if !read {
            break;
        }
    }
    out.finish()
}

fn draw_life(events: EventRange, filter: &Filter<'_>, names: &Names) -> Result<()> {
    let account = filter.account.ok_or_else(|| Error::invalid("which account is to be drawn?"))?;
    let (mut life, total) = (Life::of(account), events.left());
    let progress = (!stdout().is_terminal()).then(|| Progress::new("events"));
    for (event, done) in events.zip(1..) {
        let (seq, event) = event?;
        if let Some(progress) = &progress {
            progress.at(done, total);
        }
        if filter.shows(&event) {
            life.saw(seq, &event)?;
        }
    }
    let mut out = Out::new();
    out.line(life.drawn(names)?.trim_end())?;
    out.finish()
}

/// The names of all accounts; where the ledger cannot be made, of those that the events tell of.
fn names(reader: &DirectoryReader) -> Names {
    if let Ok(view) = reader.ledger_at(reader.last_seq()) {
        return Names::of(&view);
    }
    let mut names = Names::default();
    for (_, event) in reader.events(..).into_iter().flatten().flatten() {
        if let crate::event::Fact::AccountOpened { account, key, .. } = &event.fact {
            names.add(*account, key);
        }
    }
    names
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileJson<'a> {
    file: &'a std::path::Path,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seq: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seq: Option<Seq>,
    events: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_at: Option<TimeMs>,
    bytes: u64,
}

fn show_files(args: &InspectArgs, reader: &DirectoryReader) -> Result<()> {
    let files = reader.files();
    let described: Vec<FileJson<'_>> = files.iter().map(|file| describe(file, reader)).collect();
    let mut out = Out::new();
    if args.json {
        for file in &described {
            if !out.json(file)? {
                break;
            }
        }
        return out.finish();
    }
    let text = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let rows: Vec<[String; 7]> = described
        .iter()
        .map(|file| {
            let name = file.file.strip_prefix(&args.dir).unwrap_or(file.file).display().to_string();
            let from = file.first_at.map(show_time).unwrap_or_default();
            let (events, bytes) = (file.events.to_string(), file.bytes.to_string());
            [
                name,
                file.kind.to_owned(),
                text(file.first_seq),
                text(file.last_seq),
                events,
                from,
                bytes,
            ]
        })
        .collect();
    let head = ["file", "kind", "first", "last", "events", "from", "bytes"];
    out.line(table(head, &[2, 3, 4, 6], &rows).trim_end())?;
    out.line(&format!("\nEvents {} to {} are kept.", reader.oldest_seq(), reader.last_seq()))?;
    out.finish()
}

fn describe<'a>(file: &'a JournalFile, reader: &DirectoryReader) -> FileJson<'a> {
    let kind = match file.kind {
        FileKind::Archived => "archived",
        FileKind::Sealed => "sealed",
        FileKind::Last => "last",
    };
    let events = file.end_seq.saturating_sub(file.first_seq);
    let first_seq = (events > 0).then_some(file.first_seq);
    let first = first_seq.and_then(|seq| reader.events(seq..=seq).ok()?.next()?.ok());
    FileJson {
        file: &file.path,
        kind,
        first_seq,
        last_seq: first_seq.map(|_| file.end_seq - 1),
        events,
        first_at: first.map(|(_, event)| event.at),
        bytes: file.bytes,
    }
}
