//! The sockets that clients connect to. They outlive a server: the next one may be in another process.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Runtime;

use crate::base::error::{Error, Result};
use crate::http::{Audience, Inherited, Listener, OwnPath, Place, Tls};
use crate::process::handover;
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

    /// Listens at all of them.
    async fn listen(self, tls: Option<&Tls>) -> Result<Vec<Door>> {
        let mut doors = Vec::new();
        for (audience, socket) in self.inherited {
            doors.push(Door::new(Listener::inherit(socket)?, audience, None)?);
        }
        for (audience, place) in self.places {
            let listener = Listener::bind(&place, self.mode, tls).await?;
            doors.push(Door::new(listener, audience, Some(place))?);
        }
        Ok(doors)
    }
}

/// All of them, until they are closed.
pub(super) struct Doors(Mutex<Vec<Door>>);

struct Door {
    audience: Audience,
    /// As the setting has it; `None` where somebody else made the socket.
    asked: Option<Place>,
    /// With the port that was free.
    place: Place,
    /// Whether the path of a Unix socket is to be removed at the end.
    is_own: bool,
    /// Then this, while the server serves. It goes before the socket.
    path: Option<OwnPath>,
    socket: OwnedFd,
}

impl Door {
    fn new(listener: Listener, audience: Audience, asked: Option<Place>) -> Result<Self> {
        let place = listener.place()?;
        let (path, socket) = listener.take_apart()?;
        let is_own = path.is_some();
        Ok(Self { audience, asked, place, is_own, path, socket })
    }

    fn is_at(&self, asked: &Place) -> bool {
        self.asked.as_ref() == Some(asked) || self.place == *asked
    }
}

impl Doors {
    /// Listens from here on.
    ///
    /// # Errors
    /// `Unavailable` when one of the places cannot be listened at, `Invalid` when one needs a certificate.
    pub(super) fn open(runtime: &Runtime, sockets: Sockets, tls: Option<&Tls>) -> Result<Self> {
        // All of them first: where one fails, none has answered.
        runtime.block_on(sockets.listen(tls)).map(|doors| Self(Mutex::new(doors)))
    }

    /// The sockets of another server, which are these in the same order, for one with these settings.
    ///
    /// # Errors
    /// `Invalid` when these are not the places of the settings: clients would be refused.
    pub(super) fn handed(
        told: Vec<handover::Door>,
        sockets: Vec<OwnedFd>,
        config: &Config,
    ) -> Result<Self> {
        let wrong = || Error::invalid("the running server did not hand over its sockets");
        if told.len() != sockets.len() {
            return Err(wrong());
        }
        let place = |text: &str| text.parse::<Place>().map_err(|()| wrong());
        let mut doors = Vec::new();
        for (told, socket) in told.into_iter().zip(sockets) {
            doors.push(Door {
                audience: match told.for_operators {
                    true => Audience::Operators,
                    false => Audience::Everybody,
                },
                asked: told.asked.as_deref().map(place).transpose()?,
                place: place(&told.place)?,
                is_own: told.is_own,
                path: None,
                socket,
            });
        }
        check(&doors, Audience::Everybody, "listen", &config.listen)?;
        check(&doors, Audience::Operators, "operators_listen", &config.operators_listen)?;
        Ok(Self(Mutex::new(doors)))
    }

    /// Whether operators have listeners of their own.
    pub(super) fn are_apart(&self) -> bool {
        self.0.lock().iter().any(|door| door.audience == Audience::Operators)
    }

    /// Where they are, and whom they are for.
    pub(super) fn places(&self) -> Vec<(Audience, Place)> {
        self.0.lock().iter().map(|door| (door.audience, door.place.clone())).collect()
    }

    /// Listeners on them, for a runtime that the caller is in: each with how long its clients wait
    /// before they hear that the server starts.
    ///
    /// # Errors
    /// `Unavailable` when there are no descriptors, `Invalid` when a place needs a certificate.
    pub(super) fn listeners(&self, tls: Option<&Tls>) -> Result<Vec<(Listener, Duration)>> {
        let listener = |door: &Door| {
            let patience = door.asked.as_ref().map_or(PATIENCE, |_| Duration::ZERO);
            let listener = Listener::on(&door.place, door.socket.as_fd(), tls)?;
            Ok((listener.for_audience(door.audience), patience))
        };
        self.0.lock().iter().map(listener).collect()
    }

    /// How they are told of.
    pub(super) fn told(&self) -> Vec<handover::Door> {
        let told = |door: &Door| handover::Door {
            asked: door.asked.as_ref().map(ToString::to_string),
            place: door.place.to_string(),
            for_operators: door.audience == Audience::Operators,
            is_own: door.is_own,
        };
        self.0.lock().iter().map(told).collect()
    }

    /// Their descriptors, in the same order.
    ///
    /// # Errors
    /// `Unavailable` when there are no more of them.
    pub(super) fn sockets(&self) -> Result<Vec<OwnedFd>> {
        let shared = |door: &Door| door.socket.try_clone();
        let sockets = self.0.lock().iter().map(shared).collect::<std::io::Result<_>>();
        sockets.map_err(|cause| Error::io("sharing a socket", cause))
    }

    /// Whoever connects from here on is refused, once those who listen are gone.
    pub(super) fn close(&self) {
        self.0.lock().clear();
    }

    /// The paths are this server's from here on: it removes them at the end.
    pub(super) fn own(&self) {
        for door in self.0.lock().iter_mut().filter(|door| door.is_own) {
            if let Place::Unix(path) = &door.place {
                door.path.get_or_insert_with(|| OwnPath::of(path));
            }
        }
    }

    /// The paths are another server's from here on.
    pub(super) fn leave(&self) {
        self.0.lock().iter_mut().filter_map(|door| door.path.take()).for_each(OwnPath::leave);
    }
}

/// Whether those of `audience` are the places of the setting `name`.
fn check(doors: &[Door], audience: Audience, name: &str, set: &[Place]) -> Result<()> {
    let doors: Vec<_> = doors.iter().filter(|door| door.audience == audience).collect();
    // Sockets that somebody else made stand in for what is set.
    if doors.iter().any(|door| door.asked.is_none()) {
        return Ok(());
    }
    if let Some(asked) = set.iter().find(|asked| !doors.iter().any(|door| door.is_at(asked))) {
        return Err(Error::invalid(format!(
            "{name}: the running server does not listen at {asked}, and places are taken over as they are. Stop it and \
             start this one to change them"
        )));
    }
    if let Some(door) = doors.iter().find(|door| !set.iter().any(|asked| door.is_at(asked))) {
        return Err(Error::invalid(format!(
            "{name}: the running server listens at {}, which these settings leave out: clients would be refused there. \
             Name it, or stop that server and start this one",
            door.place
        )));
    }
    Ok(())
}
