//! What an event does, computed once for everybody who shows it: history, the mall's views, and
//! whatever reads those. The auditor has its own idea of it.

use smallvec::SmallVec;

use super::{ChangeKind, End, Event, EventLine, Fact, Part};
use crate::base::error::{Error, Result};
use crate::base::{AccountId, AccountKey, ReservationId, TimeMs};

/// What an event does to accounts, to a reservation, and to the documents beside them.
#[derive(Debug, Default)]
pub(crate) struct Effects<'e> {
    pub(crate) opened: Option<Opened<'e>>,
    /// One change for each account: several lines of one account count together.
    pub(crate) changes: SmallVec<[AccountChange<'e>; 4]>,
    pub(crate) reservation: Option<Life<'e>>,
    #[cfg_attr(
        not(feature = "mysql"),
        allow(dead_code, reason = "only the mall's views read documents from events")
    )]
    pub(crate) document: Option<Written<'e>>,
    #[cfg_attr(
        not(feature = "mysql"),
        allow(dead_code, reason = "only the mall's views tell who waits")
    )]
    pub(crate) line: Option<InLine<'e>>,
}

/// An account exists from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opened<'e> {
    pub(crate) account: AccountId,
    pub(crate) key: &'e AccountKey,
    /// How many units it starts with.
    pub(crate) units: i64,
}

/// What an event does to one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccountChange<'e> {
    pub(crate) account: AccountId,
    pub(crate) kind: ChangeKind,
    /// By how much what is available changed.
    pub(crate) delta: i64,
    /// By how much what pending reservations hold changed.
    pub(crate) held: i64,
    /// By how much what is consumed changed.
    pub(crate) consumed: i64,
    /// What is available after it.
    pub(crate) available: i64,
    /// How many units the event is about: reserved, consumed, returned.
    pub(crate) quantity: u64,
    pub(crate) reservation: Option<ReservationId>,
    /// Why, as the caller said.
    pub(crate) note: &'e str,
}

/// What an event does to a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life<'e> {
    Made(Made<'e>),
    Ended {
        how: Ending,
        end: &'e End,
    },
    /// It has another deadline.
    Extended {
        reservation: ReservationId,
        expires_at: TimeMs,
        lines: &'e [EventLine],
    },
    /// It had expired, took its lines once more, and is confirmed.
    Revived {
        reservation: ReservationId,
        owner: Option<AccountId>,
        /// The deadline it had.
        expires_at: TimeMs,
        lines: &'e [EventLine],
    },
    Returned {
        reservation: ReservationId,
        /// The deadline it had; 0 when that is not known.
        expires_at: TimeMs,
        lines: &'e [EventLine],
        /// `None` when everything went back at once, and is available again.
        part: Option<&'e Part>,
    },
    Noted {
        reservation: ReservationId,
        body: &'e [u8],
    },
}

/// A reservation as it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Made<'e> {
    pub(crate) reservation: ReservationId,
    pub(crate) owner: Option<AccountId>,
    pub(crate) expires_at: TimeMs,
    /// Whether it was confirmed in the same step.
    pub(crate) confirmed: bool,
    pub(crate) lines: &'e [EventLine],
    pub(crate) details: &'e [u8],
}

/// How a pending reservation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Confirmed,
    Released,
    Expired,
}

impl Ending {
    fn change(self) -> ChangeKind {
        match self {
            Self::Confirmed => ChangeKind::Confirmed,
            Self::Released => ChangeKind::Released,
            Self::Expired => ChangeKind::Expired,
        }
    }
}

/// What an event does to the line of those who wait for an account's units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "mysql"),
    allow(dead_code, reason = "only the mall's views tell who waits")
)]
pub(crate) struct InLine<'e> {
    pub(crate) account: AccountId,
    pub(crate) place: u64,
    pub(crate) owner: AccountId,
    pub(crate) step: LineStep<'e>,
}

/// What somebody does in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "mysql"),
    allow(dead_code, reason = "only the mall's views tell who waits")
)]
pub(crate) enum LineStep<'e> {
    Joined,
    /// They got this, in the same event.
    Granted(ReservationId),
    /// They left without, for this reason.
    Left(&'e str),
}

/// A document was written, or removed when `body` is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written<'e> {
    pub(crate) collection: &'e str,
    pub(crate) key: &'e str,
    pub(crate) body: Option<&'e [u8]>,
}

impl<'e> Effects<'e> {
    /// What this event does: one after the other, what each of its [facts](Event::facts) does.
    ///
    /// # Errors
    /// `Corrupt` when its quantities cannot be.
    pub(crate) fn of(event: &'e Event<'_>) -> Result<SmallVec<[Self; 1]>> {
        event.facts().iter().map(Self::of_fact).collect()
    }

    fn of_fact(fact: &'e Fact<'_>) -> Result<Self> {
        match fact {
            Fact::AccountOpened { account, key, policy } => {
                let opened = Opened { account: *account, key, units: signed(policy.limit)? };
                Ok(Self { opened: Some(opened), ..Self::default() })
            }
            Fact::Received { account, quantity, available, note } => {
                let delta = signed(*quantity)?;
                Ok(Self::one(ChangeKind::Received, *account, delta, *available, note))
            }
            Fact::Adjusted { account, delta, available, note } => {
                Ok(Self::one(ChangeKind::Adjusted, *account, *delta, *available, note))
            }
            Fact::WrittenOff { account, quantity, available, note } => {
                let delta = -signed(*quantity)?;
                Ok(Self::one(ChangeKind::WrittenOff, *account, delta, *available, note))
            }
            Fact::Reserved { reservation, owner, expires_at, confirmed, lines, details } => {
                let kind = if *confirmed { ChangeKind::Bought } else { ChangeKind::Reserved };
                let made = Made {
                    reservation: *reservation,
                    owner: *owner,
                    expires_at: *expires_at,
                    confirmed: *confirmed,
                    lines,
                    details,
                };
                Self::of_lines(|_| kind, *reservation, lines, "", Life::Made(made))
            }
            Fact::Confirmed(end) => Self::ended(Ending::Confirmed, end),
            Fact::Released(end) => Self::ended(Ending::Released, end),
            Fact::Expired(end) => Self::ended(Ending::Expired, end),
            Fact::Returned { reservation, lines, note, expires_at, part, consumed_at: _ } => {
                let (reservation, expires_at, part) = (*reservation, *expires_at, part.as_deref());
                let life = Life::Returned { reservation, expires_at, lines, part };
                let kind = |account| match part.is_some_and(|it| it.written_off.contains(&account))
                {
                    true => ChangeKind::Discarded,
                    false => ChangeKind::Returned,
                };
                Self::of_lines(kind, reservation, lines, note, life)
            }
            Fact::Noted { reservation, body } => {
                let noted = Life::Noted { reservation: *reservation, body };
                Ok(Self { reservation: Some(noted), ..Self::default() })
            }
            Fact::Document { collection, key, body } => {
                let written = Written { collection, key, body: body.as_deref() };
                Ok(Self { document: Some(written), ..Self::default() })
            }
            Fact::Transferred { from, to, quantity, from_available, to_available, note } => {
                let units = signed(*quantity)?;
                let out = (ChangeKind::TransferredOut, *from, -units, *from_available);
                let into = (ChangeKind::TransferredIn, *to, units, *to_available);
                let changes = [out, into]
                    .map(|(kind, account, delta, left)| alone(kind, account, delta, left, note));
                Ok(Self { changes: SmallVec::from_iter(changes), ..Self::default() })
            }
            Fact::Extended { reservation, expires_at, lines, .. } => {
                let (reservation, expires_at) = (*reservation, *expires_at);
                let extended = Life::Extended { reservation, expires_at, lines };
                Ok(Self { reservation: Some(extended), ..Self::default() })
            }
            Fact::Revived { reservation, owner, expires_at, lines } => {
                let (reservation, owner, expires_at) = (*reservation, *owner, *expires_at);
                let revived = Life::Revived { reservation, owner, expires_at, lines };
                Self::of_lines(|_| ChangeKind::Bought, reservation, lines, "", revived)
            }
            Fact::Queued { account, place, owner, .. } => {
                Ok(Self::in_line(*account, *place, *owner, LineStep::Joined))
            }
            Fact::Dequeued { account, place, owner, reservation, note } => {
                let step = reservation.map_or(LineStep::Left(note), LineStep::Granted);
                Ok(Self::in_line(*account, *place, *owner, step))
            }
            // Rules and their windows move what a quota grants, which nobody is shown as a change.
            // Nothing was left in an account that is closed, and what it did stays.
            Fact::PolicyChanged { .. }
            | Fact::Renewed { .. }
            | Fact::ClockMended { .. }
            | Fact::AccountClosed { .. }
            | Fact::Answered { .. }
            // Its parts do what it does.
            | Fact::Atomic(_) => Ok(Self::default()),
        }
    }

    fn in_line(account: AccountId, place: u64, owner: AccountId, step: LineStep<'e>) -> Self {
        Self { line: Some(InLine { account, place, owner, step }), ..Self::default() }
    }

    /// The change of one account without a reservation.
    fn one(
        kind: ChangeKind,
        account: AccountId,
        delta: i64,
        available: i64,
        note: &'e str,
    ) -> Self {
        let change = alone(kind, account, delta, available, note);
        Self { changes: SmallVec::from_iter([change]), ..Self::default() }
    }

    fn ended(how: Ending, end: &'e End) -> Result<Self> {
        let life = Life::Ended { how, end };
        Self::of_lines(|_| how.change(), end.reservation, &end.lines, "", life)
    }

    /// The changes of a reservation's step; `kind` says which it is of each account.
    fn of_lines(
        kind: impl Fn(AccountId) -> ChangeKind,
        reservation: ReservationId,
        lines: &'e [EventLine],
        note: &'e str,
        life: Life<'e>,
    ) -> Result<Self> {
        let mut changes = SmallVec::new();
        for (index, line) in lines.iter().enumerate() {
            let same = |other: &&EventLine| other.account == line.account;
            if lines[..index].iter().any(|other| same(&other)) {
                continue;
            }
            let mut whole = EventLine { quantity: 0, consumed: 0, ..*line };
            for line in lines[index..].iter().filter(same) {
                whole.quantity = sum(whole.quantity, line.quantity)?;
                whole.consumed = sum(whole.consumed, line.consumed)?;
                whole.available = line.available;
            }
            changes.push(change(kind(whole.account()), reservation, &whole, note)?);
        }
        Ok(Self { changes, reservation: Some(life), ..Self::default() })
    }
}

/// A change without a reservation.
fn alone(
    kind: ChangeKind,
    account: AccountId,
    delta: i64,
    available: i64,
    note: &str,
) -> AccountChange<'_> {
    AccountChange {
        account,
        kind,
        delta,
        held: 0,
        consumed: 0,
        available,
        quantity: delta.unsigned_abs(),
        reservation: None,
        note,
    }
}

/// What a reservation's step does to one of its accounts: units go from what is available to what
/// is held and on to what is consumed, or back.
fn change<'e>(
    kind: ChangeKind,
    reservation: ReservationId,
    line: &EventLine,
    note: &'e str,
) -> Result<AccountChange<'e>> {
    let whole = signed(line.quantity)?;
    let (delta, held, consumed, quantity) = match kind {
        ChangeKind::Reserved => (-whole, whole, 0, line.quantity),
        ChangeKind::Bought => (-whole, 0, whole, line.quantity),
        ChangeKind::Confirmed => {
            let back = line.quantity.checked_sub(line.consumed).ok_or_else(impossible)?;
            (signed(back)?, -whole, signed(line.consumed)?, line.consumed)
        }
        ChangeKind::Released | ChangeKind::Expired => (whole, -whole, 0, line.quantity),
        ChangeKind::Returned => (whole, 0, -whole, line.quantity),
        ChangeKind::Discarded => (0, 0, -whole, line.quantity),
        ChangeKind::Received
        | ChangeKind::Adjusted
        | ChangeKind::WrittenOff
        | ChangeKind::TransferredOut
        | ChangeKind::TransferredIn => {
            unreachable!("these have no reservation, and are made by `alone`")
        }
    };
    Ok(AccountChange {
        account: line.account(),
        kind,
        delta,
        held,
        consumed,
        available: line.available,
        quantity,
        reservation: Some(reservation),
        note,
    })
}

fn signed(quantity: u64) -> Result<i64> {
    i64::try_from(quantity).map_err(|_| impossible())
}

fn sum(a: u64, b: u64) -> Result<u64> {
    a.checked_add(b).ok_or_else(impossible)
}

fn impossible() -> Error {
    Error::corrupt("an event has quantities that cannot be")
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::event::{Facts, Policy};

    fn line(account: u32, quantity: u64, consumed: u64, available: i64) -> EventLine {
        EventLine { account, quantity, consumed, available }
    }

    fn id() -> ReservationId {
        ReservationId::from_number(64)
    }

    fn end(lines: &[EventLine]) -> End {
        End { reservation: id(), expires_at: 9, lines: lines.into() }
    }

    fn reserved(confirmed: bool, lines: &[EventLine]) -> Fact<'static> {
        Fact::Reserved {
            reservation: id(),
            owner: None,
            expires_at: 9,
            confirmed,
            lines: lines.into(),
            details: Cow::Borrowed(b"d"),
        }
    }

    fn returned(lines: &[EventLine]) -> Fact<'static> {
        let (note, consumed_at) = (Cow::Borrowed("why"), None);
        let lines = lines.into();
        Fact::Returned { reservation: id(), lines, note, consumed_at, expires_at: 0, part: None }
    }

    fn discarded(lines: &[EventLine]) -> Fact<'static> {
        let Fact::Returned { reservation, lines, note, consumed_at, expires_at, .. } =
            returned(lines)
        else {
            unreachable!("it was just made")
        };
        let written_off = vec![AccountId::from_number(1)];
        let part = Some(Part { lines: Vec::new(), written_off });
        Fact::Returned {
            reservation,
            lines,
            note,
            consumed_at,
            expires_at,
            part: part.map(Box::new),
        }
    }

    fn with_effects<T>(fact: Fact<'static>, look: impl FnOnce(Result<Effects<'_>>) -> T) -> T {
        let event = Event { at: 1, request: None, fact };
        look(Effects::of(&event).map(|mut effects| {
            assert_eq!(effects.len(), 1, "it has no parts");
            effects.remove(0)
        }))
    }

    /// Would catch parts that are shown as one, or in another order.
    #[test]
    fn parts_do_what_each_does_one_after_the_other() {
        let tea = AccountId::from_number(1);
        let receive = |quantity, available| {
            let note = Cow::Borrowed("");
            Fact::Received { account: tea, quantity, available, note }
        };
        let released = Fact::Released(end(&[line(1, 3, 0, 12)]));
        let parts = Facts::new(vec![receive(4, 9), released]).expect("they may be parts");
        let event = Event { at: 1, request: None, fact: Fact::Atomic(parts) };
        let effects = Effects::of(&event).expect("a true event");
        let told: Vec<_> = effects
            .iter()
            .flat_map(|effects| &effects.changes)
            .map(|it| (it.kind, it.delta, it.available))
            .collect();
        assert_eq!(told, [(ChangeKind::Received, 4, 9), (ChangeKind::Released, 3, 12)]);
        assert_eq!(effects[0].reservation, None);
        assert!(matches!(effects[1].reservation, Some(Life::Ended { .. })), "{effects:?}");
    }

    #[test]
    fn a_change_says_what_moved_where() {
        let tea = AccountId::from_number(1);
        let note = Cow::Borrowed("why");
        // Kind, available by, held by, consumed by, quantity.
        for (fact, kind, expected) in [
            (
                Fact::Received { account: tea, quantity: 5, available: 5, note: note.clone() },
                ChangeKind::Received,
                (5, 0, 0, 5),
            ),
            (
                Fact::Adjusted { account: tea, delta: -3, available: 5, note: note.clone() },
                ChangeKind::Adjusted,
                (-3, 0, 0, 3),
            ),
            (
                Fact::WrittenOff { account: tea, quantity: 2, available: 5, note },
                ChangeKind::WrittenOff,
                (-2, 0, 0, 2),
            ),
            (reserved(false, &[line(1, 4, 0, 5)]), ChangeKind::Reserved, (-4, 4, 0, 4)),
            (reserved(true, &[line(1, 4, 4, 5)]), ChangeKind::Bought, (-4, 0, 4, 4)),
            (Fact::Confirmed(end(&[line(1, 4, 3, 5)])), ChangeKind::Confirmed, (1, -4, 3, 3)),
            (Fact::Released(end(&[line(1, 4, 0, 5)])), ChangeKind::Released, (4, -4, 0, 4)),
            (Fact::Expired(end(&[line(1, 4, 0, 5)])), ChangeKind::Expired, (4, -4, 0, 4)),
            (returned(&[line(1, 4, 0, 5)]), ChangeKind::Returned, (4, 0, -4, 4)),
            (discarded(&[line(1, 4, 0, 5)]), ChangeKind::Discarded, (0, 0, -4, 4)),
        ] {
            with_effects(fact, |effects| {
                let effects = effects.expect("a true event");
                let [change] = effects.changes[..] else { panic!("one change: {effects:?}") };
                let AccountChange { delta, held, consumed, quantity, .. } = change;
                assert_eq!((delta, held, consumed, quantity), expected, "{kind:?}");
                assert_eq!((change.kind, change.account, change.available), (kind, tea, 5));
                assert_eq!(change.reservation.is_some(), kind.is_of_reservation(), "{kind:?}");
                // What a reservation moves, it neither makes nor destroys, unless it is written off.
                let lost = if kind == ChangeKind::Discarded { 4 } else { 0 };
                let sum = delta + held + consumed + lost;
                assert!(!kind.is_of_reservation() || sum == 0, "{kind:?}");
            });
        }
    }

    #[test]
    fn lines_of_one_account_are_one_change() {
        let lines = [line(1, 1, 0, 9), line(2, 5, 0, 5), line(1, 2, 0, 7)];
        with_effects(reserved(false, &lines), |effects| {
            let changes = effects.expect("a true event").changes;
            let told: Vec<_> =
                changes.iter().map(|it| (it.account.number(), it.delta, it.available)).collect();
            assert_eq!(told, [(1, -3, 7), (2, -5, 5)]);
        });
    }

    #[test]
    fn a_transfer_changes_two_accounts_and_makes_nothing() {
        let (from, to) = (AccountId::from_number(1), AccountId::from_number(2));
        let note = Cow::Borrowed("gift");
        let moved =
            Fact::Transferred { from, to, quantity: 4, from_available: 1, to_available: 9, note };
        with_effects(moved, |effects| {
            let changes = effects.expect("a true event").changes;
            let told: Vec<_> = changes
                .iter()
                .map(|it| (it.kind, it.account, it.delta, it.available, it.quantity, it.note))
                .collect();
            let expected = [
                (ChangeKind::TransferredOut, from, -4, 1, 4, "gift"),
                (ChangeKind::TransferredIn, to, 4, 9, 4, "gift"),
            ];
            assert_eq!(told, expected);
        });
    }

    #[test]
    fn what_becomes_of_a_reservation_is_told() {
        let lines = [line(1, 4, 0, 5)];
        with_effects(reserved(true, &lines), |effects| {
            let made = effects.expect("a true event").reservation.expect("it is made");
            let Life::Made(made) = made else { panic!("{made:?}") };
            assert_eq!((made.confirmed, made.details, made.expires_at), (true, &b"d"[..], 9));
        });
        with_effects(Fact::Expired(end(&lines)), |effects| {
            let ended = effects.expect("a true event").reservation.expect("it ends");
            assert!(matches!(ended, Life::Ended { how: Ending::Expired, .. }), "{ended:?}");
        });
        let noted = Fact::Noted { reservation: id(), body: Cow::Borrowed(b"n") };
        with_effects(noted, |effects| {
            let effects = effects.expect("a true event");
            assert_eq!(effects.reservation, Some(Life::Noted { reservation: id(), body: b"n" }));
            assert!(effects.changes.is_empty(), "a note moves nothing");
        });
    }

    #[test]
    fn what_opens_an_account_says_what_it_starts_with() {
        let key = AccountKey::stock("tea").expect("a valid key");
        let account = AccountId::from_number(1);
        let opened = Fact::AccountOpened { account, key: key.clone(), policy: Policy::strict() };
        with_effects(opened, |effects| {
            let opened = effects.expect("a true event").opened;
            assert_eq!(opened, Some(Opened { account, key: &key, units: 0 }));
        });
    }

    #[test]
    fn quantities_that_cannot_be_are_an_error() {
        for fact in [
            reserved(false, &[line(1, u64::MAX, 0, 0)]),
            reserved(false, &[line(1, u64::MAX, 0, 0), line(1, 1, 0, 0)]),
            Fact::Confirmed(end(&[line(1, 1, 2, 0)])),
        ] {
            with_effects(fact, |effects| {
                let error = effects.expect_err("it cannot be");
                assert!(error.to_string().contains("cannot be"), "{error}");
            });
        }
    }
}
