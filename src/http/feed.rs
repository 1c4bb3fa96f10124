//! Server-sent events: the ledger's, to one client, as they become durable.
//!
//! Events are read from the journal's files, so a client that reads slowly costs the ledger nothing,
//! and of what it does not take only a few pieces wait in memory. A client that takes nothing for too
//! long is told so, as far as it can be, and dropped: it goes on where it stopped.

use std::future::poll_fn;
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

use super::answer::Maker;
use super::code::Code;
use crate::base::Seq;
use crate::base::error::{Error, ErrorKind, Result};
use crate::engine::Subscription;
use crate::event::Event;
use crate::wire::StreamEnd;

/// What a client takes for silence after a while: a comment.
const HEARTBEAT: &[u8] = b":\n\n";
/// How much is put into one piece, in bytes, but for one event that is longer.
const PIECE_BYTES: usize = 32 << 10;

/// How an event is written.
pub(super) type Written = fn(Seq, &Event<'_>) -> Result<Vec<u8>>;

/// Follows the events for one client.
pub(super) struct Feed {
    pub(super) events: Subscription,
    pub(super) written: Written,
    pub(super) maker: Maker,
    /// Turns true when the server stops.
    pub(super) stopping: watch::Receiver<bool>,
    /// After how long without an event there is a heartbeat.
    pub(super) heartbeat: Duration,
    /// For how long a client may take nothing.
    pub(super) patience: Duration,
    /// One of the places for clients that follow.
    pub(super) place: OwnedSemaphorePermit,
}

/// Why a feed ended.
#[derive(Debug)]
enum End {
    /// The client is gone.
    Gone,
    Slow,
    Stopping,
    Failed(Error),
}

impl Feed {
    pub(super) async fn run(self) {
        let Self { events, written, maker, mut stopping, heartbeat, patience, place } = self;
        let (pieces, mut events) = (&maker.pieces, events);
        let end = loop {
            let ready = tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => break End::Stopping,
                () = pieces.closed() => break End::Gone,
                ready = timeout(heartbeat, poll_fn(|cx| events.poll_ready(cx))) => ready,
            };
            let piece = match ready {
                Err(_) => Ok(Bytes::from_static(HEARTBEAT)),
                Ok(Err(error)) => Err(error),
                Ok(Ok(())) => {
                    // Reading may wait for the disk.
                    let reading = tokio::task::spawn_blocking(move || {
                        let piece = piece(&mut events, written);
                        (events, piece)
                    });
                    match reading.await {
                        Ok((back, piece)) => {
                            events = back;
                            piece
                        }
                        Err(failed) => {
                            let what = "a background task failed";
                            break End::Failed(Error::unavailable(what).with_source(failed));
                        }
                    }
                }
            };
            match piece {
                // Nothing more comes: the engine is closed.
                Ok(piece) if piece.is_empty() => break End::Stopping,
                Ok(piece) => match timeout(patience, pieces.send(piece)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => break End::Gone,
                    Err(_) => break End::Slow,
                },
                Err(error) => break End::Failed(error),
            }
        };
        tracing::debug!(?end, "a client follows no more");
        if let Some(last) = end.last_words() {
            // It is set once, here.
            let _ = maker.last.set(last);
        }
        drop((maker, place));
    }
}

/// The next events, one after the other.
fn piece(events: &mut Subscription, written: Written) -> Result<Bytes> {
    let mut piece = Vec::new();
    while piece.len() < PIECE_BYTES {
        let Some((seq, event)) = events.try_next()? else { break };
        piece.extend_from_slice(format!("id: {seq}\ndata: ").as_bytes());
        piece.extend_from_slice(&written(seq, &event)?);
        piece.extend_from_slice(b"\n\n");
    }
    Ok(piece.into())
}

impl End {
    /// What the client is told, where it may still listen.
    fn last_words(&self) -> Option<Bytes> {
        let (code, message) = match self {
            Self::Gone => return None,
            Self::Slow => ("SLOW_READER", "nothing was read for too long"),
            Self::Stopping => (Code::Unavailable.row().name, "the server stops"),
            Self::Failed(error) => match error.kind() {
                ErrorKind::NotFound => (Code::EventsGone.row().name, Code::EventsGone.row().when),
                _ => (Code::Unavailable.row().name, "events cannot be read"),
            },
        };
        let end = StreamEnd { code: code.to_owned(), message: message.to_owned() };
        let end = serde_json::to_string(&end).ok()?;
        Some(format!("event: end\ndata: {end}\n\n").into())
    }
}
