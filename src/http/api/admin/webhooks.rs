//! The receivers of webhooks, as operators look after them.

use std::collections::HashSet;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::MutexGuard;

use crate::base::error::Error;
use crate::base::{IdempotencyKey, Seq, TimeMs};
use crate::http::App;
use crate::http::body::{Empty, Sent};
use crate::http::call::OperatorCall;
use crate::http::error::ApiError;
use crate::http::query;
use crate::http::reply::Answer;
use crate::http::told::Told;
use crate::webhooks::{
    Attempt, Dead, Make, OVERLAP_MS_MAX, Off, Patch, Refusal, Standing, Webhooks,
};

/// For how long an old secret signs besides the new one, unless it is said.
const OVERLAP_MS: u64 = 86_400_000;
const PAGE_SIZE: u64 = 20;
const PAGE_SIZE_MAX: u64 = 1_000;
/// How many messages one request names.
const MESSAGES_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct MakeWire {
    receiver_id: String,
    url: String,
    #[serde(default)]
    events: Vec<String>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    secret: Option<SecretString>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct PatchWire {
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    events: Option<Vec<String>>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    enabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct RotateWire {
    #[serde(default)]
    secret: Option<SecretString>,
    #[serde(default)]
    overlap_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct ReplayWire {
    receiver_id: String,
    /// All of them where none is named.
    #[serde(default)]
    message_ids: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LastFailureWire {
    at: TimeMs,
    message_id: String,
    error: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SecretWire {
    since: TimeMs,
    /// Null for the one that stays.
    ends_at: Option<TimeMs>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReceiverWire {
    receiver_id: String,
    url: String,
    events: Vec<String>,
    description: String,
    enabled: bool,
    disabled_reason: Option<&'static str>,
    created_at: TimeMs,
    created_by: String,
    /// When each secret that signs began to, the newest first; never the secrets.
    secrets: Vec<SecretWire>,
    /// Every event up to this one was read for it.
    seq: Seq,
    waiting: usize,
    oldest_queued_at: Option<TimeMs>,
    dead: usize,
    dead_evicted: u64,
    delivered: u64,
    failed_attempts: u64,
    last_delivered_at: Option<TimeMs>,
    last_failure: Option<LastFailureWire>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReceiversWire {
    receivers: Vec<ReceiverWire>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageWire {
    receiver_id: String,
    message_id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    about: String,
    seq: Seq,
    queued_at: TimeMs,
    attempts: u32,
    last_error: Option<String>,
    died_at: TimeMs,
    /// What is sent.
    body: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeadWire {
    messages: Vec<MessageWire>,
    /// How many there are in all, and how many are not kept any more.
    count: usize,
    evicted: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReplayedWire {
    receiver_id: String,
    replayed: usize,
    /// How many are left: not named, or without room.
    left: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttemptWire {
    message_id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    at: TimeMs,
    /// The first is 1.
    attempt: u32,
    delivered: bool,
    error: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttemptsWire {
    deliveries: Vec<AttemptWire>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SentWire {
    message_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RemovedWire<'a> {
    receiver_id: &'a str,
}

impl ReceiverWire {
    fn of(standing: Standing) -> Self {
        let Standing { id, profile, counts, waiting, oldest_queued_at, dead, read_through } =
            standing;
        let secrets = profile.secrets.iter();
        Self {
            receiver_id: id,
            url: profile.url.to_string(),
            events: profile.events.names().to_vec(),
            secrets: secrets
                .map(|it| SecretWire { since: it.since, ends_at: it.ends_at })
                .collect(),
            description: profile.description,
            enabled: profile.off.is_none(),
            disabled_reason: profile.off.map(Off::name),
            created_at: profile.created_at,
            created_by: profile.created_by,
            seq: read_through,
            waiting,
            oldest_queued_at,
            dead,
            dead_evicted: counts.dead_evicted,
            delivered: counts.delivered,
            failed_attempts: counts.failed_attempts,
            last_delivered_at: counts.last_delivered_at,
            last_failure: counts.last_failure.map(|it| LastFailureWire {
                at: it.at,
                message_id: it.message_id,
                error: it.error,
            }),
        }
    }
}

impl MessageWire {
    fn of(receiver_id: &str, dead: Dead) -> Self {
        let Dead { letter, died_at } = dead;
        Self {
            receiver_id: receiver_id.to_owned(),
            message_id: letter.id,
            kind: letter.kind.name(),
            about: letter.about,
            seq: letter.seq,
            queued_at: letter.queued_at,
            attempts: letter.attempts,
            last_error: letter.last_error,
            died_at,
            body: letter.body,
        }
    }
}

impl From<Attempt> for AttemptWire {
    fn from(Attempt { letter, at, error }: Attempt) -> Self {
        Self {
            message_id: letter.id,
            kind: letter.kind.name(),
            at,
            attempt: letter.attempts.saturating_add(1),
            delivered: error.is_none(),
            error,
        }
    }
}

fn webhooks(app: &App) -> Result<&Webhooks, ApiError> {
    let off = || Error::unavailable("this server sends no webhooks");
    app.webhooks.as_ref().ok_or_else(|| off().into())
}

/// Does what writes beside the runtime's workers.
pub(in crate::http) async fn blocking<T: Send + 'static, const N: usize>(
    call: &OperatorCall<'_, N>,
    act: impl FnOnce(&Webhooks) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, ApiError> {
    let webhooks = webhooks(call.app)?.clone();
    call.lanes().lists.run(move || Ok(act(&webhooks)?)).await
}

pub(in crate::http) async fn list(call: OperatorCall<'_>) -> Answer {
    call.no_query()?;
    let standings = webhooks(call.app)?.standings();
    let receivers = standings.into_iter().map(ReceiverWire::of).collect();
    Ok(call.success(&ReceiversWire { receivers }))
}

/// Acts once under a key, one request after another.
async fn once<const N: usize>(
    call: &OperatorCall<'_, N>,
    key: Option<IdempotencyKey>,
    act: impl Future<Output = Result<Told, ApiError>>,
) -> Answer {
    let _turn = turn(call.app, key).await?;
    call.once(key, act).await
}

async fn turn(
    app: &App,
    key: Option<IdempotencyKey>,
) -> Result<Option<MutexGuard<'_, ()>>, ApiError> {
    match key {
        Some(_) => Ok(Some(webhooks(app)?.turn().await)),
        None => Ok(None),
    }
}

/// Makes a secret, which is shown beside how the receiver stands. It is not kept with the answer:
/// whoever asks again is shown it out of the receiver, as long as it is one of its secrets.
async fn once_secret<const N: usize>(
    call: &OperatorCall<'_, N>,
    key: Option<IdempotencyKey>,
    id: &str,
    make: impl Future<Output = Result<(SecretString, Standing), ApiError>>,
) -> Answer {
    let _turn = turn(call.app, key).await?;
    let mut made = None;
    let kept = async {
        let (secret, standing) = make.await?;
        made = Some(secret);
        Told::of(&ReceiverWire::of(standing), None)
    };
    let told = call.once_told(key, kept).await?;
    let found = || key.and_then(|key| webhooks(call.app).ok()?.secret_made_under(id, key));
    match made.or_else(found) {
        Some(secret) => call.tell(&told.with("secret", secret.expose_secret())?),
        None => call.tell(&told),
    }
}

pub(in crate::http) async fn create(call: OperatorCall<'_>, body: Sent<MakeWire>) -> Answer {
    call.no_query()?;
    let (wire, key) = body.read(&call).await?;
    let MakeWire { receiver_id: id, url, events, description, secret } = wire;
    let by = call.identity().user.id().to_owned();
    let receiver_id = id.clone();
    let make = Make { id, url, events, description, secret, by, key };
    let making = blocking(&call, move |webhooks| {
        let id = make.id.clone();
        Ok((webhooks.make(make)?, webhooks.standing(&id)?))
    });
    once_secret(&call, key, &receiver_id, making).await
}

pub(in crate::http) async fn get(call: OperatorCall<'_, 1>) -> Answer {
    call.no_query()?;
    let [id] = call.path;
    Ok(call.success(&ReceiverWire::of(webhooks(call.app)?.standing(id)?)))
}

pub(in crate::http) async fn patch(call: OperatorCall<'_, 1>, body: Sent<PatchWire>) -> Answer {
    call.no_query()?;
    let (wire, key) = body.read(&call).await?;
    let id = call.path[0].to_owned();
    let PatchWire { url, events, description, enabled } = wire;
    let patch = Patch { url, events, description, enabled };
    let patching = async {
        let patched = blocking(&call, move |webhooks| {
            webhooks.patch(&id, patch)?;
            webhooks.standing(&id)
        });
        Told::of(&ReceiverWire::of(patched.await?), None)
    };
    once(&call, key, patching).await
}

pub(in crate::http) async fn remove(call: OperatorCall<'_, 1>, body: Empty) -> Answer {
    call.no_query()?;
    let key = body.read_keyed(&call).await?;
    let [receiver_id] = call.path;
    let id = receiver_id.to_owned();
    let removing = async {
        blocking(&call, move |webhooks| webhooks.delete(&id)).await?;
        Told::of(&RemovedWire { receiver_id }, None)
    };
    once(&call, key, removing).await
}

pub(in crate::http) async fn rotate(call: OperatorCall<'_, 1>, body: Sent<RotateWire>) -> Answer {
    call.no_query()?;
    let (RotateWire { secret, overlap_ms }, key) = body.read(&call).await?;
    let overlap_ms = overlap_ms.unwrap_or(OVERLAP_MS);
    if overlap_ms > OVERLAP_MS_MAX {
        return Err(ApiError::invalid(format!("$.overlapMs: it must be at most {OVERLAP_MS_MAX}")));
    }
    let id = call.path[0].to_owned();
    let rotating = blocking(&call, move |webhooks| {
        let secret = webhooks.rotate(&id, secret.as_ref(), overlap_ms, key)?;
        Ok((secret, webhooks.standing(&id)?))
    });
    once_secret(&call, key, call.path[0], rotating).await
}

pub(in crate::http) async fn test(call: OperatorCall<'_, 1>, body: Empty) -> Answer {
    call.no_query()?;
    let key = body.read_keyed(&call).await?;
    let sending = async {
        let message_id = webhooks(call.app)?.test(call.path[0], key)?;
        Told::of(&SentWire { message_id }, None)
    };
    once(&call, key, sending).await
}

pub(in crate::http) async fn deliveries(call: OperatorCall<'_, 1>) -> Answer {
    call.no_query()?;
    let attempts = webhooks(call.app)?.attempts(call.path[0])?;
    let deliveries = attempts.into_iter().map(AttemptWire::from).collect();
    Ok(call.success(&AttemptsWire { deliveries }))
}

/// Of one receiver, or of all; the newest of each first.
pub(in crate::http) async fn dead(call: OperatorCall<'_>) -> Answer {
    let (mut receiver, mut limit) = (None, PAGE_SIZE);
    for (name, value) in call.query()? {
        match name.as_str() {
            "receiver_id" => receiver = Some(query::short(&name, value)?),
            "page_size" => limit = query::number(&name, &value, 1..=PAGE_SIZE_MAX)?,
            _ => return Err(query::unknown(&name)),
        }
    }
    let webhooks = webhooks(call.app)?;
    let standings = match &receiver {
        Some(id) => vec![webhooks.standing(id)?],
        None => webhooks.standings(),
    };
    let (mut messages, mut count, mut evicted) = (Vec::new(), 0, 0);
    for Standing { id, counts, .. } in standings {
        let dead = webhooks.dead(&id)?;
        count += dead.len();
        evicted += counts.dead_evicted;
        let room = (limit as usize).saturating_sub(messages.len());
        messages.extend(dead.into_iter().take(room).map(|dead| MessageWire::of(&id, dead)));
    }
    Ok(call.success(&DeadWire { messages, count, evicted }))
}

pub(in crate::http) async fn replay(call: OperatorCall<'_>, body: Sent<ReplayWire>) -> Answer {
    call.no_query()?;
    let (ReplayWire { receiver_id, message_ids }, key) = body.read(&call).await?;
    if message_ids.as_ref().is_some_and(|ids| ids.len() > MESSAGES_MAX) {
        return Err(ApiError::invalid(format!("$.messageIds: at most {MESSAGES_MAX} at a time")));
    }
    let ids: Option<HashSet<String>> = message_ids.map(|ids| ids.into_iter().collect());
    let id = receiver_id.clone();
    let replaying = async {
        let (replayed, left) =
            blocking(&call, move |webhooks| webhooks.replay(&id, ids.as_ref())).await?;
        Told::of(&ReplayedWire { receiver_id, replayed, left }, None)
    };
    once(&call, key, replaying).await
}
