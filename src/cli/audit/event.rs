//! An event as people and machines read it.

use std::fmt::Write;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use super::names::Names;
use super::time::show_time;
use crate::base::{AccountId, ReservationId, Seq, TimeMs};
use crate::event::{End, Event, EventLine, Fact, Part, PartLine};

/// The kinds of events, by the names that `--kind` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    AccountOpened,
    PolicyChanged,
    Received,
    Adjusted,
    WrittenOff,
    Renewed,
    Reserved,
    Confirmed,
    Released,
    Expired,
    Returned,
    Noted,
    Document,
    ClockMended,
    Transferred,
    Extended,
    Revived,
    AccountClosed,
    Queued,
    Dequeued,
    Answered,
    Atomic,
}

impl Kind {
    pub(super) fn of(fact: &Fact<'_>) -> Self {
        match fact {
            Fact::AccountOpened { .. } => Self::AccountOpened,
            Fact::PolicyChanged { .. } => Self::PolicyChanged,
            Fact::Received { .. } => Self::Received,
            Fact::Adjusted { .. } => Self::Adjusted,
            Fact::WrittenOff { .. } => Self::WrittenOff,
            Fact::Renewed { .. } => Self::Renewed,
            Fact::Reserved { .. } => Self::Reserved,
            Fact::Confirmed(_) => Self::Confirmed,
            Fact::Released(_) => Self::Released,
            Fact::Expired(_) => Self::Expired,
            Fact::Returned { .. } => Self::Returned,
            Fact::Noted { .. } => Self::Noted,
            Fact::Document { .. } => Self::Document,
            Fact::ClockMended { .. } => Self::ClockMended,
            Fact::Transferred { .. } => Self::Transferred,
            Fact::Extended { .. } => Self::Extended,
            Fact::Revived { .. } => Self::Revived,
            Fact::AccountClosed { .. } => Self::AccountClosed,
            Fact::Queued { .. } => Self::Queued,
            Fact::Dequeued { .. } => Self::Dequeued,
            Fact::Answered { .. } => Self::Answered,
            Fact::Atomic(_) => Self::Atomic,
        }
    }

    fn name(self) -> String {
        // Every kind is one that `--kind` takes.
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Whether an event is about a reservation.
pub(super) fn is_about(event: &Event<'_>, id: ReservationId) -> bool {
    event.facts().iter().any(|fact| reservation(fact) == Some(id))
}

fn reservation(fact: &Fact<'_>) -> Option<ReservationId> {
    match fact {
        Fact::Reserved { reservation, .. }
        | Fact::Returned { reservation, .. }
        | Fact::Extended { reservation, .. }
        | Fact::Revived { reservation, .. }
        | Fact::Noted { reservation, .. } => Some(*reservation),
        Fact::Confirmed(end) | Fact::Released(end) | Fact::Expired(end) => Some(end.reservation),
        Fact::Dequeued { reservation, .. } => *reservation,
        Fact::AccountOpened { .. }
        | Fact::PolicyChanged { .. }
        | Fact::Received { .. }
        | Fact::Adjusted { .. }
        | Fact::WrittenOff { .. }
        | Fact::Renewed { .. }
        | Fact::Document { .. }
        | Fact::ClockMended { .. }
        | Fact::Transferred { .. }
        | Fact::AccountClosed { .. }
        | Fact::Queued { .. }
        | Fact::Answered { .. }
        | Fact::Atomic(_) => None,
    }
}

/// Whether an event changed an account, or was on its behalf.
pub(super) fn touches(fact: &Fact<'_>, id: AccountId) -> bool {
    match fact {
        Fact::AccountOpened { account, .. }
        | Fact::AccountClosed { account, .. }
        | Fact::PolicyChanged { account, .. }
        | Fact::Received { account, .. }
        | Fact::Adjusted { account, .. }
        | Fact::WrittenOff { account, .. }
        | Fact::Renewed { account, .. } => *account == id,
        Fact::Queued { account, owner, .. } | Fact::Dequeued { account, owner, .. } => {
            [*account, *owner].contains(&id)
        }
        Fact::Reserved { owner, lines, .. } | Fact::Revived { owner, lines, .. } => {
            *owner == Some(id) || lines.iter().any(|line| line.account() == id)
        }
        Fact::Confirmed(End { lines, .. })
        | Fact::Released(End { lines, .. })
        | Fact::Expired(End { lines, .. })
        | Fact::Extended { lines, .. }
        | Fact::Returned { lines, .. } => lines.iter().any(|line| line.account() == id),
        Fact::Transferred { from, to, .. } => [*from, *to].contains(&id),
        Fact::Noted { .. }
        | Fact::Document { .. }
        | Fact::ClockMended { .. }
        | Fact::Answered { .. } => false,
        Fact::Atomic(parts) => parts.iter().any(|part| touches(part, id)),
    }
}

/// An event in one line, with its parts between braces where it has several.
pub(super) fn line(seq: Seq, event: &Event<'_>, names: &Names) -> String {
    format!(
        "{seq:>10}  {}  {:<14}  {}",
        show_time(event.at),
        Kind::of(&event.fact).name(),
        about(&event.fact, names)
    )
}

fn about(fact: &Fact<'_>, names: &Names) -> String {
    match fact {
        Fact::AccountOpened { key, policy, .. } => format!("{key}  {policy:?}"),
        Fact::PolicyChanged { account, policy, available, consumed } => {
            let counted =
                consumed.map(|consumed| format!(", {consumed} consumed")).unwrap_or_default();
            format!("{}  {policy:?}, {available} available{counted}", names.name(*account))
        }
        Fact::Received { account, quantity, available, note } => {
            format!("{} +{quantity}, {available} available{}", names.name(*account), noted(note))
        }
        Fact::Adjusted { account, delta, available, note } => {
            format!("{} {delta:+}, {available} available{}", names.name(*account), noted(note))
        }
        Fact::WrittenOff { account, quantity, available, note } => {
            format!("{} -{quantity}, {available} available{}", names.name(*account), noted(note))
        }
        Fact::Renewed { account, quantity, available, .. } => {
            format!("{} +{quantity}, {available} available", names.name(*account))
        }
        Fact::Reserved { reservation, owner, expires_at, confirmed, lines, .. } => {
            let owner = owner.map(|owner| format!(" by {}", names.name(owner))).unwrap_or_default();
            let until = if *confirmed {
                " at once".to_owned()
            } else {
                format!(" until {}", show_time(*expires_at))
            };
            format!("{reservation}{owner}{until}:{}", taken(lines, names))
        }
        Fact::Confirmed(end) => format!("{}:{}", end.reservation, ended(&end.lines, names)),
        Fact::Released(end) | Fact::Expired(end) => {
            format!("{}:{}", end.reservation, ended(&end.lines, names))
        }
        Fact::Returned { reservation, lines, note, consumed_at, part, expires_at: _ } => {
            let when =
                consumed_at.map(|at| format!(", consumed {}", show_time(at))).unwrap_or_default();
            let part = part.as_deref().map(|part| parted(part, names)).unwrap_or_default();
            format!("{reservation}:{}{when}{part}{}", taken(lines, names), noted(note))
        }
        Fact::AccountClosed { account, key } => format!("{key}, number {}", account.number()),
        Fact::Queued { account, place, owner, body } => {
            let (account, owner) = (names.name(*account), names.name(*owner));
            format!("{account}, place {place}, {owner}: {}", content(body))
        }
        Fact::Dequeued { account, place, owner, reservation, note } => {
            let (account, owner) = (names.name(*account), names.name(*owner));
            let got = reservation.map(|id| format!(", got {id}")).unwrap_or_default();
            format!("{account}, place {place}, {owner}{got}{}", noted(note))
        }
        Fact::Extended { reservation, was, expires_at, lines } => {
            let (until, was) = (show_time(*expires_at), show_time(*was));
            format!("{reservation} until {until}, was {was}:{}", taken(lines, names))
        }
        Fact::Revived { reservation, owner, expires_at, lines } => {
            let owner = owner.map(|owner| format!(" by {}", names.name(owner))).unwrap_or_default();
            let due = show_time(*expires_at);
            format!("{reservation}{owner}, expired {due}:{}", taken(lines, names))
        }
        Fact::Noted { reservation, body } => format!("{reservation}: {}", content(body)),
        Fact::ClockMended { from } => format!("set back from {}", show_time(*from)),
        Fact::Transferred { from, to, quantity, from_available, to_available, note } => {
            let (from, to) = (names.name(*from), names.name(*to));
            format!(
                "{from} -{quantity}, {from_available} available, {to} +{quantity}, {to_available} available{}",
                noted(note)
            )
        }
        Fact::Document { collection, key, body } => match body {
            Some(body) => format!("{collection}/{key} = {} bytes", body.len()),
            None => format!("{collection}/{key} removed"),
        },
        Fact::Answered { answer } => content(answer).to_string(),
        Fact::Atomic(parts) => {
            let told = parts
                .iter()
                .map(|part| format!("{{{} {}}}", Kind::of(part).name(), about(part, names)));
            told.collect::<Vec<_>>().join(" ")
        }
    }
}

fn noted(note: &str) -> String {
    if note.is_empty() { String::new() } else { format!(", {note:?}") }
}

fn taken(lines: &[EventLine], names: &Names) -> String {
    lines.iter().fold(String::new(), |mut text, line| {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            " {} x {} ({} left)",
            line.quantity,
            names.name(line.account()),
            line.available
        );
        text
    })
}

/// What is left of a reservation that is returned in parts, and what of it came back broken.
fn parted(part: &Part, names: &Names) -> String {
    let mut text = String::new();
    for account in &part.written_off {
        let _ = write!(text, ", {} written off", names.name(*account));
    }
    for line in part.lines.iter().filter(|line| line.left() > 0) {
        let _ = write!(text, ", {} x {} not returned", line.left(), names.name(line.account));
    }
    text
}

fn ended(lines: &[EventLine], names: &Names) -> String {
    lines.iter().fold(String::new(), |mut text, line| {
        let (used, name) = (line.consumed, names.name(line.account()));
        let _ = write!(text, " {used} of {} x {name} ({} left)", line.quantity, line.available);
        text
    })
}

/// An event as a line of JSON. Accounts are named; bytes are JSON where they are JSON, text where
/// they are text, and otherwise hexadecimal digits.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventJson<'a> {
    seq: Seq,
    at: TimeMs,
    time: String,
    kind: Kind,
    /// The hash of the idempotency key.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(flatten)]
    fact: FactJson<'a>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct FactJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    /// As a string: it has more digits than every reader of JSON keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// A place in the line for the account's units.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<i64>,
    /// The account that units went to, and what it has after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_available: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<TimeMs>,
    /// The time that was set back, or the deadline that was before.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<TimeMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lines: Vec<LineJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumed_at: Option<u64>,
    /// How much of each line is back, where that was not all at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    returned: Vec<PartJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    written_off: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    collection: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    /// What happened together, one after the other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    together: Vec<TogetherJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TogetherJson<'a> {
    kind: Kind,
    #[serde(flatten)]
    fact: FactJson<'a>,
}

#[derive(Serialize)]
struct LineJson {
    account: String,
    quantity: u64,
    consumed: u64,
    available: i64,
}

#[derive(Serialize)]
struct PartJson {
    account: String,
    consumed: u64,
    returned: u64,
}

pub(super) fn json<'a>(seq: Seq, event: &'a Event<'_>, names: &Names) -> EventJson<'a> {
    EventJson {
        seq,
        at: event.at,
        time: show_time(event.at),
        kind: Kind::of(&event.fact),
        request: event.request.map(|request| format!("{:032x}", request.key.number())),
        fact: fact_json(&event.fact, names),
    }
}

fn fact_json<'a>(fact: &'a Fact<'_>, names: &Names) -> FactJson<'a> {
    let named = |account: &AccountId| Some(names.name(*account));
    let change = |account: &AccountId, delta: Option<i64>, available: &i64| FactJson {
        account: named(account),
        delta,
        available: Some(*available),
        ..FactJson::default()
    };
    let about = |reservation: &ReservationId, lines: &[EventLine]| FactJson {
        reservation: Some(reservation.to_string()),
        lines: lines.iter().map(|line| line_json(line, names)).collect(),
        ..FactJson::default()
    };
    match fact {
        Fact::AccountOpened { key, policy, .. } => FactJson {
            account: Some(key.to_string()),
            policy: serde_json::to_value(policy).ok(),
            ..FactJson::default()
        },
        Fact::PolicyChanged { account, policy, available, consumed } => {
            let policy = serde_json::to_value(policy).ok();
            FactJson { policy, consumed: *consumed, ..change(account, None, available) }
        }
        Fact::Received { account, quantity, available, note } => FactJson {
            note: Some(note),
            ..change(account, i64::try_from(*quantity).ok(), available)
        },
        Fact::Adjusted { account, delta, available, note } => {
            FactJson { note: Some(note), ..change(account, Some(*delta), available) }
        }
        Fact::WrittenOff { account, quantity, available, note } => FactJson {
            note: Some(note),
            ..change(account, 0_i64.checked_sub_unsigned(*quantity), available)
        },
        Fact::Renewed { account, quantity, available, .. } => {
            change(account, i64::try_from(*quantity).ok(), available)
        }
        Fact::Reserved { reservation, owner, expires_at, confirmed, lines, details } => FactJson {
            owner: owner.as_ref().and_then(named),
            expires_at: Some(*expires_at),
            confirmed: Some(*confirmed),
            body: (!details.is_empty()).then(|| content(details)),
            ..about(reservation, lines)
        },
        Fact::Confirmed(end) | Fact::Released(end) | Fact::Expired(end) => {
            FactJson { expires_at: Some(end.expires_at), ..about(&end.reservation, &end.lines) }
        }
        Fact::Returned { reservation, lines, note, consumed_at, part, expires_at: _ } => {
            let (lines_back, written_off) = match part.as_deref() {
                Some(Part { lines, written_off }) => (&lines[..], &written_off[..]),
                None => Default::default(),
            };
            FactJson {
                note: Some(note),
                consumed_at: *consumed_at,
                returned: lines_back.iter().map(|line| part_json(line, names)).collect(),
                written_off: written_off.iter().map(|account| names.name(*account)).collect(),
                ..about(reservation, lines)
            }
        }
        Fact::AccountClosed { key, .. } => {
            FactJson { account: Some(key.to_string()), ..FactJson::default() }
        }
        Fact::Queued { account, place, owner, body } => FactJson {
            account: named(account),
            owner: named(owner),
            place: Some(*place),
            body: (!body.is_empty()).then(|| content(body)),
            ..FactJson::default()
        },
        Fact::Dequeued { account, place, owner, reservation, note } => FactJson {
            account: named(account),
            owner: named(owner),
            place: Some(*place),
            reservation: reservation.map(|id| id.to_string()),
            note: (!note.is_empty()).then_some(&**note),
            ..FactJson::default()
        },
        Fact::Extended { reservation, was, expires_at, lines } => FactJson {
            from: Some(*was),
            expires_at: Some(*expires_at),
            ..about(reservation, lines)
        },
        Fact::Revived { reservation, owner, expires_at, lines } => FactJson {
            owner: owner.map(|owner| names.name(owner)),
            expires_at: Some(*expires_at),
            ..about(reservation, lines)
        },
        Fact::Noted { reservation, body } => {
            FactJson { body: Some(content(body)), ..about(reservation, &[]) }
        }
        Fact::ClockMended { from } => FactJson { from: Some(*from), ..FactJson::default() },
        Fact::Transferred { from, to, quantity, from_available, to_available, note } => FactJson {
            note: Some(note),
            to: named(to),
            to_available: Some(*to_available),
            ..change(from, 0_i64.checked_sub_unsigned(*quantity), from_available)
        },
        Fact::Document { collection, key, body } => FactJson {
            collection: Some(collection),
            key: Some(key),
            body: body.as_ref().map(|body| content(body)),
            ..FactJson::default()
        },
        Fact::Answered { answer } => {
            FactJson { body: Some(content(answer)), ..FactJson::default() }
        }
        Fact::Atomic(parts) => {
            let part = |fact: &'a Fact<'_>| TogetherJson {
                kind: Kind::of(fact),
                fact: fact_json(fact, names),
            };
            FactJson { together: parts.iter().map(part).collect(), ..FactJson::default() }
        }
    }
}

fn line_json(line: &EventLine, names: &Names) -> LineJson {
    let EventLine { quantity, consumed, available, .. } = *line;
    LineJson { account: names.name(line.account()), quantity, consumed, available }
}

fn part_json(line: &PartLine, names: &Names) -> PartJson {
    let PartLine { account, consumed, returned } = *line;
    PartJson { account: names.name(account), consumed, returned }
}

/// Opaque bytes as well as they can be read.
fn content(bytes: &[u8]) -> Value {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return value;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::from(text),
        Err(_) => Value::from(bytes.iter().fold(String::new(), |mut digits, byte| {
            let _ = write!(digits, "{byte:02x}");
            digits
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a kind that `--kind` and `--json` call by different names.
    #[test]
    fn a_kind_has_one_name() {
        for kind in Kind::value_variants() {
            let json = serde_json::to_value(kind).expect("a kind is JSON");
            assert_eq!(json, kind.name(), "{kind:?}");
        }
    }
}
