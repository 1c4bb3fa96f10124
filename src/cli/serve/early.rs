//! The addresses answer before there is anything to serve: a start that replays for long is no crash
//! to whoever looks.

use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::doors::Doors;
use crate::base::error::{Error, Result};
use crate::http::{self, Listener, Listeners, Proxies, Tls};

/// Listeners that say that the server starts.
pub(super) struct Early {
    enough: watch::Sender<()>,
    listening: Vec<JoinHandle<Listener>>,
}

impl Early {
    /// Answers from here on.
    ///
    /// # Errors
    /// As [`Doors::listeners`].
    pub(super) fn answer(
        runtime: &Runtime,
        doors: &Doors,
        tls: Option<&Tls>,
        proxies: &Proxies,
    ) -> Result<Self> {
        let _inside = runtime.enter();
        let enough = watch::Sender::new(());
        let answer = |(listener, patience)| {
            let (mut is_enough, proxies) = (enough.subscribe(), proxies.clone());
            let answering = async move {
                tokio::select! {
                    // Dropped, it is enough.
                    _ = is_enough.changed() => {}
                    () = answer(&listener, &proxies, patience) => {}
                }
                listener
            };
            runtime.spawn(answering)
        };
        let listening = doors.listeners(tls)?.into_iter().map(answer).collect();
        for (_, place) in &doors.places() {
            tracing::info!(address = %place, "starting");
        }
        Ok(Self { enough, listening })
    }

    /// Gives the listeners to the whole server. Whoever connected meanwhile waits in them.
    ///
    /// # Errors
    /// `Unavailable` when one was lost to a panic.
    pub(super) async fn end(self) -> Result<Listeners> {
        drop(self.enough);
        let mut listeners = Vec::with_capacity(self.listening.len());
        for listening in self.listening {
            let lost = |cause| Error::unavailable("a listener was lost").with_source(cause);
            listeners.push(listening.await.map_err(lost)?);
        }
        Ok(listeners.into_iter().collect())
    }
}

async fn answer(listener: &Listener, proxies: &Proxies, patience: Duration) {
    tokio::time::sleep(patience).await;
    http::starting(listener, proxies).await;
}
