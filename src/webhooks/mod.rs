//! Webhooks: receivers elsewhere are told what becomes of orders and of stock, at least once, and in
//! the order of the events for each order. What they are told, and how, is in `docs/webhooks.md`.
//!
//! The journal is the outbox: each receiver has a place in it, and follows it by itself, as the
//! mirror and the alerts do. What was read and is not delivered yet is kept in a file of the
//! receiver's with that place, so nothing is skipped whenever the process ends, and a message that is
//! tried for days holds up neither the place nor the journal. A sale knows nothing of all this.

mod kind;
mod letter;
mod outbox;
mod profile;
mod receiver;
#[cfg(feature = "bin")]
mod reports;
mod run;
mod secret;
mod send;
mod serve;
mod settings;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use secrecy::SecretString;
use tokio::sync::Notify;

pub(crate) use kind::Wanted;
pub(crate) use outbox::{Counts, Dead};
pub(crate) use profile::{Off, Profile};
pub(crate) use receiver::Attempt;
pub(crate) use run::Sending;
pub use settings::WebhookSettings;

use self::letter::Letter;
use self::outbox::{Outbox, Snapshot};
use self::profile::{MadeUnder, Signing};
use self::receiver::{Receiver, profile_name};
use self::secret::Secret;
use crate::base::error::{Error, Result};
use crate::base::{IdempotencyKey, Seq, TimeMs, handle};
use crate::engine::Engine;
use crate::engine::files::kept::Kept;
use crate::outgoing::{Guard, Trust};

/// The name of the claim.
const CLAIM: &str = "webhooks";
/// How many receivers there may be.
pub(crate) const RECEIVERS_MAX: usize = 16;
/// After how many events that nobody was told of the place is kept, and the claim moved on.
const HELD_MAX: u64 = 8192;
/// For how long an old secret signs besides the new one, at most.
pub(crate) const OVERLAP_MS_MAX: u64 = 7 * 86_400_000;

/// The receivers of a mall.
#[derive(Clone)]
pub(crate) struct Webhooks(Arc<Shared>);

handle!(Webhooks, this { receivers: this.0.receivers.read().len() });

struct Shared {
    engine: Engine,
    settings: WebhookSettings,
    guard: Guard,
    trust: Trust,
    /// Tells this ledger's messages from another's.
    origin: u128,
    receivers: RwLock<BTreeMap<String, Arc<Receiver>>>,
    /// Held while receivers are made and deleted.
    making: Mutex<()>,
    /// Held by a request with a key, from the look at the first answer until its own is kept.
    turn: tokio::sync::Mutex<()>,
    changed: Notify,
}

impl Shared {
    fn receivers(&self) -> Vec<Arc<Receiver>> {
        self.receivers.read().values().cloned().collect()
    }
}

/// Why something was not done.
#[derive(Debug)]
pub(crate) enum Refusal {
    NotFound,
    Exists,
    Engine(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

/// What an operator says of a new receiver.
#[derive(Debug)]
pub(crate) struct Make {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) events: Vec<String>,
    pub(crate) description: String,
    /// `None` for a random one.
    pub(crate) secret: Option<SecretString>,
    pub(crate) by: String,
    /// Under which it is made once.
    pub(crate) key: Option<IdempotencyKey>,
}

/// What is to be otherwise of a receiver; `None` stays.
#[derive(Debug, Default)]
pub(crate) struct Patch {
    pub(crate) url: Option<String>,
    pub(crate) events: Option<Vec<String>>,
    pub(crate) description: Option<String>,
    pub(crate) enabled: Option<bool>,
}

/// A receiver as operators see it.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) id: String,
    pub(crate) profile: Profile,
    pub(crate) counts: Counts,
    pub(crate) waiting: usize,
    pub(crate) oldest_queued_at: Option<TimeMs>,
    pub(crate) dead: usize,
    /// Every event up to this one was read.
    pub(crate) read_through: Seq,
}

impl Webhooks {
    /// The receivers that are kept in the engine's directory. Nothing is sent before
    /// [`Webhooks::begin`].
    ///
    /// # Errors
    /// `Invalid` when the certificates cannot be used, `Unavailable` when the directory cannot be
    /// read. A receiver that cannot be read is named in the log and left out.
    pub(crate) fn open(engine: Engine, settings: WebhookSettings) -> Result<Self> {
        let trust = Trust::new(settings.ca_pem.as_deref())?;
        let guard = Guard::new(settings.private_hosts.iter().cloned());
        let receivers = load(&engine)?;
        Ok(Self(Arc::new(Shared {
            origin: engine.identity().directory,
            engine,
            settings,
            guard,
            trust,
            receivers: RwLock::new(receivers),
            making: Mutex::new(()),
            turn: tokio::sync::Mutex::new(()),
            changed: Notify::new(),
        })))
    }

    /// Begins to send.
    ///
    /// # Errors
    /// `Unavailable` when the thread does not start.
    pub(crate) fn begin(&self) -> Result<Sending> {
        Sending::begin(self.0.clone())
    }

    /// Of two requests with one key the second waits here for what the first is told.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.turn.lock().await
    }

    fn find(&self, id: &str) -> Result<Arc<Receiver>, Refusal> {
        self.0.receivers.read().get(id).cloned().ok_or(Refusal::NotFound)
    }

    /// Makes a receiver that is told of everything from now on; its secret. It blocks on the disk.
    pub(crate) fn make(&self, make: Make) -> Result<SecretString, Refusal> {
        let Make { id, url, events, description, secret, by, key } = make;
        profile::check_id(&id)?;
        let secret = profile::secret(secret.as_ref())?;
        let now = self.0.engine.now_ms();
        let profile = Profile {
            url: profile::check_url(&url, &self.0.guard)?,
            events: Wanted::parse(events)?,
            description: profile::check_description(description)?,
            off: None,
            created_at: now,
            created_by: by,
            secrets: vec![Signing {
                secret: secret.clone(),
                since: now,
                ends_at: None,
                made_under: key.map(MadeUnder::of),
            }],
        };
        let _making = self.0.making.lock();
        if let Ok(there) = self.find(&id) {
            // Its answer may not have been kept: whoever asks again is the one who made it.
            let there = there.profile.lock();
            let made = there.made_under(key.map(MadeUnder::of))?;
            return made.map(Secret::text).ok_or(Refusal::Exists);
        }
        if self.0.receivers.read().len() >= RECEIVERS_MAX {
            let what = format!("there are {RECEIVERS_MAX} receivers of webhooks already");
            return Err(Error::overloaded(what).into());
        }
        let mut outbox = Outbox::default();
        outbox.begin_after(self.0.engine.durable_seq());
        let body = profile.encode()?;
        let receiver = Receiver::new(id.clone(), profile, outbox);
        // Its place is on the disk before it is.
        receiver.keep(&self.0.engine)?;
        self.0.engine.keep(&profile_name(&id), &body)?;
        self.0.receivers.write().insert(id, Arc::new(receiver));
        self.0.changed.notify_one();
        Ok(secret.text())
    }

    /// Changes a receiver. One that is turned on again goes on where it was, or from now on where
    /// the events in between are not kept. It blocks on the disk.
    pub(crate) fn patch(&self, id: &str, patch: Patch) -> Result<(), Refusal> {
        let Patch { url, events, description, enabled } = patch;
        let receiver = self.find(id)?;
        let url = url.map(|url| profile::check_url(&url, &self.0.guard)).transpose()?;
        let events = events.map(Wanted::parse).transpose()?;
        let description = description.map(profile::check_description).transpose()?;
        if enabled == Some(true) && !receiver.is_on() {
            self.find_place(&receiver)?;
        }
        receiver.change(&self.0.engine, |profile| {
            if let Some(url) = url {
                profile.url = url;
            }
            profile.events = events.unwrap_or_else(|| profile.events.clone());
            if let Some(description) = description {
                profile.description = description;
            }
            match enabled {
                Some(true) => profile.off = None,
                Some(false) => profile.off = profile.off.or(Some(Off::Operator)),
                None => {}
            }
            Ok(())
        })?;
        self.0.changed.notify_one();
        Ok(())
    }

    /// Where a receiver that was off goes on.
    fn find_place(&self, receiver: &Receiver) -> Result<()> {
        let (engine, durable_seq) = (&self.0.engine, self.0.engine.durable_seq());
        let read_through = receiver.outbox.lock().read_through();
        let is_there = read_through <= durable_seq && engine.subscribe(read_through + 1).is_ok();
        if !is_there {
            tracing::warn!(
                receiver = receiver.id,
                from_seq = read_through + 1,
                through_seq = durable_seq,
                "a receiver of webhooks is not told of these events: they are not kept"
            );
            receiver.outbox.lock().begin_after(durable_seq);
        }
        receiver.keep(engine)
    }

    /// Another secret signs from now on, the one before for so long besides; the new one. It blocks
    /// on the disk.
    pub(crate) fn rotate(
        &self,
        id: &str,
        chosen: Option<&SecretString>,
        overlap_ms: u64,
        key: Option<IdempotencyKey>,
    ) -> Result<SecretString, Refusal> {
        let (receiver, now) = (self.find(id)?, self.0.engine.now_ms());
        let (secret, under) = (profile::secret(chosen)?, key.map(MadeUnder::of));
        let rotated = receiver.change(&self.0.engine, |profile| {
            if let Some(made) = profile.made_under(under)? {
                return Ok(made.text());
            }
            let text = secret.text();
            profile.rotate(secret, under, now, overlap_ms)?;
            Ok(text)
        });
        Ok(rotated?)
    }

    /// The secret of a receiver that was made under a key, as long as it is one of its secrets.
    pub(crate) fn secret_made_under(&self, id: &str, key: IdempotencyKey) -> Option<SecretString> {
        let receiver = self.find(id).ok()?;
        let profile = receiver.profile.lock();
        profile.made_under(Some(MadeUnder::of(key))).ok()?.map(Secret::text)
    }

    /// Deletes a receiver, with all that was on its way to it. It blocks on the disk.
    pub(crate) fn delete(&self, id: &str) -> Result<(), Refusal> {
        let _making = self.0.making.lock();
        self.find(id)?.delete(&self.0.engine)?;
        self.0.receivers.write().remove(id);
        self.0.changed.notify_one();
        Ok(())
    }

    /// Sends a message that tells nothing; its id, which follows from the key where there is one.
    pub(crate) fn test(&self, id: &str, key: Option<IdempotencyKey>) -> Result<String, Refusal> {
        let receiver = self.find(id)?;
        if !receiver.is_on() {
            return Err(Error::invalid("the receiver is off: nothing is sent to it").into());
        }
        let number = match key {
            // Half of a hash is as good as any number.
            Some(key) => key.number() as u64,
            None => getrandom::u64()
                .map_err(|cause| Error::unavailable("no random bytes").with_source(cause))?,
        };
        let now = self.0.engine.now_ms();
        let mut outbox = receiver.outbox.lock();
        if key.is_some() && outbox.is_about(&Letter::test_id(number)) {
            // The answer to an earlier try was lost with its process.
            return Ok(Letter::test_id(number));
        }
        if !outbox.has_room() {
            return Err(Error::overloaded("as many messages wait as may").into());
        }
        let letter = Letter::test(id, number, outbox.read_through(), now);
        let message = letter.id.clone();
        outbox.push(Letter { queued_at: now, next_at: now, ..letter });
        drop(outbox);
        receiver.wake.notify_one();
        Ok(message)
    }

    /// Tries messages again that were given up: those with these ids, or all, as far as there is
    /// room. How many, and how many are left. It blocks on the disk.
    pub(crate) fn replay(
        &self,
        id: &str,
        ids: Option<&HashSet<String>>,
    ) -> Result<(usize, usize), Refusal> {
        let (receiver, now) = (self.find(id)?, self.0.engine.now_ms());
        let (replayed, left) = {
            let mut outbox = receiver.outbox.lock();
            (outbox.replay(ids, now), outbox.dead().len())
        };
        receiver.keep(&self.0.engine)?;
        receiver.wake.notify_one();
        Ok((replayed, left))
    }

    pub(crate) fn standing(&self, id: &str) -> Result<Standing, Refusal> {
        self.find(id).map(|receiver| standing(&receiver))
    }

    /// Whether every receiver that should hear of something got the last that it was sent.
    pub(crate) fn are_well(&self) -> bool {
        self.0.receivers().iter().all(|receiver| {
            // One lock after the other: elsewhere the outbox's is taken first.
            let off = receiver.profile.lock().off;
            match off {
                Some(Off::Operator | Off::Copied) => true,
                Some(Off::Gone | Off::EventsLost) => false,
                None => receiver.outbox.lock().counts().is_well(),
            }
        })
    }

    pub(crate) fn standings(&self) -> Vec<Standing> {
        self.0.receivers().iter().map(|receiver| standing(receiver)).collect()
    }

    /// The messages to a receiver that were given up, the newest first.
    pub(crate) fn dead(&self, id: &str) -> Result<Vec<Dead>, Refusal> {
        Ok(self.find(id)?.outbox.lock().dead().iter().rev().cloned().collect())
    }

    /// The last attempts of this process, the newest first.
    pub(crate) fn attempts(&self, id: &str) -> Result<Vec<Attempt>, Refusal> {
        Ok(self.find(id)?.attempts.lock().iter().rev().cloned().collect())
    }
}

fn standing(receiver: &Receiver) -> Standing {
    let outbox = receiver.outbox.lock();
    Standing {
        id: receiver.id.clone(),
        profile: receiver.profile.lock().clone(),
        counts: outbox.counts().clone(),
        waiting: outbox.waiting(),
        oldest_queued_at: outbox.oldest_queued_at(),
        dead: outbox.dead().len(),
        read_through: outbox.read_through(),
    }
}

fn load(engine: &Engine) -> Result<BTreeMap<String, Arc<Receiver>>> {
    let mut files: BTreeMap<String, Result<Kept>> = engine.kept()?.into_iter().collect();
    let ids: Vec<String> =
        files.keys().filter_map(|name| name.strip_prefix("receiver-").map(str::to_owned)).collect();
    let mut receivers = BTreeMap::new();
    for id in ids {
        let outbox = files.remove(&receiver::outbox_name(&id));
        let Some(profile) = files.remove(&profile_name(&id)) else { continue };
        match restored(engine, &id, profile, outbox) {
            Ok(receiver) => {
                receivers.insert(id, Arc::new(receiver));
            }
            Err(error) => tracing::error!(%error, id, "a receiver of webhooks cannot be read"),
        }
    }
    Ok(receivers)
}

fn restored(
    engine: &Engine,
    id: &str,
    profile: Result<Kept>,
    outbox: Option<Result<Kept>>,
) -> Result<Receiver> {
    let kept = profile?;
    let mut profile = Profile::decode(&kept.body)?;
    if kept.is_copied {
        tracing::warn!(id, "a receiver of webhooks came with a copy of its directory: it is off");
        profile.off = Some(Off::Copied);
    }
    let snapshot = match outbox {
        Some(kept) => serde_json::from_slice(&kept?.body)
            .map_err(|cause| Error::corrupt("an outbox cannot be read").with_source(cause))?,
        None => Snapshot { read_through: engine.durable_seq(), ..Snapshot::default() },
    };
    Ok(Receiver::new(id.to_owned(), profile, Outbox::restore(snapshot)))
}
