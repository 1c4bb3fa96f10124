//! Deciding: from a command and the locked state to an event, or to an outcome that changes
//! nothing.

use std::borrow::Cow;

use super::Used;
use super::account::Account;
use super::reservations::Reservation;
use super::shard::Held;
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::{
    AccountId, AccountKey, BODY_BYTES_MAX, LINES_MAX, QUANTITY_MAX, RECEIVED_MAX, TTL_MS_MAX,
    TimeMs,
};
use crate::event::Policy;
use crate::event::{End, EventLine, EventLines, Fact};
use crate::ledger::{
    Adjust, ChangeOutcome, Changed, CloseOutcome, Command, Confirm, ConfirmOutcome, Deadline,
    Extend, ExtendOutcome, Line, Outcome, Receive, Refusal, Release, ReleaseOutcome, Reserve,
    ReserveOutcome, Reserved, Transfer, TransferOutcome, Transferred, WriteOff,
};

/// What a command comes to.
#[allow(
    clippy::large_enum_variant,
    reason = "the large variant is the common one, and it lives for one call"
)]
pub(super) enum Decision<'a> {
    /// These facts happen, in this order; the last one is the command's own.
    Facts { renewals: Vec<Fact<'static>>, fact: Fact<'a>, outcome: Outcome },
    /// Nothing happens.
    Nothing(Outcome),
}

impl<'a> Decision<'a> {
    fn fact(fact: Fact<'a>, outcome: Outcome) -> Self {
        Self::Facts { renewals: Vec::new(), fact, outcome }
    }
}

/// Decides on the shards of the command's footprint, all held.
///
/// # Errors
/// `Invalid` or `Overloaded`; nothing is changed here in any case.
pub(super) fn decide<'a>(
    held: &Held<'_>,
    command: &Command<'a>,
    now: TimeMs,
    reservations_max: usize,
) -> Result<Decision<'a>> {
    match command {
        Command::Receive(request) => receive(held, request),
        Command::Adjust(request) => adjust(held, request, now),
        Command::WriteOff(request) => write_off(held, request, now),
        Command::Reserve(request) => reserve(held, request, now, reservations_max),
        Command::Confirm(request) => confirm(held, request, now),
        Command::Release(request) => Ok(release(held, request, now)),
        Command::Transfer(request) => transfer(held, request, now),
        Command::Extend(request) => extend(held, request, now),
    }
}

fn confirm<'a>(held: &Held<'_>, request: &Confirm<'a>, now: TimeMs) -> Result<Decision<'a>> {
    let Confirm { reservation, owner, quantities, .. } = *request;
    let outcome = match held.shard(reservation.shard()).pending(reservation, owner) {
        Err(why) => ConfirmOutcome::NotPending { reservation, why },
        Ok(pending) if now >= pending.expires_at && !flaw::is_made(Flaw::ConfirmsLate) => {
            ConfirmOutcome::Late { reservation, expires_at: pending.expires_at }
        }
        Ok(pending) => {
            let fact = Fact::Confirmed(consume(held, pending, quantities)?);
            let outcome = ConfirmOutcome::Confirmed { reservation };
            return Ok(Decision::fact(fact, Outcome::Confirm(outcome)));
        }
    };
    Ok(Decision::Nothing(Outcome::Confirm(outcome)))
}

fn release(held: &Held<'_>, request: &Release, now: TimeMs) -> Decision<'static> {
    let Release { reservation, owner, .. } = *request;
    let outcome = match held.shard(reservation.shard()).pending(reservation, owner) {
        Err(why) => ReleaseOutcome::NotPending { reservation, why },
        Ok(pending) if now >= pending.expires_at && !flaw::is_made(Flaw::ReleasesLate) => {
            ReleaseOutcome::Late { reservation, expires_at: pending.expires_at }
        }
        Ok(pending) => {
            let fact = Fact::Released(give_back(held, pending));
            let outcome = ReleaseOutcome::Released { reservation };
            return Decision::fact(fact, Outcome::Release(outcome));
        }
    };
    Decision::Nothing(Outcome::Release(outcome))
}

fn extend(held: &Held<'_>, request: &Extend, now: TimeMs) -> Result<Decision<'static>> {
    let Extend { reservation, deadline, owner, .. } = *request;
    let expires_at = self::deadline(deadline, now)?;
    let outcome = match held.shard(reservation.shard()).pending(reservation, owner) {
        Err(why) => ExtendOutcome::NotPending { reservation, why },
        Ok(pending) if now >= pending.expires_at => {
            ExtendOutcome::Late { reservation, expires_at: pending.expires_at }
        }
        Ok(pending) => {
            let (was, lines) = (pending.expires_at, held_lines(held, pending));
            let fact = Fact::Extended { reservation, was, expires_at, lines };
            let outcome = ExtendOutcome::Extended { reservation, expires_at };
            return Ok(Decision::fact(fact, Outcome::Extend(outcome)));
        }
    };
    Ok(Decision::Nothing(Outcome::Extend(outcome)))
}

/// What a reservation holds, with what its accounts have beside it.
fn held_lines(held: &Held<'_>, pending: &Reservation) -> EventLines {
    let lines = pending.lines.iter().map(|line| {
        let account = held.account(line.account).expect("a reservation holds accounts that exist");
        let (number, available) = (line.account.number(), account.available);
        EventLine { account: number, quantity: line.quantity, consumed: 0, available }
    });
    lines.collect()
}

/// # Errors
/// `NotFound` when there is no such account, or when it is closed.
fn existing<'h>(held: &'h Held<'_>, account: AccountId) -> Result<&'h Account> {
    match held.account(account) {
        Some(found) if !found.is_closed => Ok(found),
        Some(found) => Err(closed(&found.key, account)),
        None => Err(Error::not_found(format!("there is no account number {}", account.number()))),
    }
}

/// What is told to somebody who asks something of an account that is closed.
pub(super) fn closed(key: &AccountKey, account: AccountId) -> Error {
    Error::not_found(format!("account number {}, {key}, is closed", account.number()))
}

/// Closing an account where nothing is left.
///
/// # Errors
/// `NotFound` when there is no such account.
pub(super) fn close(
    held: &Held<'_>,
    id: AccountId,
    now: TimeMs,
) -> Result<(CloseOutcome, Option<Fact<'static>>)> {
    let done = CloseOutcome::Closed { account: id };
    if held.account(id).is_some_and(|account| account.is_closed) {
        return Ok((done, None));
    }
    let account = existing(held, id)?;
    if let Some(counting) = account.close_hindrance(now) {
        let (available, reserved) = (account.available, account.reserved);
        return Ok((CloseOutcome::NotEmpty { account: id, available, reserved, counting }, None));
    }
    Ok((done, Some(Fact::AccountClosed { account: id, key: account.key.clone() })))
}

fn receive<'a>(held: &Held<'_>, request: &Receive<'a>) -> Result<Decision<'a>> {
    let Receive { account: id, quantity, note, .. } = *request;
    let account = existing(held, id)?;
    check_received(account, quantity)?;
    let available = account.available_after(quantity);
    let fact = Fact::Received { account: id, quantity, available, note: Cow::Borrowed(note) };
    Ok(Decision::fact(fact, Outcome::Receive(Changed { account: id, available })))
}

/// What an account ever received stays a number that one line can be about.
pub(super) fn check_received(account: &Account, more: u64) -> Result<()> {
    match account.received.saturating_add(more) {
        // An account of an earlier release that has more is corrected downwards all the same.
        _ if more == 0 => Ok(()),
        0..=RECEIVED_MAX => Ok(()),
        _ => Err(Error::invalid(format!(
            "{} cannot receive more than {RECEIVED_MAX} units in all",
            account.key
        ))),
    }
}

fn adjust<'a>(held: &Held<'_>, request: &Adjust<'a>, now: TimeMs) -> Result<Decision<'a>> {
    let Adjust { account: id, delta, note, .. } = *request;
    let account = existing(held, id)?;
    let up = u64::try_from(delta).unwrap_or(0);
    check_received(account, up)?;
    if delta < 0
        && let Some(refusal) = refuse_removal(account, id, delta.unsigned_abs(), now)
    {
        return Ok(Decision::Nothing(Outcome::Adjust(ChangeOutcome::Refused(refusal))));
    }
    let available = account.available_after(up) + delta.min(0);
    let fact = Fact::Adjusted { account: id, delta, available, note: Cow::Borrowed(note) };
    let changed = ChangeOutcome::Changed(Changed { account: id, available });
    Ok(Decision::fact(fact, Outcome::Adjust(changed)))
}

fn write_off<'a>(held: &Held<'_>, request: &WriteOff<'a>, now: TimeMs) -> Result<Decision<'a>> {
    let WriteOff { account: id, quantity, note, .. } = *request;
    let account = existing(held, id)?;
    if let Some(refusal) = refuse_removal(account, id, quantity, now) {
        return Ok(Decision::Nothing(Outcome::WriteOff(ChangeOutcome::Refused(refusal))));
    }
    let available = account.available - quantity as i64;
    let fact = Fact::WrittenOff { account: id, quantity, available, note: Cow::Borrowed(note) };
    let changed = ChangeOutcome::Changed(Changed { account: id, available });
    Ok(Decision::fact(fact, Outcome::WriteOff(changed)))
}

fn transfer<'a>(held: &Held<'_>, request: &Transfer<'a>, now: TimeMs) -> Result<Decision<'a>> {
    let Transfer { from: from_id, to: to_id, quantity, note, .. } = *request;
    let (from, to) = (existing(held, from_id)?, existing(held, to_id)?);
    check_transfer(from, to)?;
    check_received(to, quantity)?;
    if let Some(refusal) = refuse_removal(from, from_id, quantity, now) {
        return Ok(Decision::Nothing(Outcome::Transfer(TransferOutcome::Refused(refusal))));
    }
    let from_available = from.available - quantity as i64;
    let to_available = to.available_after(quantity);
    let fact = Fact::Transferred {
        from: from_id,
        to: to_id,
        quantity,
        from_available,
        to_available,
        note: Cow::Borrowed(note),
    };
    let transferred = Transferred {
        from: Changed { account: from_id, available: from_available },
        to: Changed { account: to_id, available: to_available },
    };
    Ok(Decision::fact(fact, Outcome::Transfer(TransferOutcome::Transferred(transferred))))
}

/// Units stay what they are, and what a rule grants is nobody's to give.
fn check_transfer(from: &Account, to: &Account) -> Result<()> {
    let granted = [from, to].into_iter().find(|account| account.is_granted());
    if let Some(account) = granted {
        return Err(Error::invalid(format!(
            "{} is a quota: its units cannot be transferred",
            account.key
        )));
    }
    if from.key.kind_name() != to.key.kind_name() {
        return Err(Error::invalid(format!(
            "{} and {} are of different kinds: nothing can be transferred between them",
            from.key, to.key
        )));
    }
    Ok(())
}

/// The refusal of taking units out for good: a backorder allowance is no unit that could leave.
fn refuse_removal(account: &Account, id: AccountId, quantity: u64, now: TimeMs) -> Option<Refusal> {
    let available = account.available.max(0) as u64;
    (available < quantity).then(|| {
        let next_release_at = account.next_release_at(now);
        Refusal { line: 0, account: id, available, next_release_at }
    })
}

/// The refusal of a line for which there is too little, after `before` units that earlier lines
/// take.
fn refuse(
    account: &Account,
    id: AccountId,
    line: usize,
    quantity: u64,
    before: u64,
    now: TimeMs,
) -> Option<Refusal> {
    let available = account.takeable(now).saturating_sub(before);
    (!enough(available, quantity)).then(|| {
        let next_release_at = account.next_release_at(now);
        Refusal { line, account: id, available, next_release_at }
    })
}

/// Whether `quantity` units can be taken where `available` can: the decision that nothing is
/// oversold. The flaw, which only tests can make, is what the checkers must find.
fn enough(available: u64, quantity: u64) -> bool {
    available + u64::from(flaw::is_made(Flaw::Oversells)) >= quantity
}

/// Every line is looked at before any is taken: a take that fails half-way would show others a
/// stock that is lower than it was, and their refusal would be false.
fn reserve<'a>(
    held: &Held<'_>,
    request: &Reserve<'a>,
    now: TimeMs,
    reservations_max: usize,
) -> Result<Decision<'a>> {
    let expires_at = deadline(request.deadline, now)?;
    let mut lines = EventLines::new();
    for (index, line) in request.lines.iter().enumerate() {
        let account = existing(held, line.account)?;
        if request.confirm && account.is_cap() {
            // Confirmed at once, it is never outstanding; another rule may count it one day.
            let (number, quantity, available) =
                (line.account.number(), line.quantity, account.available);
            lines.push(EventLine { account: number, quantity, consumed: quantity, available });
            continue;
        }
        let before = taken(&lines, line.account);
        if let Some(refusal) = refuse(account, line.account, index, line.quantity, before, now) {
            return Ok(Decision::Nothing(Outcome::Reserve(ReserveOutcome::Refused(refusal))));
        }
        let available =
            account.available_after(account.renewable(now)) - (before + line.quantity) as i64;
        let consumed = u64::from(request.confirm) * line.quantity;
        lines.push(EventLine {
            account: line.account.number(),
            quantity: line.quantity,
            consumed,
            available,
        });
    }
    let home = held.shard(home(request.lines));
    if !request.confirm && home.reservations.len() >= reservations_max {
        return Err(Error::overloaded("too many reservations are pending"));
    }
    let reservation = home.reservations.next_id(self::home(request.lines), now);
    let fact = Fact::Reserved {
        reservation,
        owner: request.owner,
        expires_at,
        confirmed: request.confirm,
        lines,
        details: Cow::Borrowed(request.details),
    };
    let reserved = Reserved { reservation, expires_at, confirmed: request.confirm };
    let outcome = Outcome::Reserve(ReserveOutcome::Reserved(reserved));
    Ok(Decision::Facts { renewals: renewals(held, request.lines, now), fact, outcome })
}

/// The time until which a reservation holds what it takes.
///
/// # Errors
/// `Invalid` when that has passed, or is further away than anything may be held.
pub(super) fn deadline(deadline: Deadline, now: TimeMs) -> Result<TimeMs> {
    match deadline {
        Deadline::After(ttl_ms) => now
            .checked_add(ttl_ms)
            .ok_or_else(|| Error::invalid("the deadline is later than time can be counted")),
        Deadline::At(expires_at) if expires_at <= now => {
            Err(Error::invalid(format!("the deadline has passed: it is {now}")))
        }
        Deadline::At(expires_at) if expires_at - now > TTL_MS_MAX => Err(Error::invalid(format!(
            "a deadline is at most {TTL_MS_MAX} milliseconds away: it is {now}"
        ))),
        Deadline::At(expires_at) => Ok(expires_at),
    }
}

/// A reservation lives in the lowest shard that it touches: who looks it up then only ever locks
/// upwards.
pub(super) fn home(lines: &[Line]) -> usize {
    lines.iter().map(|line| line.account.shard()).min().expect("a reservation has a line")
}

fn taken(lines: &[EventLine], account: AccountId) -> u64 {
    lines.iter().filter(|line| line.account == account.number()).map(|line| line.quantity).sum()
}

/// What windows give back before the lines are taken.
fn renewals(held: &Held<'_>, lines: &[Line], now: TimeMs) -> Vec<Fact<'static>> {
    let mut facts: Vec<Fact<'static>> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(account) = held.account(line.account) else {
            continue;
        };
        let quantity = account.renewable(now);
        let first = lines[..index].iter().all(|earlier| earlier.account != line.account);
        if quantity > 0 && first {
            let available = account.available_after(quantity);
            facts.push(Fact::Renewed { account: line.account, quantity, available, kept: true });
        }
    }
    facts
}

/// The end of a reservation that consumes all, or a part of each line.
fn consume(held: &Held<'_>, pending: &Reservation, quantities: Option<&[u64]>) -> Result<End> {
    if let Some(quantities) = quantities {
        let within =
            quantities.iter().zip(&pending.lines).all(|(part, line)| *part <= line.quantity);
        if quantities.len() != pending.lines.len() || !within {
            return Err(Error::invalid(
                "a confirm in part names at most the reserved quantity of every line",
            ));
        }
    }
    Ok(end(held, pending, |index, quantity| quantities.map_or(quantity, |parts| parts[index])))
}

/// The end of a reservation that consumes nothing.
pub(super) fn give_back(held: &Held<'_>, pending: &Reservation) -> End {
    end(held, pending, |_, _| 0)
}

fn end(held: &Held<'_>, pending: &Reservation, consumed: impl Fn(usize, u64) -> u64) -> End {
    let mut lines = EventLines::new();
    for (index, line) in pending.lines.iter().enumerate() {
        let account = held.account(line.account).expect("a reservation holds accounts that exist");
        let consumed = consumed(index, line.quantity);
        let back = |quantity, consumed| {
            if account.is_cap() { quantity } else { quantity - consumed }
        };
        let same = lines.iter().filter(|earlier| earlier.account == line.account.number());
        let before: u64 = same.map(|earlier| back(earlier.quantity, earlier.consumed)).sum();
        let available = account.available_after(before + back(line.quantity, consumed));
        lines.push(EventLine {
            account: line.account.number(),
            quantity: line.quantity,
            consumed,
            available,
        });
    }
    End { reservation: pending.id, expires_at: pending.expires_at, lines }
}

/// Other rules for an account; `None` when they are those that it has.
///
/// # Errors
/// `Invalid` when its limit would come to more than an account can receive.
pub(super) fn change_policy(
    held: &Held<'_>,
    id: AccountId,
    policy: Policy,
    now: TimeMs,
) -> Result<Option<Fact<'static>>> {
    let account = existing(held, id)?;
    let was = account.policy;
    if policy == was {
        return Ok(None);
    }
    let more = policy.limit.saturating_sub(was.limit).saturating_sub(account.owed);
    check_received(account, more)?;
    let (consumed, available) = account.under(policy, now);
    Ok(Some(Fact::PolicyChanged { account: id, policy, available, consumed: Some(consumed) }))
}

/// The return of what a confirmed reservation consumed. Of each line: how much of it counted and
/// goes back, and how much had stopped to count before.
///
/// # Errors
/// `Conflict` when the reservation cannot have consumed that.
pub(super) fn give_back_consumed(
    held: &Held<'_>,
    used: &Used<'_>,
    now: TimeMs,
) -> Result<EventLines> {
    check_confirmed(held, used, now)?;
    let mut returned = EventLines::new();
    for line in used.lines {
        let account = existing(held, line.account)?;
        let same = returned.iter().filter(|earlier| earlier.account == line.account.number());
        let (back, past) =
            same.fold((0, 0), |sum, line| (sum.0 + line.quantity, sum.1 + line.consumed));
        let (there, counting) = match account.used_at(used.consumed_at) {
            Some(found) => {
                (found.quantity, account.consumed.saturating_sub(found.newer).min(found.quantity))
            }
            None => (account.consumed, account.consumed),
        };
        let left = there.saturating_sub(back + past);
        let quantity = if account.may_have_forgotten(used.consumed_at) {
            line.quantity.min(left)
        } else {
            line.quantity
        };
        if quantity > left {
            let why = format!("{} does not have these units consumed at that time", account.key);
            return Err(Error::conflict(why));
        }
        let counts = quantity.min(counting.saturating_sub(back));
        let available = account.available_after(back + counts);
        if quantity > 0 {
            let (account, consumed) = (line.account.number(), quantity - counts);
            returned.push(EventLine { account, quantity: counts, consumed, available });
        }
    }
    Ok(returned)
}

/// What a number tells: who is pending has consumed nothing, and neither has who was never made, or
/// lives elsewhere.
fn check_confirmed(held: &Held<'_>, used: &Used<'_>, now: TimeMs) -> Result<()> {
    let id = used.reservation;
    let reservations = &held.shard(id.shard()).reservations;
    if reservations.get(id).is_some() {
        return Err(Error::conflict(format!(
            "reservation {id} is pending: nothing of it is consumed"
        )));
    }
    let is_elsewhere = used.lines.iter().any(|line| line.account.shard() < id.shard());
    if id.count() >= reservations.numbered() || is_elsewhere || used.consumed_at > now {
        return Err(Error::conflict(format!("reservation {id} was not made in this ledger")));
    }
    Ok(())
}

/// Rejects what no state could make right, before any lock is taken.
///
/// # Errors
/// `Invalid`, naming the bound.
pub(super) fn check(command: &Command<'_>) -> Result<()> {
    let quantity_fits = |quantity: u64| match quantity {
        1..=QUANTITY_MAX => Ok(()),
        _ => Err(Error::invalid(format!("a quantity is 1 to {QUANTITY_MAX} units"))),
    };
    let note_fits = |note: &str| match note.len() {
        0..=BODY_BYTES_MAX => Ok(()),
        _ => Err(Error::invalid(format!("a note has at most {BODY_BYTES_MAX} bytes"))),
    };
    let ttl_fits = |deadline: Deadline| match deadline {
        Deadline::After(1..=TTL_MS_MAX) | Deadline::At(_) => Ok(()),
        Deadline::After(_) => {
            Err(Error::invalid(format!("a time to live is 1 to {TTL_MS_MAX} milliseconds")))
        }
    };
    match command {
        Command::Receive(Receive { quantity, note, .. })
        | Command::WriteOff(WriteOff { quantity, note, .. }) => {
            quantity_fits(*quantity)?;
            note_fits(note)
        }
        Command::Adjust(Adjust { delta, note, .. }) => {
            quantity_fits(delta.unsigned_abs())?;
            note_fits(note)
        }
        Command::Reserve(reserve) => {
            if !(1..=LINES_MAX).contains(&reserve.lines.len()) {
                return Err(Error::invalid(format!("a reservation has 1 to {LINES_MAX} lines")));
            }
            ttl_fits(reserve.deadline)?;
            if reserve.details.len() > BODY_BYTES_MAX {
                return Err(Error::invalid(format!("details have at most {BODY_BYTES_MAX} bytes")));
            }
            reserve.lines.iter().try_for_each(|line| quantity_fits(line.quantity))
        }
        Command::Confirm(Confirm { quantities: Some(parts), .. }) => match parts.len() {
            1..=LINES_MAX if parts.iter().all(|part| *part == 0) => {
                Err(Error::invalid("a confirm of nothing is a release"))
            }
            1..=LINES_MAX => {
                parts.iter().filter(|part| **part > 0).try_for_each(|part| quantity_fits(*part))
            }
            _ => Err(Error::invalid(format!("a confirm in part names 1 to {LINES_MAX} lines"))),
        },
        Command::Confirm(Confirm { quantities: None, .. }) | Command::Release(_) => Ok(()),
        Command::Extend(Extend { deadline, .. }) => ttl_fits(*deadline),
        Command::Transfer(Transfer { from, to, quantity, note, .. }) => {
            if from == to {
                return Err(Error::invalid("a transfer is between two accounts"));
            }
            quantity_fits(*quantity)?;
            note_fits(note)
        }
    }
}
