//! The addresses answer before there is anything to serve: a start that replays for long is no crash
//! to whoever looks.

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::base::error::{Error, Result};
use crate::http::{self, Listener, Listeners, Place};

/// Listeners that say that the server starts.
pub(super) struct Early {
    /// Where they are, with ports that were free.
    pub(super) places: Vec<Place>,
    enough: watch::Sender<()>,
    listening: Vec<JoinHandle<Listener>>,
}

impl Early {
    /// Listens from here on.
    ///
    /// # Errors
    /// `Unavailable` when one of the places cannot be listened at.
    pub(super) fn listen(runtime: &Runtime, listen: &[Place]) -> Result<Self> {
        // All of them first: where one fails, none has answered.
        let bind = |place| runtime.block_on(Listener::bind(place));
        let listeners = listen.iter().map(bind).collect::<Result<Vec<_>>>()?;
        let places = listeners.iter().map(Listener::place).collect::<Result<Vec<_>>>()?;
        let enough = watch::Sender::new(());
        let answer = |listener| {
            let mut is_enough = enough.subscribe();
            runtime.spawn(async move {
                tokio::select! {
                    // Dropped, it is enough.
                    _ = is_enough.changed() => {}
                    () = http::starting(&listener) => {}
                }
                listener
            })
        };
        let listening = listeners.into_iter().map(answer).collect();
        for place in &places {
            tracing::info!(address = %place, "starting");
        }
        Ok(Self { places, enough, listening })
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
