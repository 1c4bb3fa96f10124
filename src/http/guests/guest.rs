//! One connection: what it is at, since when, and whether it is to end.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::sync::Notify;

use super::address::Address;
use crate::http::Limits;
use crate::http::running::RunningClock;

/// How long what a client still sends is read after the last answer: to close with bytes unread
/// would reset the connection, and the client might lose the answer.
pub(super) const LINGER: Duration = Duration::from_secs(1);
/// As many pieces of answers as most connections have unread at one time at most.
const UNREAD: usize = 2;

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No request was ever whole.
    Silent,
    /// A request is read and handled, and its handler bounds the time; or its answer goes on, and each
    /// piece of that has its time.
    Busy,
    /// Its answer is on the way.
    Answering,
    /// It waits for the next request.
    Resting,
    /// The next request has begun.
    Asking,
    /// Everything is answered; what comes is thrown away.
    Closing,
}

#[derive(Clone, Debug)]
pub(super) struct State {
    stage: Stage,
    since_ms: u64,
    /// Since when the client takes nothing of what is to be written.
    stalled_since_ms: Option<u64>,
    /// How many requests of it are read, handled and handed over for writing.
    busy: usize,
    /// What waits for the client to take it, the oldest first.
    unread: SmallVec<[Unread; UNREAD]>,
    next_piece: u64,
    /// It speaks HTTP/2.
    is_shared: bool,
    going: Going,
}

/// Whether a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Going {
    Staying,
    /// It was told to go, and what it has begun by the time it hears of it is answered.
    Leaving,
    /// No request of it is begun any more.
    Out,
}

/// How a connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Farewell {
    AtOnce,
    /// Its client is told first, and what is under way is finished.
    InPeace,
}

/// A piece of an answer that waits for the client to take it.
#[derive(Clone, Copy, Debug)]
struct Unread {
    piece: u64,
    since_ms: u64,
}

/// A request of a connection that is under way, until it is dropped.
#[derive(Debug)]
pub(in crate::http) struct Turn {
    guest: Arc<Guest>,
    is_shared: bool,
    /// Its answer is not asked for the next piece: the client has not taken enough yet.
    unasked: Option<Waiting>,
}

impl Turn {
    /// There is an answer.
    pub(in crate::http) fn begins(&mut self) {
        self.unasked = Some(Guest::wait(&self.guest));
    }

    /// Its answer is asked for the next piece, and there is none yet: nothing waits for the client but
    /// what it has not taken of those before.
    pub(in crate::http) fn has_nothing(&mut self) {
        self.unasked = None;
    }

    /// Counts a piece of its answer until the client has taken it. Where an answer is in one piece, and
    /// one answer comes after the other, the stage says as much.
    pub(in crate::http) fn attach(&mut self, bytes: Bytes, is_whole: bool) -> Bytes {
        if !is_whole {
            // The next is asked for once the client has taken of this one.
            self.begins();
        } else if !self.is_shared {
            return bytes;
        }
        Bytes::from_owner(Piece { bytes, _waiting: Guest::wait(&self.guest) })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.unasked = None;
        self.guest.answered();
    }
}

/// That something waits for the client to take it, until it is dropped.
#[derive(Debug)]
struct Waiting {
    piece: u64,
    guest: Arc<Guest>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.guest.was_taken(self.piece);
    }
}

/// A piece of an answer that is in memory.
struct Piece {
    bytes: Bytes,
    _waiting: Waiting,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// One connection.
#[derive(Debug)]
pub(in crate::http) struct Guest {
    pub(super) number: u64,
    pub(super) address: Address,
    clock: Arc<RunningClock>,
    state: Mutex<State>,
    dismissal: Notify,
}

/// Why a request is not begun: the connection is being closed.
#[derive(Debug)]
pub(in crate::http) struct Dismissed;

impl std::fmt::Display for Dismissed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection was closed before its request was begun")
    }
}

impl std::error::Error for Dismissed {}

impl State {
    /// Of one who has connected now, and said nothing yet.
    pub(super) fn silent(clock: &RunningClock) -> Self {
        Self {
            stage: Stage::Silent,
            since_ms: clock.now_ms(),
            stalled_since_ms: None,
            busy: 0,
            unread: SmallVec::new(),
            next_piece: 0,
            is_shared: false,
            going: Going::Staying,
        }
    }
}

impl Guest {
    pub(super) fn new(
        number: u64,
        address: Address,
        clock: Arc<RunningClock>,
        state: State,
    ) -> Self {
        Self { number, address, clock, state: Mutex::new(state), dismissal: Notify::new() }
    }

    /// What it is at, if it was not sent away.
    pub(super) fn staying(&self) -> Option<State> {
        let state = self.state.lock();
        (state.going == Going::Staying).then(|| state.clone())
    }

    #[cfg(test)]
    pub(super) fn is_sent_away(&self) -> bool {
        self.going() != Going::Staying
    }

    #[cfg(test)]
    pub(super) fn going(&self) -> Going {
        self.state.lock().going
    }

    /// A whole head has come: its request is begun, unless the connection was dismissed in that
    /// moment. It is the only one of its connection at a time, unless that is shared.
    pub(in crate::http) fn begin(self: &Arc<Self>, is_shared: bool) -> Result<Turn, Dismissed> {
        let mut state = self.state.lock();
        state.is_shared = is_shared;
        if state.going == Going::Out {
            return Err(Dismissed);
        }
        state.busy += 1;
        self.enter(&mut state, Stage::Busy);
        Ok(Turn { guest: Arc::clone(self), is_shared, unasked: None })
    }

    /// The answer to one request is handed over for writing.
    fn answered(&self) {
        let mut state = self.state.lock();
        state.busy -= 1;
        if state.busy == 0 && state.stage == Stage::Busy {
            self.enter(&mut state, Stage::Answering);
            self.rest_if_read(&mut state);
        }
    }

    /// Something waits for the client from now on.
    fn wait(guest: &Arc<Self>) -> Waiting {
        let mut state = guest.state.lock();
        let piece = state.next_piece;
        state.next_piece += 1;
        state.unread.push(Unread { piece, since_ms: guest.clock.now_ms() });
        Waiting { piece, guest: Arc::clone(guest) }
    }

    /// It waits no more.
    fn was_taken(&self, piece: u64) {
        let mut state = self.state.lock();
        state.unread.retain(|unread| unread.piece != piece);
        self.rest_if_read(&mut state);
    }

    /// What was handed over is written one after the other, and where several are, that of one says
    /// nothing of another.
    fn rest_if_read(&self, state: &mut State) {
        if state.is_shared && state.stage == Stage::Answering && state.unread.is_empty() {
            let is_leaving = state.going == Going::Leaving;
            self.enter(state, if is_leaving { Stage::Closing } else { Stage::Resting });
        }
    }

    /// All that was handed over is written.
    pub(in crate::http) fn flushed(&self) {
        let mut state = self.state.lock();
        if state.stage == Stage::Answering && !state.is_shared {
            self.enter(&mut state, Stage::Resting);
        }
    }

    /// Bytes came from the client. Those of HTTP/2 need not be those of a request.
    pub(in crate::http) fn heard(&self) {
        let mut state = self.state.lock();
        if state.stage == Stage::Resting && !state.is_shared {
            self.enter(&mut state, Stage::Asking);
        }
    }

    pub(in crate::http) fn closing(&self) {
        let mut state = self.state.lock();
        if state.stage != Stage::Closing {
            self.enter(&mut state, Stage::Closing);
        }
    }

    /// Whether the client takes what is written.
    pub(in crate::http) fn takes(&self, takes: bool) {
        let mut state = self.state.lock();
        if takes {
            state.stalled_since_ms = None;
        } else {
            state.stalled_since_ms.get_or_insert_with(|| self.clock.now_ms());
        }
    }

    /// Resolves when the connection must be closed, and says how; again where it was to be closed in
    /// peace and takes too long.
    pub(in crate::http) async fn dismissed(&self) -> Farewell {
        loop {
            self.dismissal.notified().await;
            match self.state.lock().going {
                Going::Staying => {}
                Going::Leaving => return Farewell::InPeace,
                Going::Out => return Farewell::AtOnce,
            }
        }
    }

    fn enter(&self, state: &mut State, stage: Stage) {
        state.stage = stage;
        state.since_ms = self.clock.now_ms();
    }

    fn dismiss(&self, state: &mut State, farewell: Farewell) {
        match farewell {
            Farewell::InPeace => {
                state.going = Going::Leaving;
                if state.busy == 0 {
                    self.enter(state, Stage::Closing);
                }
            }
            Farewell::AtOnce => state.going = Going::Out,
        }
        self.dismissal.notify_one();
    }

    /// In which order it goes when there is no room: none while it has work with us.
    pub(super) fn rank(&self) -> Option<(bool, u64)> {
        let state = self.state.lock();
        match state.stage {
            Stage::Silent => Some((false, self.number)),
            Stage::Resting | Stage::Asking | Stage::Closing => Some((true, state.since_ms)),
            Stage::Busy | Stage::Answering => None,
        }
    }

    /// Sends it away unless it has begun a request since it was chosen.
    pub(super) fn make_room(&self) {
        let mut state = self.state.lock();
        match state.stage {
            Stage::Busy | Stage::Answering => {}
            Stage::Resting if state.is_shared => self.dismiss(&mut state, Farewell::InPeace),
            Stage::Silent | Stage::Resting | Stage::Asking | Stage::Closing => {
                self.dismiss(&mut state, Farewell::AtOnce);
            }
        }
    }

    /// Whether it makes room soon: it was sent away, and no request came in between.
    pub(super) fn is_on_its_way_out(&self) -> bool {
        let state = self.state.lock();
        match state.going {
            Going::Staying => false,
            Going::Leaving => state.stage == Stage::Closing,
            Going::Out => true,
        }
    }

    /// Sends it away when it has taken longer than it may.
    pub(super) fn check(&self, now_ms: u64, limits: &Limits) {
        let mut state = self.state.lock();
        let bound = match state.stage {
            Stage::Silent | Stage::Asking => Some(limits.header_timeout),
            Stage::Resting => Some(limits.idle_timeout),
            Stage::Answering => Some(limits.answer_timeout),
            Stage::Closing => Some(LINGER),
            Stage::Busy => None,
        };
        let over = |since_ms: u64, bound: Duration| {
            u128::from(now_ms.saturating_sub(since_ms)) > bound.as_millis()
        };
        let late = bound.is_some_and(|bound| over(state.since_ms, bound));
        let stalled =
            state.stalled_since_ms.is_some_and(|since_ms| over(since_ms, limits.write_timeout));
        let oldest_ms = state.unread.first().map(|unread| unread.since_ms);
        // Whoever was told to go hears it, and so do those who wait for other answers of it.
        let patience = match state.going {
            Going::Staying | Going::Out => limits.answer_timeout,
            Going::Leaving => limits.answer_timeout + LINGER,
        };
        let unread = oldest_ms.is_some_and(|since_ms| over(since_ms, patience));
        if (late || stalled || unread) && state.going != Going::Out {
            tracing::debug!(stage = ?state.stage, stalled, unread, "a connection took too long");
            let hears = match state.stage {
                Stage::Resting => true,
                // Others of its requests are under way.
                Stage::Busy => state.going == Going::Staying && state.busy > 1,
                Stage::Silent | Stage::Answering | Stage::Asking | Stage::Closing => false,
            };
            let may_hear = state.is_shared && hears && !stalled;
            let farewell = if may_hear { Farewell::InPeace } else { Farewell::AtOnce };
            self.dismiss(&mut state, farewell);
        }
    }
}
