//! What is on its way to one receiver: messages wait in lanes, one for each thing that they are
//! about, and only the first of a lane is sent. So what is about one order arrives in its order, and
//! an order whose message is refused holds up no other. No time is read here, and nothing sent.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::letter::Letter;
use crate::base::{Seq, TimeMs};

/// How many messages wait at one time; those of later events wait in the journal.
pub(super) const WAITING_MAX: usize = 1_000;
/// How many bytes of them.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// How many that were given up are kept; the oldest go first, and are counted.
pub(super) const DEAD_MAX: usize = 1_000;
/// How many are sent at one time.
pub(super) const PARALLEL_MAX: usize = 8;
/// The first wait after a failure, and the longest.
const FIRST_WAIT_MS: u64 = 5_000;
const LAST_WAIT_MS: u64 = 6 * 3_600_000;
/// After so many failures in a row the receiver was down as a whole: what waits goes out once
/// something gets through.
const DOWN_AFTER: u32 = 5;

/// A message that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dead {
    #[serde(flatten)]
    pub(crate) letter: Letter,
    pub(crate) died_at: TimeMs,
}

/// The last attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LastFailure {
    pub(crate) at: TimeMs,
    pub(crate) message_id: String,
    pub(crate) error: String,
}

/// What is counted since the receiver was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Counts {
    pub(crate) delivered: u64,
    pub(crate) failed_attempts: u64,
    pub(crate) died: u64,
    /// How many that were given up are not kept any more.
    pub(crate) dead_evicted: u64,
    pub(crate) replayed: u64,
    pub(crate) last_delivered_at: Option<TimeMs>,
    pub(crate) last_failure: Option<LastFailure>,
}

impl Counts {
    /// Whether the last attempt did not fail, or there was none.
    pub(super) fn is_well(&self) -> bool {
        self.last_failure.as_ref().is_none_or(|failure| {
            self.last_delivered_at.is_some_and(|delivered| delivered >= failure.at)
        })
    }
}

/// An outbox as it is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Snapshot {
    pub(super) read_through: Seq,
    pub(super) counts: Counts,
    pub(super) waiting: Vec<Letter>,
    pub(super) dead: Vec<Dead>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) reported: BTreeMap<String, String>,
}

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    Failed {
        error: String,
        /// After how long the receiver wants to be asked again, where it says so.
        retry_after_ms: Option<u64>,
    },
    /// The receiver wants nothing any more.
    Gone,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Every event up to this one was read; what it was told as is here, delivered, or dead.
    read_through: Seq,
    lanes: HashMap<String, VecDeque<Letter>>,
    count: usize,
    bytes: usize,
    /// When the first message of each lane is due that is not being sent, the oldest first.
    due: BTreeSet<(TimeMs, Seq, String)>,
    /// The lanes of which one is being sent.
    under_way: HashSet<String>,
    dead: VecDeque<Dead>,
    counts: Counts,
    /// The last period of each span whose report was put in here, or left out.
    reported: BTreeMap<String, String>,
    /// Failures in a row.
    streak: u32,
}

impl Outbox {
    pub(super) fn restore(snapshot: Snapshot) -> Self {
        let Snapshot { read_through, counts, waiting, dead, reported } = snapshot;
        let dead = dead.into();
        let mut outbox = Self { read_through, counts, dead, reported, ..Self::default() };
        waiting.into_iter().for_each(|letter| outbox.push(letter));
        outbox
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let mut waiting: Vec<Letter> = self.lanes.values().flatten().cloned().collect();
        // Those of one lane stay in their order.
        waiting.sort_by(|a, b| (a.seq, &a.id).cmp(&(b.seq, &b.id)));
        let dead = self.dead.iter().cloned().collect();
        let (counts, reported) = (self.counts.clone(), self.reported.clone());
        Snapshot { read_through: self.read_through, counts, waiting, dead, reported }
    }

    pub(super) fn begin_after(&mut self, seq: Seq) {
        self.read_through = seq;
    }

    pub(super) fn read_through(&self) -> Seq {
        self.read_through
    }

    /// Whether the next event may be read.
    pub(super) fn has_room(&self) -> bool {
        self.count < WAITING_MAX && self.bytes < WAITING_BYTES_MAX
    }

    /// What the next event was told as.
    pub(super) fn read(&mut self, seq: Seq, letters: impl IntoIterator<Item = Letter>) {
        letters.into_iter().for_each(|letter| self.push(letter));
        self.read_through = seq;
    }

    /// Puts a message behind those about the same.
    pub(super) fn push(&mut self, letter: Letter) {
        let lane = letter.about.clone();
        self.count += 1;
        self.bytes += letter.body.len();
        let letters = self.lanes.entry(lane.clone()).or_default();
        letters.push_back(letter);
        if letters.len() == 1 {
            self.plan(&lane);
        }
    }

    /// The last period of a span whose report was put in here, or left out.
    #[cfg(any(test, feature = "bin"))]
    pub(super) fn last_reported(&self, span: &str) -> Option<String> {
        self.reported.get(span).cloned()
    }

    #[cfg(any(test, feature = "bin"))]
    pub(super) fn set_reported(&mut self, span: &str, period: &str) {
        self.reported.insert(span.to_owned(), period.to_owned());
    }

    /// Whether a message about this waits.
    pub(super) fn is_about(&self, about: &str) -> bool {
        self.lanes.contains_key(about)
    }

    /// Plans the first message of a lane, if there is one and none is being sent.
    fn plan(&mut self, lane: &str) {
        if let Some(first) = self.lanes.get(lane).and_then(VecDeque::front)
            && !self.under_way.contains(lane)
        {
            self.due.insert((first.next_at, first.seq, lane.to_owned()));
        }
    }

    /// The next message to send now; it is under way then.
    pub(super) fn take_due(&mut self, now: TimeMs) -> Option<Letter> {
        if self.under_way.len() >= PARALLEL_MAX {
            return None;
        }
        if self.due.first()?.0 > now {
            return None;
        }
        let (_, _, lane) = self.due.pop_first()?;
        let letter = self.lanes.get(&lane).and_then(VecDeque::front).cloned();
        self.under_way.insert(lane);
        letter
    }

    /// When the next message is due, unless as many are sent as may be.
    pub(super) fn next_due(&self) -> Option<TimeMs> {
        let is_free = self.under_way.len() < PARALLEL_MAX;
        self.due.first().filter(|_| is_free).map(|(at, _, _)| *at)
    }

    /// A message was sent, and this came of it. `random` is any number.
    pub(super) fn settle(
        &mut self,
        sent: &Letter,
        outcome: Outcome,
        now: TimeMs,
        retry_for_ms: u64,
        random: u64,
    ) {
        let about = sent.about.as_str();
        self.under_way.remove(about);
        let first = self.lanes.get(about).and_then(VecDeque::front);
        if first.is_none_or(|first| first.id != sent.id) {
            // It was settled before.
            self.plan(about);
            return;
        }
        match outcome {
            Outcome::Delivered => {
                self.counts.delivered += 1;
                self.counts.last_delivered_at = Some(now);
                self.remove_first(about);
                if std::mem::take(&mut self.streak) >= DOWN_AFTER {
                    self.hurry(now);
                }
            }
            Outcome::Gone => self.fail(about, "it is gone (410)".to_owned(), None, now, 0, random),
            Outcome::Failed { error, retry_after_ms } => {
                self.fail(about, error, retry_after_ms, now, retry_for_ms, random);
            }
        }
        self.plan(about);
    }

    fn fail(
        &mut self,
        about: &str,
        error: String,
        retry_after_ms: Option<u64>,
        now: TimeMs,
        retry_for_ms: u64,
        random: u64,
    ) {
        self.streak = self.streak.saturating_add(1);
        self.counts.failed_attempts += 1;
        let Some(first) = self.lanes.get_mut(about).and_then(VecDeque::front_mut) else {
            return;
        };
        let (at, message_id) = (now, first.id.clone());
        self.counts.last_failure = Some(LastFailure { at, message_id, error: error.clone() });
        first.attempts = first.attempts.saturating_add(1);
        first.last_error = Some(error);
        let wait = wait_ms(first.attempts, random);
        let wait = retry_after_ms.map_or(wait, |ms| wait.max(ms.min(LAST_WAIT_MS)));
        first.next_at = now.saturating_add(wait);
        let gives_up_at = first.queued_at.saturating_add(retry_for_ms);
        // One more try at the end of the time, and none after it.
        if now >= gives_up_at {
            self.bury(about, now);
        } else {
            first.next_at = first.next_at.min(gives_up_at);
        }
    }

    fn bury(&mut self, about: &str, now: TimeMs) {
        if let Some(letter) = self.remove_first(about) {
            self.counts.died += 1;
            self.dead.push_back(Dead { letter, died_at: now });
            while self.dead.len() > DEAD_MAX {
                self.dead.pop_front();
                self.counts.dead_evicted += 1;
            }
        }
    }

    fn remove_first(&mut self, about: &str) -> Option<Letter> {
        let letters = self.lanes.get_mut(about)?;
        let letter = letters.pop_front()?;
        if letters.is_empty() {
            self.lanes.remove(about);
        }
        self.count -= 1;
        self.bytes -= letter.body.len();
        Some(letter)
    }

    /// The receiver is back: nothing waits longer for its next try.
    fn hurry(&mut self, now: TimeMs) {
        for (_, _, lane) in std::mem::take(&mut self.due) {
            if let Some(first) = self.lanes.get_mut(&lane).and_then(VecDeque::front_mut) {
                first.next_at = first.next_at.min(now);
            }
            self.plan(&lane);
        }
    }

    /// What was under way is not any more: its sender is gone.
    pub(super) fn call_off(&mut self) {
        for lane in std::mem::take(&mut self.under_way) {
            self.plan(&lane);
        }
    }

    /// Puts messages that were given up behind those that wait, as far as there is room: those with
    /// these ids, or all. How many.
    pub(super) fn replay(&mut self, ids: Option<&HashSet<String>>, now: TimeMs) -> usize {
        let (mut replayed, mut kept) = (0, VecDeque::new());
        for dead in std::mem::take(&mut self.dead) {
            let is_meant = ids.is_none_or(|ids| ids.contains(&dead.letter.id));
            if !is_meant || !self.has_room() {
                kept.push_back(dead);
                continue;
            }
            replayed += 1;
            let (attempts, next_at, queued_at) = (0, now, now);
            self.push(Letter { attempts, next_at, queued_at, ..dead.letter });
        }
        self.dead = kept;
        self.counts.replayed += replayed as u64;
        replayed
    }

    pub(super) fn dead(&self) -> &VecDeque<Dead> {
        &self.dead
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(super) fn waiting(&self) -> usize {
        self.count
    }

    /// The oldest of those that wait.
    pub(super) fn oldest_queued_at(&self) -> Option<TimeMs> {
        self.lanes.values().flatten().map(|letter| letter.queued_at).min()
    }
}

/// How long to wait after so many failures: twice as long each time, between half of that and all
/// of it (M. Brooker, "Exponential Backoff and Jitter", 2015).
fn wait_ms(attempts: u32, random: u64) -> u64 {
    let doubled = FIRST_WAIT_MS.saturating_mul(1 << attempts.saturating_sub(1).min(20));
    let most = doubled.min(LAST_WAIT_MS);
    most / 2 + random % (most / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhooks::kind::Kind;

    const DAYS: u64 = 3 * 86_400_000;

    fn letter(seq: Seq, about: &str) -> Letter {
        Letter {
            id: format!("msg_{seq}"),
            kind: Kind::OrderCreated,
            about: about.to_owned(),
            seq,
            body: "{}".to_owned(),
            queued_at: 0,
            attempts: 0,
            next_at: 0,
            last_error: None,
        }
    }

    fn failed() -> Outcome {
        Outcome::Failed { error: "500".into(), retry_after_ms: None }
    }

    /// The ids of what can be sent now.
    fn sent(outbox: &mut Outbox, now: TimeMs) -> Vec<String> {
        std::iter::from_fn(|| outbox.take_due(now)).map(|letter| letter.id).collect()
    }

    /// The first message about something was sent, and this came of it.
    fn settle(
        outbox: &mut Outbox,
        about: &str,
        outcome: Outcome,
        now: TimeMs,
        for_ms: u64,
        random: u64,
    ) {
        let first = outbox.lanes[about].front().cloned().expect("a message");
        outbox.settle(&first, outcome, now, for_ms, random);
    }

    #[test]
    fn what_is_about_one_order_goes_in_its_order_and_holds_up_no_other() {
        let mut outbox = Outbox::default();
        for (seq, about) in [(1, "a"), (2, "a"), (3, "b"), (4, "a")] {
            outbox.read(seq, [letter(seq, about)]);
        }
        assert_eq!(sent(&mut outbox, 0), ["msg_1", "msg_3"]);
        settle(&mut outbox, "a", failed(), 0, DAYS, 0);
        settle(&mut outbox, "b", Outcome::Delivered, 0, DAYS, 0);
        assert!(sent(&mut outbox, 0).is_empty(), "the first waits, and those behind it");
        outbox.read(5, [letter(5, "b")]);
        assert_eq!(sent(&mut outbox, 0), ["msg_5"]);
        let due = outbox.next_due().expect("it is tried again");
        for id in ["msg_1", "msg_2", "msg_4"] {
            assert_eq!(sent(&mut outbox, due), [id]);
            settle(&mut outbox, "a", Outcome::Delivered, due, DAYS, 0);
        }
        assert_eq!((outbox.waiting(), outbox.counts().delivered), (1, 4));
    }

    #[test]
    fn a_message_is_tried_for_three_days_with_growing_waits_and_then_dead_until_it_is_replayed() {
        let mut outbox = Outbox::default();
        outbox.read(1, [letter(1, "a"), letter(1, "a2")]);
        outbox.read(2, [letter(2, "a")]);
        let (mut now, mut waits) = (0, Vec::new());
        while outbox.dead().is_empty() {
            for first in sent(&mut outbox, now) {
                let about = if first == "msg_1" { "a" } else { "a2" };
                settle(&mut outbox, about, failed(), now, DAYS, u64::MAX);
            }
            if outbox.dead().is_empty() {
                let next = outbox.next_due().expect("something waits");
                waits.push(next - now);
                now = next;
            }
        }
        assert_eq!(now, DAYS, "the last try is at the end");
        assert!(waits.iter().all(|wait| *wait <= LAST_WAIT_MS), "{waits:?}");
        assert!((15..60).contains(&outbox.dead()[0].letter.attempts), "{:?}", outbox.dead());
        let before = outbox.waiting();
        let ids = HashSet::from(["msg_1".to_owned()]);
        assert_eq!(outbox.replay(Some(&HashSet::new()), now), 0);
        let dead = outbox.dead().len();
        assert!(outbox.replay(Some(&ids), now) > 0 && outbox.dead().len() < dead);
        assert!(outbox.waiting() > before);
    }

    #[test]
    fn waits_are_between_half_and_all_of_what_doubles() {
        for (attempts, most) in
            [(1, 5_000), (2, 10_000), (3, 20_000), (12, 10_240_000), (99, LAST_WAIT_MS)]
        {
            for random in [0, 1, 12_345, u64::MAX] {
                let wait = wait_ms(attempts, random);
                assert!((most / 2..=most).contains(&wait), "{attempts} {wait}");
            }
        }
    }

    #[test]
    fn a_receiver_that_is_back_gets_everything_at_once_and_says_when_it_wants_to_be_asked() {
        let mut outbox = Outbox::default();
        let abouts: Vec<String> = (0..6).map(|at| format!("o{at}")).collect();
        for (seq, about) in abouts.iter().enumerate() {
            outbox.read(seq as Seq, [letter(seq as Seq, about)]);
        }
        assert_eq!(sent(&mut outbox, 0).len(), 6);
        for about in &abouts {
            let outcome = Outcome::Failed { error: "down".into(), retry_after_ms: Some(60_000) };
            settle(&mut outbox, about, outcome, 0, DAYS, 0);
        }
        assert_eq!(outbox.next_due(), Some(60_000), "the receiver says when");
        outbox.read(9, [letter(9, "new")]);
        assert_eq!(sent(&mut outbox, 1), ["msg_9"]);
        settle(&mut outbox, "new", Outcome::Delivered, 1, DAYS, 0);
        assert_eq!(sent(&mut outbox, 1).len(), 6, "nothing waits for its time");
    }

    #[test]
    fn what_waits_and_what_is_dead_is_bounded_and_what_is_lost_of_it_counted() {
        let mut outbox = Outbox::default();
        let mut seq = 0;
        while outbox.has_room() {
            seq += 1;
            outbox.read(seq, [letter(seq, &format!("o{seq}"))]);
        }
        assert_eq!(outbox.waiting(), WAITING_MAX);
        let mut died = 0;
        while died < DEAD_MAX as u64 + 7 {
            seq += 1;
            outbox.read(seq, [letter(seq, &format!("o{seq}"))]);
            let first = outbox.take_due(0).expect("something is due");
            outbox.settle(&first, failed(), 0, 0, 0);
            died += 1;
        }
        let counts = outbox.counts();
        assert_eq!((outbox.dead().len(), counts.dead_evicted, counts.died), (DEAD_MAX, 7, died));
        assert_eq!(outbox.dead()[0].letter.id, "msg_8", "the oldest go first");
    }

    #[test]
    fn an_outbox_is_restored_as_it_was_kept() {
        let mut outbox = Outbox::default();
        for seq in 1..=4 {
            outbox.read(seq, [letter(seq, if seq == 3 { "b" } else { "a" })]);
        }
        let first = outbox.take_due(0).expect("it is due");
        outbox.settle(&first, failed(), 7, 0, 0);
        outbox.set_reported("daily", "2026-11-28");
        let kept = serde_json::to_vec(&outbox.snapshot()).expect("it is written");
        assert!(String::from_utf8_lossy(&kept).contains(r#""reported":{"daily":"2026-11-28"}"#));
        let mut again = Outbox::restore(serde_json::from_slice(&kept).expect("it reads"));
        assert_eq!((again.waiting(), again.dead().len(), again.read_through()), (3, 1, 4));
        assert_eq!(again.counts(), outbox.counts());
        assert_eq!(again.last_reported("daily").as_deref(), Some("2026-11-28"));
        assert_eq!(sent(&mut again, 0), ["msg_2", "msg_3"]);
        again.call_off();
        assert_eq!(sent(&mut again, 0), ["msg_2", "msg_3"], "nobody has sent them");
    }

    #[test]
    fn an_outbox_keeps_its_bytes() {
        let mut outbox = Outbox::default();
        outbox.read(9, [letter(9, "a"), letter(9, "b")]);
        let first = outbox.take_due(0).expect("it is due");
        outbox.settle(&first, failed(), 7, 0, 0);
        let kept = serde_json::to_string(&outbox.snapshot()).expect("it is written");
        assert_eq!(kept, GOLDEN);
        assert!(serde_json::from_str::<Snapshot>("{}").is_ok(), "what is missing has a default");
    }

    const GOLDEN: &str = concat!(
        r#"{"readThrough":9,"counts":{"delivered":0,"failedAttempts":1,"died":1,"deadEvicted":0,"#,
        r#""replayed":0,"lastDeliveredAt":null,"#,
        r#""lastFailure":{"at":7,"messageId":"msg_9","error":"500"}},"#,
        r#""waiting":[{"id":"msg_9","kind":"order.created","about":"b","seq":9,"body":"{}","#,
        r#""queuedAt":0,"attempts":0,"nextAt":0,"lastError":null}],"#,
        r#""dead":[{"id":"msg_9","kind":"order.created","about":"a","seq":9,"body":"{}","#,
        r#""queuedAt":0,"attempts":1,"nextAt":2507,"lastError":"500","diedAt":7}]}"#
    );
}
