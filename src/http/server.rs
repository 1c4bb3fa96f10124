//! Connections: accepting, bounding, and draining them.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

use super::App;
use super::answer::Body as ResponseBody;
use super::budget::Charge;
use super::error::{ApiError, Code};
use super::gate;
use super::guests::{Address, Dismissed, Guest, Guests};
use super::listener::{Listener, Listeners, Peer, Stream};
use super::reply;
use super::stream::GuestStream;
use super::upkeep;
use super::visit::{Offer, Visit};

/// The longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How long to leave the listener alone after it failed: it is out of file descriptors, and a retry
/// at once would spin.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How many clients at a time are told why they are turned away; more are turned away without a
/// word.
pub(crate) const TURNED_AWAY_MAX: usize = 32;
/// How long a client that is turned away may take to ask and to read.
const TURNED_AWAY_TIMEOUT: Duration = Duration::from_secs(1);
/// Connections are looked at so often in the shortest time that any of them may take, within these
/// bounds.
const TICKS_OF_A_TIMEOUT: u32 = 8;
const TICK_MIN: Duration = Duration::from_millis(5);
const TICK_MAX: Duration = Duration::from_millis(250);

/// How long requests under way may hold up another server that takes over. What is left after that is
/// answered as far as this process can.
const HAND_OVER_LIMIT: Duration = Duration::from_secs(1);

/// Why a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Somebody asked.
    Stop,
    /// Another one goes on at the same sockets, and clients wait for it.
    #[cfg_attr(not(feature = "bin"), allow(dead_code, reason = "the program does that"))]
    HandOver,
}

/// Serves `app` on one listener or on several until `shutdown` resolves, then lets requests under
/// way finish. A connection's failure is its own.
pub async fn run(
    listeners: impl Into<Listeners>,
    shutdown: impl Future<Output = ()>,
    app: Arc<App>,
) {
    let ending = async {
        shutdown.await;
        Ending::Stop
    };
    run_until(listeners, ending, app).await;
}

/// As [`run`], until it is told how to end; tells how that was.
pub(crate) async fn run_until(
    listeners: impl Into<Listeners>,
    ending: impl Future<Output = Ending>,
    app: Arc<App>,
) -> Ending {
    let house = Arc::new(House::new(app));
    // Dropped with the rest, they end.
    let mut beside = JoinSet::new();
    let guests = [house.guests.clone(), house.operators.clone()];
    beside.spawn(sweep(guests, house.app.clone()));
    beside.spawn(gate::watch(house.app.clone()));
    upkeep::begin(&mut beside, &house.app);
    let mut sending = house.app.begin_webhooks();
    let mut doors = JoinSet::new();
    let listeners = listeners.into();
    let offers = listeners.offers();
    for (listener, offer) in listeners.into_iter().zip(offers) {
        let door = Door { guests: house.guests_of(offer), listener, offer };
        doors.spawn(house.clone().open(door));
    }
    let ending = tokio::select! {
        biased;
        ending = ending => ending,
        // They have no end but a panic, which is ours.
        Some(Err(ended)) = doors.join_next() => resume(ended),
    };
    let limit = match ending {
        Ending::Stop => house.app.limits.drain_timeout,
        Ending::HandOver => {
            // While clients are still served: whoever receives may take a while.
            if let Some(sending) = sending.take() {
                sending.stop().await;
            }
            house.app.limits.drain_timeout.min(HAND_OVER_LIMIT)
        }
    };
    house.app.draining.send_replace(true);
    house.app.mall.end_patience();
    tracing::info!("stopping: requests under way are finished first");
    doors.shutdown().await;
    let house = Arc::into_inner(house).expect("only doors had it besides, and they are gone");
    let House { app, graceful, .. } = house;
    if tokio::time::timeout(limit, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
    if let Some(sending) = sending {
        sending.stop().await;
    }
    upkeep::end(&app).await;
    ending
}

/// Goes on with a panic of a task that is one with its caller.
fn resume(ended: JoinError) -> Ending {
    if let Ok(panic) = ended.try_into_panic() {
        std::panic::resume_unwind(panic);
    }
    Ending::Stop
}

/// Moves the clock that connections are measured by, and closes those that take too long.
async fn sweep(guests: [Arc<Guests>; 2], app: Arc<App>) {
    let limits = &app.limits;
    let bounds =
        [limits.header_timeout, limits.idle_timeout, limits.write_timeout, limits.answer_timeout];
    let shortest = bounds.into_iter().min().unwrap_or(TICK_MAX);
    let tick = (shortest / TICKS_OF_A_TIMEOUT).clamp(TICK_MIN, TICK_MAX);
    let look = |now_ms| guests.iter().for_each(|guests| guests.sweep(now_ms, limits));
    app.running.run(tick, look).await;
}

struct House {
    app: Arc<App>,
    builder: http1::Builder,
    graceful: GracefulShutdown,
    guests: Arc<Guests>,
    /// Whoever came by a listener of operators.
    operators: Arc<Guests>,
    turned_away: Arc<Semaphore>,
}

/// Where clients come in.
struct Door {
    listener: Listener,
    offer: Offer,
    guests: Arc<Guests>,
}

impl House {
    fn new(app: Arc<App>) -> Self {
        let mut builder = http1::Builder::new();
        // A client that has asked and says that it asks no more is answered all the same.
        builder.half_close(true).max_buf_size(HEAD_BYTES_MAX);
        let guests = Arc::new(Guests::new(app.running.clone(), &app.limits));
        let operators = Arc::new(Guests::of_operators(app.running.clone(), &app.limits));
        let turned_away = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
        let graceful = GracefulShutdown::new();
        Self { app, builder, graceful, guests, operators, turned_away }
    }

    /// Among whom the clients are counted who come where this is offered.
    fn guests_of(&self, offer: Offer) -> Arc<Guests> {
        match offer {
            Offer::Everything | Offer::Users => self.guests.clone(),
            Offer::Operators => self.operators.clone(),
        }
    }

    /// Lets clients in, until it is dropped. Each listener has a door of its own: clients that wait
    /// at one hold up nobody at another.
    async fn open(self: Arc<Self>, door: Door) {
        loop {
            self.next(&door).await;
        }
    }

    /// Accepts a connection and serves it once there is room for it.
    async fn next(&self, door: &Door) {
        match door.listener.accept().await {
            Ok((stream, peer)) => self.receive(door, stream, peer).await,
            Err(error) => {
                tracing::warn!(error = %error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }

    async fn receive(&self, door: &Door, stream: Stream, peer: Peer) {
        match door.guests.admit(Address::of(peer)).await {
            Some(guest) => self.serve(door, stream, guest),
            None => self.turn_away(stream),
        }
    }

    fn serve(&self, door: &Door, stream: Stream, guest: Arc<Guest>) {
        let visit = Visit { address: guest.address(), offer: door.offer };
        let stream = TokioIo::new(GuestStream::new(stream, guest.clone()));
        let service = service_fn({
            let (app, guest) = (self.app.clone(), guest.clone());
            move |request| {
                let (app, guest) = (app.clone(), guest.clone());
                async move {
                    guest.begin()?;
                    let (response, charge) = super::router::handle(&app, visit, request).await;
                    Ok::<_, Dismissed>(response.map(|body| Answer { body, charge, guest }))
                }
            }
        });
        let connection = self.graceful.watch(self.builder.serve_connection(stream, service));
        let guests = door.guests.clone();
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(error = %error, "a connection ended early");
                },
                () = guest.dismissed() => {}
            }
            // The socket is closed by now.
            guests.leave(&guest);
        });
    }

    /// Tells a client that its address has too many connections, if not too many are being told.
    fn turn_away(&self, stream: Stream) {
        let Ok(permit) = self.turned_away.clone().try_acquire_owned() else {
            return;
        };
        let error = ApiError::new(Code::Overloaded).detail("too many connections from one address");
        let answer = reply::failure_bytes(&error, &self.app.ids.make(), self.app.mall.now_ms());
        tokio::spawn(async move {
            let told = tokio::time::timeout(TURNED_AWAY_TIMEOUT, tell(stream, &answer));
            if let Ok(Err(error)) = told.await {
                tracing::debug!(error = %error, "a client was not told why it was turned away");
            }
            drop(permit);
        });
    }
}

/// Answers whatever a client asks, and closes.
async fn tell(mut stream: Stream, answer: &[u8]) -> std::io::Result<()> {
    let mut asked = [0; 4096];
    // What is not read before the socket is closed resets the connection, and the answer is lost.
    let _ = stream.read(&mut asked).await?;
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    while stream.read(&mut asked).await? > 0 {}
    Ok(())
}

/// The body of an answer, which tells when it is handed over for writing.
struct Answer {
    body: ResponseBody,
    /// What it is charged until it is written.
    charge: Option<Charge>,
    guest: Arc<Guest>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let charge = self.charge.take();
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| match charge {
                Some(charge) => frame.map_data(|bytes| charge.attach(bytes)),
                None => frame,
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.guest.answered();
    }
}
