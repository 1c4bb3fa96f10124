//! The addresses answer before there is anything to serve: a start that replays for long is no crash
//! to whoever looks.

use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::base::error::{Error, Result};
use crate::http::{self, Audience, Inherited, Listener, Listeners, Place};
use crate::settings::Config;

/// How long clients wait in a socket that was listened at before this process was: most starts are
/// over by then, and a restart refuses nobody.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where to listen.
pub(super) struct Sockets {
    inherited: Vec<(Audience, Inherited)>,
    /// Places of our own.
    places: Vec<(Audience, Place)>,
    /// Of those of Unix.
    mode: u32,
}

impl Sockets {
    /// Inherited sockets stand in for the places that are set for whom they are.
    pub(super) fn new(config: &Config, inherited: Vec<(Audience, Inherited)>) -> Self {
        let is_inherited = |whose| inherited.iter().any(|(audience, _)| *audience == whose);
        let set = [
            (Audience::Everybody, &config.listen),
            (Audience::Operators, &config.operators_listen),
        ];
        let own = set.into_iter().filter(|(audience, _)| !is_inherited(*audience));
        let own = own.flat_map(|(audience, all)| all.iter().map(move |it| (audience, it.clone())));
        Self { places: own.collect(), inherited, mode: config.socket_mode }
    }

    /// Whether operators have listeners of their own.
    pub(super) fn are_apart(&self) -> bool {
        let inherited = self.inherited.iter().map(|(audience, _)| audience);
        let own = self.places.iter().map(|(audience, _)| audience);
        inherited.chain(own).any(|audience| *audience == Audience::Operators)
    }

    /// Listens at all of them: each with how long its clients wait before they hear that the server
    /// starts.
    async fn listen(self) -> Result<Vec<(Listener, Duration)>> {
        let mut listeners = Vec::new();
        for (audience, socket) in self.inherited {
            listeners.push((Listener::inherit(socket)?.for_audience(audience), PATIENCE));
        }
        for (audience, place) in self.places {
            let listener = Listener::bind(&place, self.mode).await?;
            listeners.push((listener.for_audience(audience), Duration::ZERO));
        }
        Ok(listeners)
    }
}

/// Listeners that say that the server starts.
pub(super) struct Early {
    /// Where they are and whom they are for, with ports that were free.
    pub(super) places: Vec<(Audience, Place)>,
    enough: watch::Sender<()>,
    listening: Vec<JoinHandle<Listener>>,
}

impl Early {
    /// Listens from here on.
    ///
    /// # Errors
    /// `Unavailable` when one of the places cannot be listened at.
    pub(super) fn listen(runtime: &Runtime, sockets: Sockets) -> Result<Self> {
        // All of them first: where one fails, none has answered.
        let listeners = runtime.block_on(sockets.listen())?;
        let place = |(listener, _): &(Listener, _)| Ok((listener.audience(), listener.place()?));
        let places = listeners.iter().map(place).collect::<Result<Vec<_>>>()?;
        let enough = watch::Sender::new(());
        let answer = |(listener, patience)| {
            let mut is_enough = enough.subscribe();
            let answering = async move {
                tokio::select! {
                    // Dropped, it is enough.
                    _ = is_enough.changed() => {}
                    () = answer(&listener, patience) => {}
                }
                listener
            };
            runtime.spawn(answering)
        };
        let listening = listeners.into_iter().map(answer).collect();
        for (_, place) in &places {
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

async fn answer(listener: &Listener, patience: Duration) {
    tokio::time::sleep(patience).await;
    http::starting(listener).await;
}
