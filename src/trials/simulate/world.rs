//! A run: the engine, the files under it, the clock, the books beside it, and the steps taken on
//! all of them.

use std::collections::BTreeSet;
use std::fmt::{Arguments, Debug};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::clock::MachineClock;
use super::counts::Counts;
use super::follower::Follower;
use super::plan::Plan;
use super::setup::{AccountIndex, FOLLOWERS, accounts};
use super::step::{Ending, Keyed, Step, Then, Wish};
use super::wish::{Recorded, Returned, Revived};
use crate::base::error::{Error, ErrorKind};
use crate::base::{AccountId, AccountKey, ReservationId, Seq, TimeMs};
use crate::engine::{Engine, Ticket};
use crate::event::Policy;
use crate::event::{Event, Fact, Request};
use crate::ledger::{Command, Note, Noting};
use crate::trials::oracle::{Ask, Books, Checked, Due, FILLER, Said, agree, hold, key_of};
use crate::vfs::crash::CrashVfs;

/// How many steps a process goes on after its journal failed.
const STEPS_AFTER_FAILURE: usize = 3;

/// An event that was decided, as it must stand in the journal.
#[allow(clippy::large_enum_variant, reason = "nearly every event is known")]
#[derive(Clone, Debug)]
pub(super) enum Slot {
    Known(Event<'static>),
    /// One of those that lapsed together, in no set order.
    Lapsed(TimeMs, Rc<BTreeSet<ReservationId>>),
    /// What a mend of the clock recorded: that the time is set back to this, and then releases of
    /// some of these, as far as it came.
    Mending(TimeMs, Rc<BTreeSet<ReservationId>>),
}

pub(super) struct World<'p> {
    pub(super) plan: &'p Plan,
    pub(super) vfs: CrashVfs,
    pub(super) machine: MachineClock,
    /// `None` only while it is opened, or when it cannot be.
    pub(super) engine: Option<Engine>,
    pub(super) openings: u64,
    /// Every event since the first, durable or not: event 1 comes first.
    pub(super) log: Vec<Slot>,
    /// The state after the whole log.
    pub(super) books: Books,
    /// The state after the events that were read back from the journal.
    pub(super) audited: Books,
    /// Everything up to this event was acknowledged.
    pub(super) acknowledged: Seq,
    /// What was durable after each step in which that changed: what comes before the last of these,
    /// later writes vouch for.
    pub(super) durables: Vec<Seq>,
    accounts: Vec<(AccountKey, Policy)>,
    /// Those that had ended when a checkpoint was last written, or tried to be: a process that
    /// starts from it does not know how.
    pub(super) shown: BTreeSet<ReservationId>,
    pub(super) made: Vec<ReservationId>,
    asked: Vec<(Ask, u8)>,
    /// The returns that were asked for with a key.
    pub(super) returned: Vec<(Returned, u8)>,
    /// The revivals that were asked for.
    pub(super) revived: Vec<Revived>,
    /// What was to be recorded with a key.
    pub(super) recorded: Vec<(Recorded, u8)>,
    /// Notes with a key: on what, on whose behalf, the key, and how many bytes.
    noted: Vec<(ReservationId, Option<AccountId>, Option<u8>, usize)>,
    pub(super) kept: Vec<(Ticket<Said>, Seq)>,
    pub(super) followers: Vec<Follower>,
    pub(super) counts: Counts,
    trace: blake3::Hasher,
    /// Every record that was read back from the journal, in order.
    pub(super) records: blake3::Hasher,
    pub(super) number: usize,
    dead_for: usize,
}

impl<'p> World<'p> {
    pub(super) fn new(plan: &'p Plan) -> Self {
        let key = |(name, policy): (String, Policy)| {
            (name.parse().expect("the names of the plan are keys"), policy)
        };
        let books = Books::default();
        Self {
            plan,
            vfs: CrashVfs::new(plan.seed),
            machine: MachineClock::new(plan.setup.start_ms),
            engine: None,
            openings: 0,
            log: Vec::new(),
            audited: books.clone(),
            books,
            acknowledged: 0,
            durables: vec![0, 0],
            accounts: accounts(plan.setup.points_end).into_iter().map(key).collect(),
            shown: BTreeSet::new(),
            // One that was never made.
            made: vec![ReservationId::from_number(u64::MAX >> 1)],
            asked: Vec::new(),
            returned: Vec::new(),
            revived: Vec::new(),
            recorded: Vec::new(),
            noted: Vec::new(),
            kept: Vec::new(),
            followers: (0..FOLLOWERS).map(|_| Follower::default()).collect(),
            counts: Counts::default(),
            trace: blake3::Hasher::new(),
            records: blake3::Hasher::new(),
            number: 0,
            dead_for: 0,
        }
    }

    /// Takes every step of the plan, and at last lets the whole journal be read.
    ///
    /// # Errors
    /// What did not hold.
    pub(super) fn run(&mut self) -> Checked {
        self.reopen()?;
        for (number, step) in &self.plan.steps {
            self.number = *number;
            self.counts.add("steps", step.name());
            self.step(step)?;
            self.settle()?;
        }
        self.number += 1;
        self.end(Ending::Drop)?;
        (0..FOLLOWERS).try_for_each(|who| self.follow(who, usize::MAX))?;
        self.settle()
    }

    /// Where the run is.
    pub(super) fn place(&self) -> String {
        let step = self.plan.steps.iter().find(|(number, _)| *number == self.number);
        format!("step {}, {:?}", self.number, step.map(|(_, step)| step))
    }

    /// What was tried, the hash of what happened, and that of the journal.
    pub(super) fn finish(mut self) -> (Counts, u64, blake3::Hash) {
        for (path, _) in self.vfs.files() {
            let bytes = self.vfs.bytes(&path).unwrap_or_default();
            self.trace.update(&bytes);
        }
        let hash = self.trace.finalize();
        let first = hash.as_bytes()[..8].try_into().expect("a hash has 32 bytes");
        (self.counts, u64::from_le_bytes(first), self.records.finalize())
    }

    pub(super) fn note(&mut self, what: Arguments<'_>) {
        self.trace.update(format!("{} {} {what}\n", self.number, self.vfs.operations()).as_bytes());
    }

    /// # Errors
    /// When it is not open, which no step should meet.
    pub(super) fn engine(&self) -> Checked<Engine> {
        self.engine.clone().ok_or_else(|| "the engine is not open".to_owned())
    }

    /// Whether the engine accepts nothing any more, as it should after a failure.
    pub(super) fn is_dead(&self) -> bool {
        self.engine.as_ref().is_none_or(|engine| engine.status().poisoned)
    }

    fn step(&mut self, step: &Step) -> Checked {
        match step {
            Step::Ask { wish, key, then } => self.wish(wish, *key, *then),
            Step::Retry { pick, is_other } => self.retry(*pick, *is_other),
            Step::Batch { asks, then } => self.batch(asks, *then),
            Step::Together { asks, key, then } => self.together(asks, *key, *then),
            Step::Refund { pick } => self.refund(*pick),
            Step::ReturnPart { pick, units, is_more, written_off, key } => {
                self.return_part(*pick, *units, *is_more, *written_off, *key)
            }
            Step::ReturnAgain { pick } => self.return_again(*pick),
            Step::Reacquire { pick, points, key } => self.reacquire(*pick, *points, *key),
            Step::ReacquireAgain { pick, keeps_key } => self.reacquire_again(*pick, *keeps_key),
            Step::Note { pick, bytes } => self.note_on(*pick, *bytes),
            Step::NoteWhen { pick, owner, key, bytes, is_met } => {
                self.note_when(*pick, *owner, *key, *bytes, *is_met)
            }
            Step::Document { name, bytes, key } => self.document(*name, *bytes, *key),
            Step::SetPolicy { account, policy, key } => self.set_policy(*account, *policy, *key),
            Step::RecordAgain { pick } => self.record_again(*pick),
            Step::Close { account } => self.close_account(*account),
            Step::Answer { bytes, key } => self.answer(*bytes, *key),
            Step::Join { account, owner, places_max, sells_out, key } => {
                self.join((*account, *owner), *places_max, *sells_out, *key)
            }
            Step::Leave { account, owner, is_other, key } => {
                self.leave((*account, *owner), *is_other, *key)
            }
            Step::Grant { account, units, ttl_ms, confirm, is_other } => {
                self.grant(*account, *units, (*ttl_ms, *confirm), *is_other)
            }
            Step::Tick { by_ms } => {
                self.machine.advance(*by_ms);
                Ok(())
            }
            Step::SetBack { by_ms } => {
                self.machine.set_back(*by_ms);
                Ok(())
            }
            Step::Jump { by_ms } => {
                self.machine.advance(*by_ms);
                Ok(())
            }
            Step::Mend { back_ms, cut_after } => self.mend(*back_ms, *cut_after),
            Step::Expire => self.expire(),
            Step::Look => self.look(),
            Step::Write => {
                self.engine()?.write_queued();
                Ok(())
            }
            Step::Keep => {
                self.engine()?.run_errand();
                Ok(())
            }
            Step::Checkpoint { before, asks } => self.checkpoint(*before, asks),
            Step::Follow { who, events } => self.follow(*who, *events),
            Step::Die { who } => {
                self.followers[*who].die();
                Ok(())
            }
            Step::Fault { after, fault } => {
                self.vfs.fault_at(self.vfs.operations() + after, *fault);
                Ok(())
            }
            Step::MakeRoom => {
                self.vfs.make_room();
                Ok(())
            }
            Step::End { ending } => self.end(*ending),
            Step::Rot { pick } => self.rot(*pick),
        }
    }

    /// After each step: recovers where power was cut, reads back what is durable, and compares
    /// everything.
    fn settle(&mut self) -> Checked {
        loop {
            if self.vfs.is_off() {
                self.end(Ending::PowerCut)?;
            }
            self.audit()?;
            // Reading it back may have been what power was cut at.
            if !self.vfs.is_off() {
                break;
            }
        }
        self.compare()?;
        self.dead_for = if self.is_dead() { self.dead_for + 1 } else { 0 };
        if self.dead_for > STEPS_AFTER_FAILURE {
            let ending = if self.chance().below(2) == 0 { Ending::Kill } else { Ending::PowerCut };
            self.end(ending)?;
        }
        let engine = self.engine()?;
        let durable = engine.durable_seq();
        if self.durables.last() != Some(&durable) {
            self.durables.push(durable);
        }
        self.note(format_args!("{durable} {:?}", engine.levels()));
        Ok(())
    }

    pub(super) fn chance(&self) -> crate::vfs::crash::Chance {
        self.plan.chance_of(self.number)
    }

    /// The name of the account in this place.
    pub(super) fn key_at(&self, place: AccountIndex) -> &AccountKey {
        &self.accounts[place].0
    }

    /// Opens the account in this place where it is not open; `None` when the engine does not now.
    pub(super) fn open(&mut self, place: AccountIndex) -> Checked<Option<AccountId>> {
        let (key, policy) = self.accounts[place].clone();
        if let Some(id) = self.books.keys.get(&key) {
            return Ok(Some(*id));
        }
        let engine = self.engine()?;
        let now = engine.now_ms();
        match engine.open_account(&key, policy) {
            Ok(account) => {
                self.enter(now, None, vec![Fact::AccountOpened { account, key, policy }])?;
                Ok(Some(account))
            }
            Err(error) if self.excuses(error.kind()) => Ok(None),
            Err(error) => Err(format!("{key} does not open: {error}")),
        }
    }

    /// Whether a request may fail with this kind of error for another reason than what it asks.
    pub(super) fn excuses(&self, kind: ErrorKind) -> bool {
        match kind {
            ErrorKind::Poisoned => self.is_dead(),
            ErrorKind::Overloaded => self.plan.setup.queue_bytes_max < 1 << 20,
            _ => false,
        }
    }

    /// Enters facts that were decided.
    pub(super) fn enter(
        &mut self,
        at: TimeMs,
        request: Option<Request>,
        facts: Vec<Fact<'static>>,
    ) -> Checked {
        let log = &mut self.log;
        self.books.enter_all(at, request, facts, |event| log.push(Slot::Known(event)))
    }

    pub(super) fn resolve(&mut self, wish: &Wish) -> Checked<Option<Ask>> {
        for place in wish.places() {
            if self.open(place)?.is_none() {
                return Ok(None);
            }
        }
        let account = |place: AccountIndex| self.books.keys[&self.accounts[place].0];
        Ok(Some(wish.ask(account, |pick| self.recent(pick))))
    }

    /// Mostly one that is pending, otherwise one of the newest: old ones have ended, and teach
    /// little.
    fn recent(&self, pick: usize) -> ReservationId {
        let pending = self.books.pending.len();
        if pending > 0 && !pick.is_multiple_of(4) {
            let pending = self.books.pending.keys().nth(pick / 4 % pending);
            return *pending.expect("the index is below their number");
        }
        let recent = &self.made[self.made.len().saturating_sub(8)..];
        recent[pick % recent.len()]
    }

    fn wish(&mut self, wish: &Wish, key: Option<u8>, then: Then) -> Checked {
        match self.resolve(wish)? {
            Some(ask) => self.ask(&ask, key, then),
            None => Ok(()),
        }
    }

    fn retry(&mut self, pick: usize, is_other: bool) -> Checked {
        if self.asked.is_empty() {
            return Ok(());
        }
        let recent = &self.asked[self.asked.len().saturating_sub(30)..];
        let (ask, key) = recent[pick % recent.len()].clone();
        let other = recent[pick / 7 % recent.len()].0.clone();
        let ask = if is_other { other } else { ask };
        // A crash may have taken back that an account was opened.
        if ask.accounts().iter().any(|account| !self.books.accounts.contains_key(account)) {
            return Ok(());
        }
        self.ask(&ask, Some(key), Then::Wait)
    }

    pub(super) fn ask(&mut self, ask: &Ask, key: Option<u8>, then: Then) -> Checked {
        let engine = self.engine()?;
        let command = ask.command(key.map(|key| ask.key(key)));
        let now = engine.now_ms();
        let said = engine.execute(&command).map(|ticket| ticket.map(Said::from));
        let seq = said.as_ref().ok().and_then(Ticket::seq);
        let outcome = said.as_ref().map(|ticket| ticket.outcome()).map_err(Error::kind);
        self.counts.add("requests", ask.name());
        self.hear(&command, now, outcome, Some(seq))?;
        self.asked.extend(key.map(|key| (ask.clone(), key)));
        said.map_or(Ok(()), |ticket| self.then(ticket, then))
    }

    /// Holds an answer to what must come of the command; where `seq` is known, to the event as
    /// well.
    fn hear(
        &mut self,
        command: &Command<'_>,
        now: TimeMs,
        said: Result<Said, ErrorKind>,
        seq: Option<Option<Seq>>,
    ) -> Checked {
        self.note(format_args!("{said:?} {seq:?}"));
        if said.is_err_and(|kind| self.excuses(kind)) {
            self.counts.add("answers", format!("{:?}", said.expect_err("it is an error")));
            return Ok(());
        }
        let number = match said {
            Ok(Said::Reserved { reservation, .. }) => Some(reservation),
            _ => None,
        };
        let (is_alone, terms) = (seq.is_some(), self.plan.setup.terms());
        let due = self.books.decide(command, now, number, &terms.bounds, is_alone);
        self.counts.add("answers", name_of(said, &due));
        let request = command.key().map(|key| terms.request(key, now));
        self.hold_to(due, now, request, said, seq)?;
        if let Some(made) = number.filter(|number| self.made.last() != Some(number)) {
            self.made.push(made);
        }
        Ok(())
    }

    fn hold_to(
        &mut self,
        due: Due,
        now: TimeMs,
        request: Option<Request>,
        said: Result<Said, ErrorKind>,
        seq: Option<Option<Seq>>,
    ) -> Checked {
        let (should, should_seq) = match due {
            Due::Error(kind) => (Err(kind), None),
            Due::Nothing(outcome) => (Ok(outcome), None),
            Due::Again(outcome, first) => (Ok(outcome), Some(first)),
            Due::Facts(facts, outcome) => {
                self.books.hold_answer(&said, &Ok(outcome))?;
                self.enter(now, request, facts)?;
                (Ok(outcome), Some(self.books.seq))
            }
        };
        self.books.hold_answer(&said, &should)?;
        agree("the event of the answer", &seq.unwrap_or(should_seq), &should_seq)
    }

    pub(super) fn then(&mut self, mut ticket: Ticket<Said>, then: Then) -> Checked {
        let Some(seq) = ticket.seq() else {
            return Ok(());
        };
        match then {
            Then::Wait => {
                let outcome = ticket.outcome();
                match ticket.wait() {
                    Ok(durable) => {
                        agree("the outcome once it is durable", &durable, &outcome)?;
                        self.acknowledge(seq)
                    }
                    Err(error) => self.excuse(&error),
                }
            }
            Then::Keep => {
                // Asked for once, so that it will be written.
                let is_early = poll(&mut ticket).is_ready()
                    && self.engine()?.durable_seq() < seq
                    && !self.is_dead();
                hold(!is_early, || format!("event {seq} is not durable, but its ticket resolves"))?;
                self.kept.push((ticket, seq));
                Ok(())
            }
            Then::Drop => Ok(()),
        }
    }

    pub(super) fn excuse(&self, error: &Error) -> Checked {
        hold(self.excuses(error.kind()), || format!("it fails, though nothing failed: {error}"))
    }

    fn acknowledge(&mut self, seq: Seq) -> Checked {
        let durable = self.engine()?.durable_seq();
        hold(durable >= seq, || {
            format!("event {seq} is acknowledged, but {durable} is the last that is durable")
        })?;
        self.acknowledged = self.acknowledged.max(seq);
        Ok(())
    }

    /// Looks at the tickets that were kept: each resolves when its event is durable, and not
    /// before.
    fn look(&mut self) -> Checked {
        for (mut ticket, seq) in std::mem::take(&mut self.kept) {
            match poll(&mut ticket) {
                Poll::Ready(Ok(_)) => self.acknowledge(seq)?,
                Poll::Ready(Err(error)) => self.excuse(&error)?,
                Poll::Pending => {
                    let durable = self.engine()?.durable_seq();
                    hold(durable < seq, || {
                        format!("event {seq} is durable, but its ticket waits")
                    })?;
                    self.kept.push((ticket, seq));
                }
            }
        }
        Ok(())
    }

    fn batch(&mut self, asks: &[Keyed], then: Then) -> Checked {
        let mut sound = Vec::new();
        for (wish, key) in asks {
            if let Some(ask) = self.resolve(wish)? {
                sound.push((ask, *key));
            }
        }
        let engine = self.engine()?;
        let commands: Vec<Command<'_>> =
            sound.iter().map(|(ask, key)| ask.command(key.map(|key| ask.key(key)))).collect();
        let now = engine.now_ms();
        let ticket = engine
            .batch(&commands)
            .map_err(|error| format!("a batch of {}: {error}", commands.len()))?;
        let said: Vec<_> = ticket
            .outcomes()
            .iter()
            .map(|said| said.as_ref().copied().map(Said::from).map_err(Error::kind))
            .collect();
        agree("answers of a batch", &said.len(), &commands.len())?;
        for (command, said) in commands.iter().zip(said) {
            self.hear(command, now, said, None)?;
        }
        self.asked.extend(sound.iter().filter_map(|(ask, key)| key.map(|key| (ask.clone(), key))));
        if then != Then::Wait {
            return Ok(());
        }
        let last = self.books.seq;
        match ticket.wait() {
            // A batch of which nothing came waits for nothing.
            Ok(_) if engine.durable_seq() < last => Ok(()),
            Ok(_) => self.acknowledge(last),
            Err(error) => self.excuse(&error),
        }
    }

    /// What must come of a command that is no `Command`.
    pub(super) fn hear_other<T: Into<Said>>(
        &mut self,
        now: TimeMs,
        due: Due,
        request: Option<Request>,
        said: Result<Ticket<T>, Error>,
        then: Then,
    ) -> Checked {
        let said = said.map(|ticket| ticket.map(Into::into));
        let outcome = said.as_ref().map(|ticket| ticket.outcome()).map_err(Error::kind);
        let seq = said.as_ref().ok().map(Ticket::seq);
        self.note(format_args!("{outcome:?} {seq:?}"));
        if outcome.is_err_and(|kind| self.excuses(kind)) {
            return Ok(());
        }
        self.hold_to(due, now, request, outcome, seq)?;
        said.map_or(Ok(()), |ticket| self.then(ticket, then))
    }

    fn note_on(&mut self, pick: usize, bytes: usize) -> Checked {
        let engine = self.engine()?;
        let (now, reservation) = (engine.now_ms(), self.recent(pick));
        let body = &FILLER[..bytes];
        let fact = Fact::Noted { reservation, body: body.into() };
        self.counts.add("requests", "note");
        self.hear_other(
            now,
            Due::Facts(vec![fact], Said::Recorded),
            None,
            engine.note(Note::new(reservation, body)),
            Then::Keep,
        )
    }

    /// What becomes of a note when somebody who knows how reservations ended decides it.
    fn note_when(
        &mut self,
        pick: usize,
        owner: Option<AccountIndex>,
        key: Option<u8>,
        bytes: usize,
        is_met: bool,
    ) -> Checked {
        let owner = match owner.map(|place| self.open(place)).transpose()? {
            Some(None) => return Ok(()),
            owner => owner.flatten(),
        };
        let engine = self.engine()?;
        let mut asked = (self.recent(pick), owner, key, bytes);
        if pick.is_multiple_of(3) && !self.noted.is_empty() {
            // The same once more.
            asked = self.noted[pick / 3 % self.noted.len()];
        }
        let (reservation, owner, key, bytes) = asked;
        let (now, body) = (engine.now_ms(), &FILLER[..bytes]);
        let asked_for = format!("note {reservation} {owner:?} {bytes}");
        let key = key.map(|key| key_of(key, &asked_for));
        if key.is_some() {
            self.noted.push(asked);
        }
        let terms = self.plan.setup.terms();
        let due =
            self.books.decide_note(Note::new(reservation, body), key, is_met, now, &terms.bounds);
        let said = engine.note_if(&Noting { reservation, body, owner, key }, is_met);
        let told = said.as_ref().map(|ticket| Said::from(ticket.outcome()));
        self.counts.add("requests", "note with a condition");
        self.counts.add("notes", name_of(told.map_err(Error::kind), &due));
        let request = key.map(|key| terms.request(key, now));
        self.hear_other(now, due, request, said, Then::Keep)
    }

    fn close_account(&mut self, place: AccountIndex) -> Checked {
        let Some(account) = self.open(place)? else {
            return Ok(());
        };
        let engine = self.engine()?;
        let now = engine.now_ms();
        let due = self.books.decide_close(account, now);
        self.counts.add("requests", "close account");
        self.hear_other(now, due, None, engine.close_account(account), Then::Wait)
    }

    /// Turns the wheels: what is due ends, and nothing else.
    fn expire(&mut self) -> Checked {
        let engine = self.engine()?;
        let (now, mut due) = (engine.now_ms(), self.books.due(engine.now_ms()));
        match engine.expire_due() {
            Ok(count) => agree("reservations that expired", &count, &due.len())?,
            Err(error) => {
                self.excuse(&error)?;
                // The journal failed in the middle of it.
                due.retain(|id| engine.pending(*id).is_none());
            }
        }
        self.counts.add_many("answers", "Expired", due.len() as u64);
        let due = Rc::new(due);
        for id in due.iter() {
            let fact = self.books.lapse(*id, now).ok_or("what is due is pending")?;
            self.books.enter(&Event { at: now, request: None, fact })?;
            self.log.push(Slot::Lapsed(now, Rc::clone(&due)));
        }
        Ok(())
    }

    fn checkpoint(&mut self, before: usize, asks: &[Keyed]) -> Checked {
        let engine = self.engine()?;
        let mut asked = Ok(());
        let written = engine.checkpoint_with(&mut |part| {
            if part == before {
                asked = asks.iter().try_for_each(|(wish, key)| self.wish(wish, *key, Then::Drop));
            }
        });
        asked?;
        self.shown = self.books.ended.keys().copied().collect();
        self.counts.add("checkpoints", if written.is_ok() { "written" } else { "failed" });
        match written {
            Ok(seq) => hold(seq <= self.books.seq, || {
                format!("a checkpoint shows event {seq} of {}", self.books.seq)
            }),
            Err(error) => hold(self.has_failed(), || {
                format!("a checkpoint fails, though nothing failed: {error}")
            }),
        }
    }

    /// Whether a fault has struck, so that an error needs no other reason.
    pub(super) fn has_failed(&self) -> bool {
        self.is_dead() || self.vfs.is_off() || self.vfs.is_full() || !self.vfs.struck().is_empty()
    }
}

fn poll(ticket: &mut Ticket<Said>) -> Poll<Result<Said, Error>> {
    Pin::new(ticket).poll(&mut Context::from_waker(Waker::noop()))
}

fn name_of(said: Result<Said, ErrorKind>, due: &Due) -> String {
    if matches!(due, Due::Again(..)) {
        return "first answer again".to_owned();
    }
    let told: Box<dyn Debug> = match said {
        Ok(outcome) => Box::new(outcome),
        Err(kind) => Box::new(kind),
    };
    let told = format!("{told:?}");
    told.split([' ', '(']).next().unwrap_or_default().to_owned()
}
