//! The ledger: accounts and reservations in memory, sharded. It decides and applies; it reads no
//! clock, touches no file, and knows the journal only as a [`Recorder`].
//!
//! Lock order: shards in ascending index, then the documents, then whatever the recorder locks.

mod account;
mod answers;
mod apply;
mod bound;
mod command;
mod counts;
mod decide;
mod documents;
mod ended;
mod fingerprint;
mod gauge;
mod lapses;
mod level;
mod look;
mod outcome;
mod reservations;
mod shard;
mod share;
mod snapshot;
mod uses;
mod wheel;

use std::borrow::Cow;
use std::sync::Arc;

use crossbeam_utils::CachePadded;

use self::answers::{Answers, Asked};
use self::apply::apply;
use self::counts::Unlocked;
use self::decide::{
    Decision, change_policy, check, close, closed, deadline, decide, give_back, give_back_consumed,
};
use self::documents::Documents;
use self::fingerprint::Keyed;
use self::gauge::Gauge;
use self::shard::{Held, Shard, Shards, bit};
use self::share::Share;
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::sync::Mutex;
use crate::base::{
    AccountId, AccountKey, IdempotencyKey, ReservationId, SHARD_COUNT, Seq, ShardIndex, TimeMs,
};
use crate::event::Policy;
use crate::event::{Event, Fact, Recorder, Request};

pub(crate) use answers::{First, Terms};
pub use command::{
    Adjust, Command, Confirm, Deadline, Extend, Line, Note, PutDocument, Receive, Refund, Release,
    Reserve, SetPolicy, Transfer, WriteOff,
};
pub(crate) use counts::{Became, Verb};
pub(crate) use documents::NAME_BYTES_MAX;
pub use level::{Level, Pending};
pub(crate) use look::{AccountCursor, PendingCursor, Tally};
pub use outcome::{
    ChangeOutcome, Changed, CloseOutcome, ConfirmOutcome, ExtendOutcome, FirstAnswer, NotPending,
    Outcome, RefundOutcome, Refusal, ReleaseOutcome, ReserveOutcome, Reserved, TransferOutcome,
    Transferred,
};
#[cfg(feature = "bin")]
pub(crate) use reservations::made_at_ms;
pub(crate) use share::KeyLimits;
pub(crate) use snapshot::{LAYOUT_VERSION, Layout, PART_COUNT, Replay};

/// The bounds of the ledger's tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Pending reservations of one shard.
    pub(crate) reservations_per_shard_max: usize,
    /// Accounts of one shard.
    pub(crate) accounts_per_shard_max: usize,
    /// The idempotency window.
    pub(crate) keys: KeyLimits,
    /// Documents in all.
    pub(crate) documents_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reservations_per_shard_max: 16 << 20,
            accounts_per_shard_max: 1 << 20,
            keys: KeyLimits::default(),
            documents_max: 100_000,
        }
    }
}

/// What a confirmed reservation consumed, as history tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used<'a> {
    pub(crate) reservation: ReservationId,
    pub(crate) lines: &'a [Line],
    /// When it was confirmed.
    pub(crate) consumed_at: TimeMs,
}

/// What a command did, and the event that must be durable before anybody hears of it; `None` when
/// there is none.
pub(crate) type Executed<T = Outcome> = (T, Option<Seq>);

pub(crate) struct Ledger {
    shards: Box<[CachePadded<Mutex<Shard>>]>,
    /// By shard; readable without its lock.
    gauges: Box<[Arc<boxcar::Vec<Gauge>>]>,
    directory: papaya::HashMap<AccountKey, AccountId, foldhash::fast::RandomState>,
    documents: Mutex<Documents>,
    share: Arc<Share>,
    limits: Limits,
    /// Commands that were answered without a lock; each shard counts the others.
    unlocked: Unlocked,
}

/// A note on a reservation, and who asks for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noting<'a> {
    pub(crate) reservation: ReservationId,
    pub(crate) body: &'a [u8],
    pub(crate) owner: Option<AccountId>,
    pub(crate) key: Option<IdempotencyKey>,
}

/// Who asks for the return of what a confirmed reservation consumed, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Return<'a> {
    pub(crate) note: &'a str,
    /// The deadline it had; 0 when that is not known.
    pub(crate) expires_at: TimeMs,
    /// On whose behalf it is asked for.
    pub(crate) owner: Option<AccountId>,
    pub(crate) key: Option<IdempotencyKey>,
}

impl Ledger {
    /// An empty ledger whose wheels start at `now`.
    pub(crate) fn new(limits: Limits, now: TimeMs) -> Self {
        let gauges: Box<[_]> = (0..SHARD_COUNT).map(|_| Arc::new(boxcar::Vec::new())).collect();
        let share = Arc::new(Share::new(limits.keys));
        let shard = |(index, gauges): (ShardIndex, &Arc<_>)| {
            let answers = Answers::new(index, Arc::clone(&share));
            CachePadded::new(Mutex::new(Shard::new(answers, Arc::clone(gauges), now)))
        };
        Self {
            shards: gauges.iter().enumerate().map(shard).collect(),
            gauges,
            directory: papaya::HashMap::with_hasher(foldhash::fast::RandomState::default()),
            documents: Mutex::new(Documents::default()),
            share,
            limits,
            unlocked: Unlocked::default(),
        }
    }

    /// The account with this key.
    pub(crate) fn account(&self, key: &AccountKey) -> Option<AccountId> {
        self.directory.pin().get(key).copied()
    }

    fn gauge(&self, account: AccountId) -> Option<&Gauge> {
        self.gauges[account.shard()].get(account.index())
    }

    fn check_account(&self, account: AccountId) -> Result<()> {
        match self.gauge(account) {
            Some(_) => Ok(()),
            None => {
                Err(Error::not_found(format!("there is no account number {}", account.number())))
            }
        }
    }

    /// On behalf of an account that is closed nothing happens any more.
    fn check_owner(&self, owner: AccountId) -> Result<()> {
        match self.gauge(owner) {
            Some(gauge) if gauge.takeable() == Gauge::CLOSED => {
                Err(Error::not_found(format!("account number {} is closed", owner.number())))
            }
            _ => self.check_account(owner),
        }
    }

    /// What can be taken now, and when more may come: from atomic reads alone where the time does
    /// not matter.
    pub(crate) fn takeable(
        &self,
        account: AccountId,
        now: TimeMs,
    ) -> Result<(u64, Option<TimeMs>)> {
        self.check_account(account)?;
        if let Some(gauge) = self.gauge(account)
            && gauge.takeable() < Gauge::CLOSED
        {
            return Ok((gauge.takeable(), gauge.next_release_at(now)));
        }
        let held = Held::lock(&self.shards, bit(account.shard()));
        let (id, account) =
            (account, held.account(account).expect("an account with a gauge exists"));
        if account.is_closed {
            return Err(closed(&account.key, id));
        }
        Ok((account.takeable(now), account.next_release_at(now)))
    }

    pub(crate) fn level(&self, account: AccountId) -> Result<Level> {
        self.check_account(account)?;
        let held = Held::lock(&self.shards, bit(account.shard()));
        Ok(held.account(account).expect("an account with a gauge exists").level(account))
    }

    pub(crate) fn pending(&self, id: ReservationId) -> Option<Pending> {
        let held = Held::lock(&self.shards, bit(id.shard()));
        held.shard(id.shard()).reservations.get(id).map(|reservation| reservation.pending())
    }

    /// How many reservations are pending. Not one moment's: shards are counted in turn.
    pub(crate) fn pending_count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().reservations.len()).sum()
    }

    /// Every pending reservation, by number. Not one moment's: shards are read in turn.
    pub(crate) fn all_pending(&self) -> Vec<Pending> {
        let mut all = Vec::new();
        for shard in &self.shards {
            all.extend(shard.lock().reservations.iter().map(|reservation| reservation.pending()));
        }
        all.sort_unstable_by_key(|pending| pending.reservation);
        all
    }

    /// The answer from one atomic read a line, for requests that find too little. `None` says
    /// nothing.
    pub(crate) fn refuse_fast(&self, reserve: &Reserve<'_>, now: TimeMs) -> Option<Refusal> {
        // A retry must hear its first answer, however little there is now; and a deadline out of
        // bounds is told before what is lacking.
        if reserve.key.is_some() || deadline(reserve.deadline, now).is_err() {
            return None;
        }
        reserve.lines.iter().enumerate().find_map(|(line, taken)| {
            let gauge = self.gauge(taken.account)?;
            let available = gauge.takeable();
            // An Outstanding quota does not count for a take that is confirmed at once: the slow
            // path knows.
            let short = available < taken.quantity + u64::from(flaw::is_made(Flaw::RefusesFalsely));
            (short && !reserve.confirm).then(|| {
                let next_release_at = gauge.next_release_at(now);
                Refusal { line, account: taken.account, available, next_release_at }
            })
        })
    }

    /// The first answer to a keyed request, while it is remembered.
    ///
    /// # Errors
    /// `Conflict` when the key has a body, and was used with another.
    pub(crate) fn recall(&self, key: IdempotencyKey, now: TimeMs) -> Result<Option<First>> {
        let shard = self.share.place(key.number());
        let held = Held::lock(&self.shards, bit(shard));
        let asked = key.body().map_or(Asked::Anything, |body| Asked::Same(body, body));
        held.shard(shard).answers.find(key.number(), asked, now)
    }

    /// As [`Ledger::recall`], of what is held.
    fn first(&self, held: &Held<'_>, keyed: &Keyed, now: TimeMs) -> Result<Option<First>> {
        let number = keyed.request.key.number();
        held.shard(self.share.place(number)).answers.find(number, keyed.asked, now)
    }

    /// Decides and applies one command.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, `Conflict`, `Overloaded`, or what the recorder says. Nothing is
    /// changed then.
    pub(crate) fn execute(
        &self,
        command: &Command<'_>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Executed> {
        self.check(command).inspect_err(|_| self.unlocked.failed(Verb::of(command)))?;
        if let Command::Reserve(reserve) = command
            && let Some(refusal) = self.refuse_fast(reserve, now)
        {
            self.unlocked.refused();
            return Ok((Outcome::Reserve(ReserveOutcome::Refused(refusal)), None));
        }
        let mut held = self.hold(std::slice::from_ref(command))?;
        self.execute_held(&mut held, command, now, recorder)
    }

    /// Decides and applies many commands in their order, each for itself, in one round of locks.
    pub(crate) fn execute_batch(
        &self,
        commands: &[Command<'_>],
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Vec<Result<Executed>> {
        let checked: Vec<Result<()>> = commands.iter().map(|command| self.check(command)).collect();
        // A malformed command has no footprint; it gets its error below.
        let sound = commands
            .iter()
            .zip(&checked)
            .filter(|(_, checked)| checked.is_ok())
            .map(|(command, _)| *command);
        let sound: Vec<Command<'_>> = sound.collect();
        let Ok(mut held) = self.hold(&sound) else {
            unreachable!("sound commands have a footprint")
        };
        let execute = |(command, checked): (&Command<'_>, Result<()>)| {
            checked.inspect_err(|_| self.unlocked.failed(Verb::of(command)))?;
            self.execute_held(&mut held, command, now, recorder)
        };
        commands.iter().zip(checked).map(execute).collect()
    }

    /// Rejects what is malformed or names what does not exist: before any refusal, which would hide
    /// it.
    pub(crate) fn check(&self, command: &Command<'_>) -> Result<()> {
        check(command)?;
        self.footprint(command).map(drop)
    }

    /// The shards that a command names. What a reservation holds is not known from its number.
    fn footprint(&self, command: &Command<'_>) -> Result<u64> {
        let mut mask = command.key().map_or(0, |key| bit(self.share.place(key.number())));
        match command {
            Command::Receive(Receive { account, .. })
            | Command::Adjust(Adjust { account, .. })
            | Command::WriteOff(WriteOff { account, .. }) => {
                self.check_account(*account)?;
                mask |= bit(account.shard());
            }
            Command::Reserve(reserve) => {
                for line in reserve.lines {
                    self.check_account(line.account)?;
                    mask |= bit(line.account.shard());
                }
                reserve.owner.map_or(Ok(()), |owner| self.check_owner(owner))?;
            }
            Command::Confirm(Confirm { reservation, .. })
            | Command::Release(Release { reservation, .. })
            | Command::Extend(Extend { reservation, .. }) => {
                mask |= bit(reservation.shard());
            }
            Command::Transfer(Transfer { from, to, .. }) => {
                for account in [from, to] {
                    self.check_account(*account)?;
                    mask |= bit(account.shard());
                }
            }
        }
        Ok(mask)
    }

    /// Locks every shard that the commands touch.
    fn hold(&self, commands: &[Command<'_>]) -> Result<Held<'_>> {
        let mut mask = 0;
        for command in commands {
            mask |= self.footprint(command)?;
        }
        let mut held = Held::lock(&self.shards, mask);
        loop {
            let mut needed = 0;
            for command in commands {
                if let Command::Confirm(Confirm { reservation, .. })
                | Command::Release(Release { reservation, .. })
                | Command::Extend(Extend { reservation, .. }) = command
                    && let Some(pending) =
                        held.shard(reservation.shard()).reservations.get(*reservation)
                {
                    needed |= mask_of(&pending.lines);
                }
            }
            // A reservation's lines never change, but one whose number was guessed may appear while
            // no lock is held.
            if held.extend(needed) {
                return Ok(held);
            }
        }
    }

    fn execute_held(
        &self,
        held: &mut Held<'_>,
        command: &Command<'_>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Executed> {
        let executed = self.decide_held(held, command, now, recorder);
        held.count(Verb::of(command), executed)
    }

    fn decide_held(
        &self,
        held: &mut Held<'_>,
        command: &Command<'_>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<(Executed, Became)> {
        recorder.admit()?;
        let keyed = fingerprint::of_command(command, &self.limits.keys, now);
        if let Some(keyed) = &keyed
            && let Some(first) = self.first(held, keyed, now)?
        {
            return Ok(((first.answer.to(command)?, Some(first.seq)), Became::Repeated));
        }
        match decide(held, command, now, self.limits.reservations_per_shard_max)? {
            Decision::Nothing(outcome) => Ok(((outcome, None), Became::of(&outcome))),
            Decision::Facts { renewals, fact, outcome } => {
                let request = self.admit(keyed, now)?;
                for renewal in renewals {
                    commit(held, &Event { at: now, request: None, fact: renewal }, recorder);
                }
                let seq = commit(held, &Event { at: now, request, fact }, recorder);
                Ok(((outcome, Some(seq)), Became::Done))
            }
        }
    }

    /// Whether the answer to a request that is about to do something can be kept.
    fn admit(&self, keyed: Option<Keyed>, now: TimeMs) -> Result<Option<Request>> {
        keyed.map_or(Ok(()), |keyed| self.share.admit(keyed.owner, now))?;
        Ok(keyed.map(|keyed| keyed.request))
    }

    /// Opens an account, or finds the one with this key and policy.
    ///
    /// # Errors
    /// `Invalid` for a policy out of bounds, `Conflict` when it is open with another one,
    /// `Overloaded` when the shard is full.
    pub(crate) fn open_account(
        &self,
        key: &AccountKey,
        policy: Policy,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<(AccountId, Option<Seq>)> {
        policy.check()?;
        let shard = shard_of(key);
        let mut held = Held::lock(&self.shards, bit(shard));
        // Only who holds the shard opens accounts in it, so this look is final.
        if let Some(account) = self.account(key) {
            let is = held.account(account).map(|account| account.policy);
            if is != Some(policy) {
                return Err(Error::conflict(format!("{key} is open with another policy: {is:?}")));
            }
            // Whoever opened it has seen to its event.
            return Ok((account, None));
        }
        recorder.admit()?;
        let index = held.shard(shard).accounts.len();
        if index >= self.limits.accounts_per_shard_max.min(AccountId::INDEX_MAX) {
            return Err(Error::overloaded("too many accounts are open"));
        }
        let account = AccountId::new(shard, index);
        let fact = Fact::AccountOpened { account, key: key.clone(), policy };
        let seq = commit(&mut held, &Event { at: now, request: None, fact }, recorder);
        self.directory.pin().insert(key.clone(), account);
        Ok((account, Some(seq)))
    }

    /// Closes an account where nothing is left. Its key is free then, and its number is used up.
    ///
    /// # Errors
    /// `NotFound` when there is no such account, and what the recorder says.
    pub(crate) fn close_account(
        &self,
        id: AccountId,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Executed<CloseOutcome>> {
        self.check_account(id)?;
        let mut held = Held::lock(&self.shards, bit(id.shard()));
        recorder.admit()?;
        let (outcome, fact) = close(&held, id, now)?;
        let Some(fact) = fact else {
            return Ok((outcome, None));
        };
        let event = Event { at: now, request: None, fact };
        let seq = commit(&mut held, &event, recorder);
        if let Fact::AccountClosed { account, key } = &event.fact {
            // Still under the lock, as in opening: whoever opens the key anew comes after.
            self.forget_key(key, *account);
        }
        Ok((outcome, Some(seq)))
    }

    /// The key is nobody's, unless it is another account's by now.
    fn forget_key(&self, key: &AccountKey, account: AccountId) {
        let directory = self.directory.pin();
        if directory.get(key) == Some(&account) {
            directory.remove(key);
        }
    }

    /// Gives an account other rules, which hold at once and for what was taken before.
    ///
    /// # Errors
    /// `Invalid` for a policy out of bounds.
    pub(crate) fn set_policy(
        &self,
        id: AccountId,
        policy: Policy,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Option<Seq>> {
        policy.check()?;
        self.check_account(id)?;
        let mut held = Held::lock(&self.shards, bit(id.shard()));
        recorder.admit()?;
        let Some(fact) = change_policy(&held, id, policy, now)? else {
            return Ok(None);
        };
        Ok(Some(commit(&mut held, &Event { at: now, request: None, fact }, recorder)))
    }

    /// As [`Ledger::return_used`], for nobody in particular.
    #[cfg(any(test, feature = "bin"))]
    pub(crate) fn give_back(
        &self,
        used: &Used<'_>,
        note: &str,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Executed<RefundOutcome>> {
        self.return_used(
            used,
            &Return { note, expires_at: 0, owner: None, key: None },
            now,
            recorder,
        )
    }

    /// Returns what a confirmed reservation consumed, and when. The caller knows both from history,
    /// and that it was not returned yet, and lets nobody else return it meanwhile; the ledger
    /// believes no more of it than it can see.
    ///
    /// # Errors
    /// `Conflict` when the reservation cannot have consumed that, or the key was used for another
    /// request.
    pub(crate) fn return_used(
        &self,
        used: &Used<'_>,
        back: &Return<'_>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Executed<RefundOutcome>> {
        let (reservation, Return { owner, key, .. }) = (used.reservation, *back);
        used.lines.iter().try_for_each(|line| self.check_account(line.account))?;
        let keyed =
            key.map(|key| fingerprint::of_return(key, reservation, owner, &self.limits.keys, now));
        let place = key.map_or(0, |key| bit(self.share.place(key.number())));
        let mut held =
            Held::lock(&self.shards, mask_of(used.lines) | bit(reservation.shard()) | place);
        let returned = self.return_held(&mut held, used, back, keyed, now, recorder);
        held.count(Verb::Return, returned)
    }

    fn return_held(
        &self,
        held: &mut Held<'_>,
        used: &Used<'_>,
        back: &Return<'_>,
        keyed: Option<Keyed>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<(Executed<RefundOutcome>, Became)> {
        let (reservation, Return { note, expires_at, .. }) = (used.reservation, *back);
        recorder.admit()?;
        if let Some(keyed) = &keyed
            && let Some(first) = self.first(held, keyed, now)?
        {
            return Ok(((first.answer.to_refund()?, Some(first.seq)), Became::Repeated));
        }
        let lines = give_back_consumed(held, used, now)?;
        let request = self.admit(keyed, now)?;
        let consumed_at = Some(used.consumed_at);
        let fact = Fact::Returned {
            reservation,
            lines,
            note: Cow::Borrowed(note),
            consumed_at,
            expires_at,
        };
        let seq = commit(held, &Event { at: now, request, fact }, recorder);
        Ok(((RefundOutcome::Returned { reservation }, Some(seq)), Became::Done))
    }

    /// Records a note, in its place among the events. It changes no account; with a key, its answer
    /// is kept.
    ///
    /// # Errors
    /// `Conflict` when the key was used for another request.
    pub(crate) fn note(
        &self,
        note: &Noting<'_>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Seq> {
        let fact = Fact::Noted { reservation: note.reservation, body: Cow::Borrowed(note.body) };
        let Some(keyed) = fingerprint::of_note(note, &self.limits.keys, now) else {
            recorder.admit()?;
            return Ok(recorder.record(&Event { at: now, request: None, fact }));
        };
        let place = self.share.place(keyed.request.key.number());
        let mut held = Held::lock(&self.shards, bit(place));
        recorder.admit()?;
        if let Some(first) = self.first(&held, &keyed, now)? {
            return Ok(first.seq);
        }
        let request = self.admit(Some(keyed), now)?;
        Ok(commit(&mut held, &Event { at: now, request, fact }, recorder))
    }

    /// The event of a note with this key, while its answer is remembered.
    ///
    /// # Errors
    /// `Conflict` when the key was used for another request.
    pub(crate) fn noted_before(&self, note: &Noting<'_>, now: TimeMs) -> Result<Option<Seq>> {
        let Some(keyed) = fingerprint::of_note(note, &self.limits.keys, now) else {
            return Ok(None);
        };
        let place = self.share.place(keyed.request.key.number());
        let held = Held::lock(&self.shards, bit(place));
        Ok(self.first(&held, &keyed, now)?.map(|first| first.seq))
    }

    /// Writes a document, or removes it.
    ///
    /// # Errors
    /// `Overloaded` when there are too many.
    pub(crate) fn put_document(
        &self,
        collection: &str,
        key: &str,
        body: Option<&[u8]>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Seq> {
        let mut documents = self.documents.lock();
        recorder.admit()?;
        documents.make_room(collection, key, self.limits.documents_max)?;
        let fact = Fact::Document {
            collection: collection.into(),
            key: key.into(),
            body: body.map(Cow::Borrowed),
        };
        let seq = recorder.record(&Event { at: now, request: None, fact });
        documents.put(collection, key, body);
        Ok(seq)
    }

    /// The documents of a collection, by key.
    pub(crate) fn documents(&self, collection: &str) -> Vec<(String, Vec<u8>)> {
        self.documents.lock().of(collection)
    }

    /// The names of the collections that documents are in.
    pub(crate) fn collections(&self) -> Vec<String> {
        self.documents.lock().collections()
    }

    /// Expires at most `budget` reservations of one shard whose deadline has passed. Returns the
    /// last event with how many there were, and whether nothing more is due.
    pub(crate) fn expire(
        &self,
        shard: ShardIndex,
        now: TimeMs,
        budget: usize,
        recorder: &impl Recorder,
    ) -> Result<(Option<(Seq, usize)>, bool)> {
        let mut held = Held::lock(&self.shards, bit(shard));
        if held.shard(shard).wheel.next_turn().is_none_or(|turn| turn > now) {
            return Ok((None, true));
        }
        recorder.admit()?;
        let mut due = Vec::with_capacity(budget);
        let home = held.shard_mut(shard).expect("the shard is held");
        let done = home.wheel.advance(now, budget, &mut due);
        let slots = due.iter().map(|(_, slot)| *slot);
        let pending = slots.clone().filter_map(|slot| home.reservations.at(slot));
        let mask = pending
            .map(|reservation| mask_of(&reservation.lines))
            .fold(0, |mask, lines| mask | lines);
        let kept = held.extend(mask);
        debug_assert!(kept, "a reservation lives in the lowest shard it touches");
        let mut last: Option<(Seq, usize)> = None;
        for slot in slots {
            let Some(pending) = held.shard(shard).reservations.at(slot) else {
                continue;
            };
            let fact = Fact::Expired(give_back(&held, pending));
            let seq = commit(&mut held, &Event { at: now, request: None, fact }, recorder);
            last = Some((seq, last.map_or(1, |(_, count)| count + 1)));
        }
        if let Some((_, count)) = last {
            held.counts().expired += count as u64;
        }
        Ok((last, done))
    }
}

/// Records and applies an event that was decided on what is held.
fn commit(held: &mut Held<'_>, event: &Event<'_>, recorder: &impl Recorder) -> Seq {
    #[cfg(test)]
    if flaw::is_made(Flaw::LogsLate) {
        return late::commit(held, event, recorder);
    }
    let seq = recorder.record(event);
    apply(held, seq, event).expect("an event applies to the state it was decided on");
    seq
}

/// What [`Flaw::LogsLate`] makes of a commit.
#[cfg(test)]
mod late {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        static LATE: RefCell<Vec<Event<'static>>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn commit(held: &mut Held<'_>, event: &Event<'_>, recorder: &impl Recorder) -> Seq {
        if matches!(event.fact, Fact::Expired(_)) {
            let seq = recorder.last_seq() + 1;
            LATE.with_borrow_mut(|late| late.push(event.clone().into_owned()));
            apply(held, seq, event).expect("an event applies to the state it was decided on");
            return seq;
        }
        let seq = recorder.record(event);
        for late in LATE.take() {
            recorder.record(&late);
        }
        apply(held, seq, event).expect("an event applies to the state it was decided on");
        seq
    }
}

fn mask_of(lines: &[Line]) -> u64 {
    lines.iter().fold(0, |mask, line| mask | bit(line.account.shard()))
}

/// The shard of an account: a user's points and quotas share one, so that an exchange locks two.
fn shard_of(key: &AccountKey) -> ShardIndex {
    shard_of_owner(key.owner())
}

fn shard_of_owner(owner: &str) -> ShardIndex {
    let mut hasher = blake3::Hasher::new();
    hasher.update(owner.as_bytes());
    crate::base::halves(&hasher)[0] as usize & (SHARD_COUNT - 1)
}

#[cfg(test)]
mod tests;
