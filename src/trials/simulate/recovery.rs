//! The end of a process, the next one's start on what is left, and what must be left.

use std::path::Path;

use super::step::Ending;
use super::world::{Slot, World};
use crate::base::error::{Error, ErrorKind};
use crate::base::{IdempotencyKey, Seq};
use crate::engine::Engine;
use crate::event::{self, Event, Fact};
use crate::trials::oracle::{Checked, Said, agree, hold};
use crate::vfs::crash::{CrashVfs, Fault};

/// How often an opening may fail: more often than faults can strike it.
const ATTEMPTS_MAX: usize = 100;

pub(super) const DIR: &str = "data";

impl World<'_> {
    /// Ends the process in this way, and starts the next one.
    pub(super) fn end(&mut self, ending: Ending) -> Checked {
        let struck = self.vfs.struck();
        for (operation, fault) in &struck {
            self.counts.add("faults", format!("{fault:?} at {operation:?}"));
        }
        self.vfs.forget_struck();
        if self.vfs.is_off() {
            let at = struck.iter().rev().find(|(_, fault)| *fault == Fault::PowerCut);
            self.counts.add(
                "crash points",
                at.map_or("between".to_owned(), |(operation, _)| format!("{operation:?}")),
            );
        } else if ending == Ending::PowerCut {
            self.counts.add("crash points", "between");
        }
        self.counts.add("endings", format!("{ending:?}"));
        self.kept.clear();
        let engine = self.engine.take();
        match ending {
            Ending::PowerCut => {
                self.vfs.cut_power();
                drop(engine);
                self.lose_power();
            }
            Ending::Kill => {
                self.vfs.cut_power();
                drop(engine);
                self.vfs.revive();
            }
            Ending::Drop => drop(engine),
            Ending::Close => {
                self.shown = self.books.ended.keys().copied().collect();
                let closed = engine.map_or(Ok(()), |engine| engine.close());
                closed.or_else(|error| {
                    hold(self.has_failed(), || format!("a close fails: {error}"))
                })?;
            }
        }
        self.reopen()
    }

    pub(super) fn lose_power(&mut self) {
        let mut chance = self.chance();
        let seed = chance.number() ^ self.openings;
        self.vfs = self.vfs.crash(seed);
    }

    /// Starts a process, as often as it takes, and checks what it finds.
    pub(super) fn reopen(&mut self) -> Checked {
        for _ in 0..ATTEMPTS_MAX {
            let opened = self.open_engine();
            if self.vfs.is_off() {
                self.counts.add("crash points", "in a recovery");
                drop(opened);
                self.lose_power();
                continue;
            }
            match opened {
                Ok(engine) => {
                    self.engine = Some(engine);
                    self.counts.add("recoveries", "opened");
                    return self.check_recovered();
                }
                Err(error) => self.check_refused(&error)?,
            }
        }
        Err("the engine never opens".to_owned())
    }

    fn open_engine(&mut self) -> crate::base::error::Result<Engine> {
        self.openings += 1;
        let seed = self.plan.seed ^ self.openings.wrapping_mul(0xd6e8_feb8_6659_fd93);
        self.builder_on(&self.vfs, seed).open()
    }

    /// An engine on these files, set up as in the plan.
    pub(super) fn builder_on(&self, vfs: &CrashVfs, seed: u64) -> crate::engine::EngineBuilder {
        let setup = &self.plan.setup;
        Engine::builder(Path::new(DIR))
            .vfs(vfs.clone())
            .stepped(seed)
            .clock(self.machine.of_process())
            .history(false)
            .segment_bytes(setup.segment_bytes)
            .queue_bytes_max(setup.queue_bytes_max)
            .archive_bytes_max(setup.archive_bytes_max)
            .idempotency_window_ms(setup.window_ms)
            .idempotency_keys_per_owner(setup.keys_per_owner)
            .reservations_per_shard_max(setup.reservations_per_shard_max)
    }

    /// An opening fails only when the disk does, and says so.
    fn check_refused(&mut self, error: &Error) -> Checked {
        hold(error.kind() == ErrorKind::Unavailable, || format!("it does not open: {error}"))?;
        let struck = self.vfs.struck();
        hold(!struck.is_empty() || self.vfs.is_full(), || {
            format!("it does not open, though nothing failed: {error}")
        })?;
        self.counts.add("recoveries", "tried again");
        // Somebody looks at the message, and makes room.
        self.vfs.make_room();
        Ok(())
    }

    /// Everything acknowledged is there, what is there was decided, and nothing else is.
    fn check_recovered(&mut self) -> Checked {
        let engine = self.engine()?;
        let last = engine.durable_seq();
        agree("the last event, and the last that is durable", &engine.status().last_seq, &last)?;
        hold(last >= self.acknowledged, || {
            format!(
                "event {} was acknowledged, but after the restart {last} is the last",
                self.acknowledged
            )
        })?;
        hold(last >= self.audited.seq, || {
            format!("event {} was read, but {last} is the last", self.audited.seq)
        })?;
        hold(last <= self.log.len() as Seq, || {
            format!("event {last} is there, which nobody decided")
        })?;
        self.counts.add_many(
            "recoveries",
            "events lost that nobody was told of",
            self.log.len() as u64 - last,
        );
        self.log.truncate(last as usize);
        // Until it is read back, which events there are is known only for those that have one
        // place.
        while self.audited.seq < last && !self.vfs.is_off() {
            self.audit()?;
        }
        if self.vfs.is_off() {
            return Ok(());
        }
        let ended = &self.audited.ended;
        let shown = self.shown.iter().filter(|id| ended.contains_key(id));
        self.audited.faded = shown.copied().collect();
        self.books = self.audited.clone();
        self.durables = vec![last, last];
        self.check_followers(last)?;
        hold(engine.now_ms() >= self.books.at, || {
            format!("the time is {}, before the last event", engine.now_ms())
        })?;
        self.check_answers(&engine)?;
        self.compare()
    }

    /// Every answer that is remembered is the first one.
    fn check_answers(&mut self, engine: &Engine) -> Checked {
        let mut forgotten = Vec::new();
        for (key, answer) in &self.books.answers {
            let said = engine
                .first_answer(IdempotencyKey::from_number(*key))
                .map_err(|error| error.to_string())?;
            let said = said.map(|ticket| (Said::from(ticket.outcome()), ticket.seq()));
            let kept =
                (answer.until > engine.now_ms()).then_some((answer.outcome, Some(answer.seq)));
            if said.is_none() && kept.is_some() && answer.until <= self.books.was_ahead {
                // It was over in the time that was ahead, and another event made it go.
                forgotten.push(*key);
                continue;
            }
            agree("the answer to a retry", &said, &kept)?;
        }
        self.books.answers.retain(|key, _| !forgotten.contains(key));
        Ok(())
    }

    /// Reads back what is durable, and holds it to what was decided.
    pub(super) fn audit(&mut self) -> Checked {
        let engine = self.engine()?;
        if self.audited.seq >= engine.durable_seq() {
            return Ok(());
        }
        let struck = self.vfs.struck().len();
        let first = self.audited.seq + 1;
        let mut events =
            engine.subscribe(first).map_err(|error| format!("event {first} is gone: {error}"))?;
        loop {
            match events.try_next() {
                Ok(Some((seq, event))) => self.audit_event(seq, event)?,
                Ok(None) => break,
                // What failed to be read is read the next time.
                Err(_) if self.vfs.struck().len() > struck || self.vfs.is_off() => return Ok(()),
                Err(error) => {
                    return Err(format!("event {} cannot be read: {error}", self.audited.seq + 1));
                }
            }
        }
        agree("the last event that is read back", &self.audited.seq, &engine.durable_seq())
    }

    fn audit_event(&mut self, seq: Seq, event: Event<'static>) -> Checked {
        let slot = self
            .log
            .get(seq as usize - 1)
            .ok_or_else(|| format!("nobody decided event {seq}: {event:?}"))?;
        let is_mend = matches!(event.fact, Fact::ClockMended { .. });
        hold(event.at >= self.audited.at || is_mend, || {
            format!("the time goes back from {} by event {seq}: {event:?}", self.audited.at)
        })?;
        match (slot, &event.fact) {
            (Slot::Known(should), _) => agree(format!("event {seq}"), &event, should)?,
            (Slot::Lapsed(at, ids), Fact::Expired(end))
                if event.at == *at && ids.contains(&end.reservation) =>
            {
                // The books find a reservation that ends twice.
            }
            (Slot::Mending(at, _), Fact::ClockMended { .. }) if event.at == *at => {}
            (Slot::Mending(at, ids), Fact::Released(end))
                if event.at >= *at && ids.contains(&end.reservation) => {}
            (Slot::Mending(..), _) => {
                return Err(format!("event {seq} follows from no mend: {event:?}"));
            }
            (Slot::Lapsed(..), _) => {
                return Err(format!("event {seq} is no expiry of what was due: {event:?}"));
            }
        }
        self.audited.enter(&event)?;
        let mut record = Vec::new();
        event::encode(&event, &mut record);
        self.records.update(&seq.to_le_bytes());
        self.records.update(&event::kind_of(&event).to_le_bytes());
        self.records.update(&(record.len() as u64).to_le_bytes());
        self.records.update(&record);
        self.log[seq as usize - 1] = Slot::Known(event);
        Ok(())
    }

    /// Holds the engine's state to the books.
    pub(super) fn compare(&self) -> Checked {
        self.books.compare(&self.engine()?)
    }
}
