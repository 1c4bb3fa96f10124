//! Serving: listeners are opened, and at the end what was begun is finished.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};

use super::connection::{Door, House};
use super::guests::Guests;
use super::listener::Listeners;
use super::{App, gate, upkeep};

/// How long to leave the listener alone after it failed: it is out of file descriptors, and a retry
/// at once would spin.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
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
    beside.spawn(sweep(house.guests(), house.app.clone()));
    beside.spawn(gate::watch(house.app.gate.clone()));
    upkeep::begin(&mut beside, &house.app);
    let mut sending = house.app.begin_webhooks();
    let mut doors = JoinSet::new();
    let listeners = listeners.into();
    let offers = listeners.offers();
    for (listener, offer) in listeners.into_iter().zip(offers) {
        doors.spawn(open(house.clone(), Door { listener, offer }));
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
    let app = &house.app;
    if tokio::time::timeout(limit, house.close()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
    let sent = async {
        if let Some(sending) = sending
            && tokio::time::timeout(upkeep::last_of(app), sending.stop()).await.is_err()
        {
            tracing::warn!("webhooks did not end in time: some are sent again");
        }
    };
    tokio::join!(sent, upkeep::end(app));
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

/// Lets clients in, until it is dropped. Each listener has a door of its own: clients that wait at one
/// hold up nobody at another.
async fn open(house: Arc<House>, door: Door) {
    loop {
        match door.listener.accept().await {
            Ok((stream, peer)) => house.receive(&door, stream, peer).await,
            Err(error) => {
                tracing::warn!(error = %error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
