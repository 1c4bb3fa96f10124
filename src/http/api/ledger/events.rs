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
/// How often the oldest event is looked for again that was let go before it was read.
const RETRIES: usize = 8;
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
        let page = retried(from, || read_page(mall.engine(), from, limit))?;
        Ok(success(format, &page, mall.now_ms()))
    };
    call.lanes().lists.run(read).await
}

fn read_page(engine: &Engine, from: Option<Seq>, limit: usize) -> Result<EventPage, ApiError> {
    let (mut next, mut events) = follow(engine, from)?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    while page.len() < limit && bytes < PAGE_BYTES {
        let Some((seq, event)) = events.try_next().map_err(|error| gone(engine, error))? else {
            break;
        };
        next = seq + 1;
        bytes += facts::size(&event);
        page.push(facts::told(seq, &event));
    }
    Ok(EventPage { events: page, next })
}

/// Does something again that meant the oldest event, which was let go meanwhile.
fn retried<T>(from: Option<Seq>, act: impl Fn() -> Result<T, ApiError>) -> Result<T, ApiError> {
    for _ in 0..RETRIES {
        match act() {
            Err(error) if from.is_none() && error.code == Code::EventsGone => {}
            done => return done,
        }
    }
    act()
}

fn stream(call: &LedgerCall<'_>, from: Option<Seq>) -> Answer {
    let app = call.app;
    let place =
        app.followers.clone().try_acquire_owned().map_err(|_| {
            ApiError::new(Code::Overloaded).detail("as many follow the events as may")
        })?;
    let (_, events) = retried(from, || follow(app.mall.engine(), from))?;
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn the_oldest_event_is_looked_for_again_and_another_is_not() {
        let asked = Cell::new(0);
        let act = || {
            asked.set(asked.get() + 1);
            if asked.get() > 2 { Ok(asked.get()) } else { Err(ApiError::new(Code::EventsGone)) }
        };
        assert_eq!(retried(None, act).ok(), Some(3));
        asked.set(0);
        assert_eq!(retried(Some(1), act).err().map(|error| error.code), Some(Code::EventsGone));
        assert_eq!(asked.get(), 1);
    }
}
