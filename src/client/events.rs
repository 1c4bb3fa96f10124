//! A stream of events that goes on where it stopped.

use std::collections::VecDeque;

use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, HeaderName, HeaderValue};
use tokio::time::{sleep, timeout};

use super::Client;
use super::error::{ClientError, Refusal};
use super::send::Backoff;
use super::stream::{Message, Parser};
use crate::base::error::Error;
use crate::base::{Seq, handle};
use crate::outgoing::{Opened, Sent};
use crate::wire::{LedgerEvent, StreamEnd};

const EVENT_STREAM: &str = "text/event-stream";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The longest refusal that is read, in bytes.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// The events from some place on, each once and in order, as they become durable: see
/// [`Client::events`].
pub struct Events {
    client: Client,
    /// The number of the next event; `None` before the first, of the oldest that is kept.
    next: Option<Seq>,
    open: Option<(Opened, Parser)>,
    ahead: VecDeque<LedgerEvent>,
    backoff: Backoff,
}

handle!(Events, this { next: this.next });

impl Client {
    /// Follows the events from `from` on, or from the oldest that is kept. Nothing is connected before
    /// the first is asked for.
    pub fn events(&self, from: Option<Seq>) -> Events {
        Events {
            client: self.clone(),
            next: from,
            open: None,
            ahead: VecDeque::new(),
            backoff: Backoff::default(),
        }
    }
}

impl Events {
    /// The next event, waiting for it as long as it takes. A connection that breaks off, a server that
    /// is restarted, and one that finds this client too slow are met by connecting anew: it goes on
    /// after the last event that it told.
    ///
    /// # Errors
    /// `EVENTS_GONE` when the next event is no longer kept, and what else the server refuses for good;
    /// `Unreadable` when what comes is no event, or one is missing.
    pub async fn next(&mut self) -> Result<LedgerEvent, ClientError> {
        loop {
            if let Some(event) = self.ahead.pop_front() {
                self.next = Some(event.seq + 1);
                return Ok(event);
            }
            if self.open.is_none() && !self.connect().await? {
                sleep(self.backoff.next()).await;
                continue;
            }
            let Some((opened, parser)) = &mut self.open else { continue };
            let frame = timeout(self.client.silence, opened.body.frame()).await;
            let Ok(Some(Ok(frame))) = frame else {
                self.open = None;
                sleep(self.backoff.next()).await;
                continue;
            };
            let Ok(bytes) = frame.into_data() else { continue };
            let messages = parser.take(&bytes).map_err(unreadable)?;
            for message in messages {
                self.take(&message)?;
            }
        }
    }

    /// Takes one message of the stream.
    fn take(&mut self, Message { name, data }: &Message) -> Result<(), ClientError> {
        if name == "end" {
            let end: StreamEnd = serde_json::from_str(data).map_err(unreadable)?;
            self.open = None;
            return match end.code.as_str() {
                "EVENTS_GONE" => Err(ClientError::Refused(Refusal {
                    status: 410,
                    code: end.code,
                    message: end.message,
                    found: None,
                })),
                _ => Ok(()),
            };
        }
        let event: LedgerEvent = serde_json::from_str(data).map_err(unreadable)?;
        let expected = self.ahead.back().map(|last| last.seq + 1).or(self.next);
        match expected {
            Some(expected) if event.seq < expected => Ok(()),
            Some(expected) if event.seq > expected => {
                Err(unreadable(format!("event {expected} is missing before {}", event.seq)))
            }
            Some(_) | None => {
                self.backoff.reset();
                self.ahead.push_back(event);
                Ok(())
            }
        }
    }

    /// Begins a stream. False when that did not work this time.
    async fn connect(&mut self) -> Result<bool, ClientError> {
        let mut headers = self.client.headers()?;
        headers.insert(ACCEPT, HeaderValue::from_static(EVENT_STREAM));
        if let Some(last) = self.next.and_then(|next| next.checked_sub(1)) {
            let last = HeaderValue::try_from(last.to_string())
                .map_err(|_| Error::invalid("the number of an event cannot be sent"))?;
            headers.insert(LAST_EVENT_ID, last);
        }
        let endpoint = self.client.endpoint("/v1/events")?;
        let sent = Sent { method: Method::GET, headers, body: Bytes::new() };
        let Ok(opened) = self.client.http.open(&endpoint, sent).await else {
            return Ok(false);
        };
        if opened.status == 200 {
            self.open = Some((opened, Parser::default()));
            return Ok(true);
        }
        let (status, is_passing) = (opened.status.as_u16(), opened.status.is_server_error());
        let mut body = Vec::new();
        let mut rest = opened.body;
        while let Ok(Some(Ok(frame))) = timeout(self.client.silence, rest.frame()).await {
            body.extend_from_slice(&frame.into_data().unwrap_or_default());
            if body.len() > REFUSAL_BYTES_MAX {
                break;
            }
        }
        match Refusal::read(status, &body) {
            Some(refusal) if refusal.may_pass() => Ok(false),
            Some(refusal) => Err(ClientError::Refused(refusal)),
            None if is_passing => Ok(false),
            None => Err(unreadable(format!("status {status}"))),
        }
    }
}

fn unreadable(what: impl ToString) -> ClientError {
    ClientError::Unreadable(what.to_string())
}
