//! Events of the generic API: pages of them, and a stream.

use hyper::HeaderMap;

use super::facts;
use crate::base::Seq;
use crate::base::error::{Error, ErrorKind};
use crate::engine::{Engine, Subscription};
use crate::http::answer::Body;
use crate::http::call::LedgerCall;
use crate::http::error::{ApiError, Code, FailureWire};
use crate::http::feed::Feed;
use crate::http::reply::{self, Answer, success};
use crate::http::{media, query};
use crate::wire::{EventPage, Found, OldestEvent};

/// How many events a page has unless it is said otherwise, and at most.
const PAGE: u64 = 100;
const PAGE_MAX: u64 = 1_000;
/// How long a page may become, in bytes, before it ends.
const PAGE_BYTES: usize = 1 << 20;
/// No event has a higher number.
const SEQ_MAX: u64 = 1 << 53;

pub(in crate::http) async fn events(call: LedgerCall<'_>) -> Answer {
    let (mut from, mut limit) = (None, PAGE);
    for (name, value) in call.query()? {
        match name.as_str() {
            "from" => from = Some(query::number(&name, &value, 1..=SEQ_MAX)?),
            "limit" => limit = query::number(&name, &value, 1..=PAGE_MAX)?,
            _ => return Err(query::unknown(&name)),
        }
    }
    let last = last_event(call.headers())?;
    match media::is_wanted(media::EVENT_STREAM, call.headers()) {
        true => stream(&call, last.map(|last| last + 1).or(from)),
        false => page(&call, from, limit as usize).await,
    }
}

/// The last event that a client has seen of a stream before.
fn last_event(headers: &HeaderMap) -> Result<Option<Seq>, ApiError> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let value = value.to_str().ok().filter(|value| !value.is_empty());
    let value =
        value.ok_or_else(|| ApiError::invalid("Last-Event-ID is the number of an event"))?;
    query::number("Last-Event-ID", value, 0..=SEQ_MAX).map(Some)
}

async fn page(call: &LedgerCall<'_>, from: Option<Seq>, limit: usize) -> Answer {
    let (mall, format) = (call.app.mall.clone(), call.format);
    let read = move || {
        let (mut next, mut events) = follow(mall.engine(), from)?;
        let (mut page, mut bytes) = (Vec::new(), 0);
        while page.len() < limit && bytes < PAGE_BYTES {
            let Some((seq, event)) =
                events.try_next().map_err(|error| gone(mall.engine(), error))?
            else {
                break;
            };
            next = seq + 1;
            bytes += facts::size(&event);
            page.push(facts::told(seq, &event));
        }
        Ok(success(format, &EventPage { events: page, next }, mall.now_ms()))
    };
    call.lanes().lists.run(read).await
}

fn stream(call: &LedgerCall<'_>, from: Option<Seq>) -> Answer {
    let app = call.app;
    let place =
        app.followers.clone().try_acquire_owned().map_err(|_| {
            ApiError::new(Code::Overloaded).detail("as many follow the events as may")
        })?;
    let (_, events) = follow(app.mall.engine(), from)?;
    let (maker, body) = Body::pieces();
    let feed = Feed {
        events,
        written: facts::written,
        maker,
        stopping: app.draining.subscribe(),
        heartbeat: app.limits.event_heartbeat,
        patience: app.limits.event_patience,
        place,
    };
    tokio::spawn(feed.run());
    Ok(reply::events(body))
}

/// The events from `from` on, or from the oldest there is.
fn follow(engine: &Engine, from: Option<Seq>) -> Result<(Seq, Subscription), ApiError> {
    let from = from.unwrap_or_else(|| engine.status().oldest_seq.max(1));
    let events = engine.subscribe(from).map_err(|error| gone(engine, error))?;
    Ok((from, events))
}

fn gone(engine: &Engine, error: Error) -> ApiError {
    match error.kind() {
        ErrorKind::NotFound => {
            let oldest = OldestEvent { oldest: engine.status().oldest_seq };
            ApiError::with(Code::EventsGone, FailureWire::Found(Found::Oldest(oldest)))
        }
        _ => error.into(),
    }
}
