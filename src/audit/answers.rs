//! The answers to keyed requests, by the events: a key does something once within the time that its
//! event promises.
//!
//! Up to 0.1.0 nothing was promised: each 64th of the keys kept the newest, by count.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use super::finding::{Findings, Kind};
use super::snapshot::{ANSWERED, ATOMIC, AnswerRow, EffectRow, SHARDS};
use crate::base::{Seq, TimeMs};
use crate::event::{Event, EventLine, Fact};

/// For how long answers are kept that promised nothing.
const UNPROMISED_MS: u64 = 24 * 3600 * 1000;

#[derive(Debug)]
pub(super) struct Answers {
    /// The newest answer of each key that is not old, and until when it is kept.
    by_key: HashMap<u128, (AnswerRow, TimeMs)>,
    /// What is in `by_key`, by when it is old.
    order: BTreeSet<(TimeMs, u128)>,
    /// The keys without a promise, oldest first, by the last bits of the key.
    unpromised: Vec<VecDeque<u128>>,
    unpromised_max: usize,
    /// The newest time of an event, since time was last set back.
    at: TimeMs,
    /// The event that last set time back, and the latest time that it was ever set back from.
    mended: (Seq, TimeMs),
}

impl Answers {
    /// `keys_max`: how many keys an engine of 0.1.0 kept.
    pub(super) fn new(keys_max: usize) -> Self {
        Self {
            by_key: HashMap::new(),
            order: BTreeSet::new(),
            unpromised: vec![VecDeque::new(); SHARDS],
            unpromised_max: keys_max.div_ceil(SHARDS).max(1),
            at: 0,
            mended: (0, 0),
        }
    }

    /// Whether an answer may be forgotten though it is promised still: it was over in a time that
    /// was ahead.
    fn may_be_gone(&self, of: Seq, until: TimeMs) -> bool {
        let (mended, from) = self.mended;
        of < mended && until <= from
    }

    /// Believes a snapshot of the time `at`.
    pub(super) fn believe(&mut self, row: AnswerRow, at: TimeMs) {
        self.put(row, at);
    }

    /// Enters an event.
    pub(super) fn enter(&mut self, seq: Seq, event: &Event<'_>, findings: &mut Findings) {
        self.at = match event.fact {
            Fact::ClockMended { from } => {
                self.mended = (seq, self.mended.1.max(from));
                event.at
            }
            _ => self.at.max(event.at),
        };
        let Some((request, did)) = event.request.zip(effect(&event.fact)) else {
            return;
        };
        let parts = match &event.fact {
            // What a window gave back before a command is nobody's answer.
            Fact::Atomic(parts) => parts.iter().filter_map(effect).collect(),
            _ => Vec::new(),
        };
        let told = match &event.fact {
            Fact::Answered { answer } => answer.to_vec(),
            _ => Vec::new(),
        };
        let key = request.key.number();
        if let Some((first, until)) = self.by_key.get(&key) {
            if first.seq >= seq {
                // The snapshot that the books began with shows it.
                return;
            }
            if *until > event.at && !self.may_be_gone(first.seq, *until) {
                let what = format!(
                    "the key {key:032x} has an effect for the second time; the first was by record {}, and is kept until \
                     {until}",
                    first.seq
                );
                findings.add(Kind::Idempotency, seq, what);
            }
        }
        let kept = request.kept.map(|kept| (kept.owner, kept.until));
        self.put(
            AnswerRow { key, fingerprint: request.fingerprint, seq, kept, did, parts, told },
            event.at,
        );
    }

    fn put(&mut self, row: AnswerRow, at: TimeMs) {
        while let Some(&(until, key)) = self.order.first()
            && until <= self.at
        {
            self.order.remove(&(until, key));
            self.by_key.remove(&key);
        }
        let until = row.kept.map_or(at.saturating_add(UNPROMISED_MS), |(_, until)| until);
        let (key, is_promised) = (row.key, row.kept.is_some());
        self.forget(key);
        self.by_key.insert(key, (row, until));
        self.order.insert((until, key));
        if !is_promised {
            let queue = &mut self.unpromised[(key % SHARDS as u128) as usize];
            queue.push_back(key);
            if queue.len() > self.unpromised_max
                && let Some(oldest) = queue.pop_front()
                && self.by_key.get(&oldest).is_some_and(|(row, _)| row.kept.is_none())
            {
                self.forget(oldest);
            }
        }
    }

    fn forget(&mut self, key: u128) {
        if let Some((_, until)) = self.by_key.remove(&key) {
            self.order.remove(&(until, key));
        }
    }

    /// What is wrong with an answer that a snapshot's part shows. One that is old may have been let
    /// go of here.
    pub(super) fn difference(&self, row: &AnswerRow) -> Option<String> {
        let Some((makes, _)) = self.by_key.get(&row.key) else {
            let young = row.kept.is_some_and(|(owner, until)| {
                owner > 0 && until > self.at && !self.may_be_gone(row.seq, until)
            });
            return young.then(|| format!("the answer of event {} is none by the events", row.seq));
        };
        let known =
            |row: &AnswerRow| (row.seq, row.fingerprint, row.did.effect.0, row.did.effect.1);
        let promised = makes.kept.is_some() && row.kept.is_some();
        let same = match promised {
            true => row == makes,
            // A release after 0.1.0 has given it a time, and more of it may be known now.
            false => known(row) == known(makes),
        };
        let (shows, makes) = (row.seq, makes.seq);
        (!same).then(|| {
            format!(
                "the answer of event {shows} is another than that of event {makes} by the events"
            )
        })
    }

    /// The first answer by an event up to `seq` that is promised still, and is not among those that
    /// are shown.
    pub(super) fn missing(&self, shown: &HashSet<Seq>, seq: Seq) -> Option<Seq> {
        let young = self.by_key.values().filter(|(row, until)| {
            row.kept.is_some() && *until > self.at && !self.may_be_gone(row.seq, *until)
        });
        young.map(|(row, _)| row.seq).find(|of| *of <= seq && !shown.contains(of))
    }
}

/// What a retry is told, as snapshots have it.
fn effect(fact: &Fact<'_>) -> Option<EffectRow> {
    let units = |lines: &[EventLine]| lines.first().map_or(0, |line| line.quantity);
    let (effect, units) = match fact {
        Fact::Received { account, available, .. }
        | Fact::Adjusted { account, available, .. }
        | Fact::WrittenOff { account, available, .. } => {
            ((0, account.number().into(), *available as u64), 0)
        }
        Fact::Reserved { reservation, expires_at, confirmed, lines, .. } => {
            ((1 + u8::from(*confirmed), reservation.number(), *expires_at), units(lines))
        }
        Fact::Confirmed(end) => ((3, end.reservation.number(), end.expires_at), units(&end.lines)),
        Fact::Released(end) => ((4, end.reservation.number(), end.expires_at), units(&end.lines)),
        Fact::Returned { reservation, expires_at, lines, part, .. } => match part {
            None => ((5, reservation.number(), *expires_at), units(lines)),
            // Its lines are not all that was bought.
            Some(part) if part.is_last() => ((5, reservation.number(), *expires_at), 0),
            Some(_) => ((9, reservation.number(), 0), 0),
        },
        Fact::Noted { reservation, .. } => ((6, reservation.number(), 0), 0),
        Fact::Extended { reservation, expires_at, lines, .. } => {
            ((8, reservation.number(), *expires_at), units(lines))
        }
        Fact::Revived { reservation, expires_at, lines, .. } => {
            ((13, reservation.number(), *expires_at), units(lines))
        }
        Fact::Transferred { from, to, from_available, to_available, .. } => {
            let accounts = u64::from(to.number()) << 32 | u64::from(from.number());
            ((7, accounts, *from_available as u64), *to_available as u64)
        }
        Fact::Document { .. } => ((10, 0, 0), 0),
        Fact::PolicyChanged { account, .. } => ((11, account.number().into(), 0), 0),
        Fact::Queued { account, place, .. } => ((15, account.number().into(), *place), 0),
        Fact::Dequeued { account, place, reservation: None, .. } => {
            ((16, account.number().into(), *place), 0)
        }
        Fact::Answered { answer } => ((ANSWERED, answer.len() as u64, 0), 0),
        Fact::Atomic(parts) => {
            let count = parts.iter().filter_map(effect).count();
            ((ATOMIC, count as u64, 0), 0)
        }
        Fact::AccountOpened { .. }
        | Fact::Renewed { .. }
        | Fact::Expired(_)
        | Fact::AccountClosed { .. }
        // What who is first in a line got was no request of theirs.
        | Fact::Dequeued { .. }
        | Fact::ClockMended { .. } => return None,
    };
    Some(EffectRow { effect, units })
}
