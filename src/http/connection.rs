//! One client's connection: let in, greeted as its listener has it, and served until either side ends
//! it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::App;
use super::answer::Body as ResponseBody;
use super::budget::{Charge, STREAMS_MAX};
use super::error::{ApiError, Code};
use super::guests::{Address, Dismissed, Farewell, Guest, Guests, Seat, Share, Turn};
use super::listener::{Audience, Listener, Peer, Stream};
use super::porter::Porter;
use super::stream::GuestStream;
use super::visit::{Offer, Visit};
use super::{proxies, router, tls};

/// What a connection's HTTP goes through: the socket, or TLS on it.
type Channel = Either<GuestStream, Box<TlsStream<GuestStream>>>;

/// The longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How much of requests' bodies a client of HTTP/2 may send before anybody reads it, in bytes: of one
/// request as much as an ordinary body has, and of all together as much as four.
const BODY_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 4 * BODY_WINDOW;

/// Whoever is let in, and what each of them is served by.
pub(super) struct House {
    pub(super) app: Arc<App>,
    guests: Arc<Guests>,
    /// Whoever came by a listener of operators.
    operators: Arc<Guests>,
    builder: auto::Builder<TokioExecutor>,
    porter: Porter,
    /// True when everybody is to leave. Each connection holds a receiver until it is closed.
    leaving: watch::Sender<bool>,
}

/// Where clients come in.
pub(super) struct Door {
    pub(super) listener: Listener,
    pub(super) offer: Offer,
}

/// A client that was let in, and has said nothing yet.
struct Arrival {
    stream: Stream,
    peer: Peer,
    seat: Seat,
    offer: Offer,
    tls: Option<TlsAcceptor>,
    /// A proxy says first whom it connects for.
    is_announced: bool,
}

impl House {
    pub(super) fn new(app: Arc<App>) -> Self {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        // A client that has asked and says that it asks no more is answered all the same.
        builder.http1().half_close(true).max_buf_size(HEAD_BYTES_MAX);
        // Nobody is asked for signs of life: a connection that rests has its time, whoever does not take
        // what is written has less, and to whom nothing is to be written there are heartbeats.
        builder
            .http2()
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEAD_BYTES_MAX as u32)
            .initial_stream_window_size(BODY_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let guests = Arc::new(Guests::new(app.running.clone(), &app.limits));
        let operators = Arc::new(Guests::of_operators(app.running.clone(), &app.limits));
        let leaving = watch::Sender::new(false);
        Self { app, guests, operators, builder, porter: Porter::default(), leaving }
    }

    /// Everybody who is there.
    pub(super) fn guests(&self) -> [Arc<Guests>; 2] {
        [self.guests.clone(), self.operators.clone()]
    }

    /// Among whom the clients are counted who come where this is offered.
    fn guests_of(&self, offer: Offer) -> &Arc<Guests> {
        match offer {
            Offer::Everything | Offer::Users => &self.guests,
            Offer::Operators => &self.operators,
        }
    }

    /// Tells everybody to leave, and resolves when nobody is left.
    pub(super) async fn close(&self) {
        self.leaving.send_replace(true);
        self.leaving.closed().await;
    }

    /// Serves a client once there is room for it.
    pub(super) async fn receive(self: &Arc<Self>, door: &Door, stream: Stream, peer: Peer) {
        let Door { listener, offer } = door;
        let is_trusted = self.app.proxies.trusts(peer);
        let is_announced =
            self.app.proxies.are_announced() && listener.audience() == Audience::Everybody;
        if is_announced && !is_trusted {
            tracing::debug!(?peer, "a connection did not come from a trusted proxy");
            return;
        }
        let share = if is_trusted { Share::OfAll } else { Share::OfAddress };
        let Some(seat) = self.guests_of(*offer).admit(Address::of(peer), share).await else {
            // Whoever shakes hands could not read what is written without it.
            if listener.acceptor().is_none() {
                self.turn_away(stream);
            }
            return;
        };
        let tls = listener.acceptor();
        let arrival = Arrival { stream, peer, seat, offer: *offer, tls, is_announced };
        tokio::spawn(self.clone().attend(arrival, self.leaving.subscribe()));
    }

    fn turn_away(&self, stream: Stream) {
        let why = ApiError::new(Code::Overloaded).detail("too many connections from one address");
        self.porter.turn_away(&self.app, stream, &why);
    }

    async fn attend(self: Arc<Self>, arrival: Arrival, mut leaving: watch::Receiver<bool>) {
        let Some(arrival) = self.hear_proxy(arrival, &mut leaving).await else { return };
        // Dropped last, when the socket is closed.
        let Arrival { seat, stream, peer, offer, tls, .. } = arrival;
        let guest = seat.guest();
        let channel = match tls {
            None => Some(Channel::Left(GuestStream::new(stream, guest.clone()))),
            Some(tls) => self.shake_hands(stream, guest, tls, &mut leaving).await,
        };
        if let Some(channel) = channel {
            self.serve(channel, (peer, offer), guest, leaving).await;
        }
    }

    /// Whom a connection is for, where a proxy says so first; `None` when it is closed.
    async fn hear_proxy(
        &self,
        mut arrival: Arrival,
        leaving: &mut watch::Receiver<bool>,
    ) -> Option<Arrival> {
        if !arrival.is_announced {
            return Some(arrival);
        }
        let guest = arrival.seat.guest();
        let head = proxies::of_connection(&mut arrival.stream);
        let client = match unless_sent_away(guest, leaving, head).await? {
            Ok(client) => client,
            Err(error) => {
                tracing::debug!(%error, "a proxy's connection did not begin as it should");
                return None;
            }
        };
        let Some(client) = client else { return Some(arrival) };
        let peer = Peer::At(client);
        let moving = arrival.seat.move_to(Address::of(peer));
        match unless_sent_away(guest, leaving, moving).await? {
            Some(seat) => Some(Arrival { seat, peer, ..arrival }),
            None => {
                if arrival.tls.is_none() {
                    self.turn_away(arrival.stream);
                }
                None
            }
        }
    }

    /// TLS with a client; `None` when it is closed.
    async fn shake_hands(
        &self,
        mut stream: Stream,
        guest: &Arc<Guest>,
        tls: TlsAcceptor,
        leaving: &mut watch::Receiver<bool>,
    ) -> Option<Channel> {
        let first = unless_sent_away(guest, leaving, stream.read_u8()).await?.ok()?;
        if !tls::begins_with(first) {
            let why = ApiError::invalid("this port speaks TLS: ask it with https");
            self.porter.turn_away(&self.app, stream, &why);
            return None;
        }
        let stream = GuestStream::new(stream, guest.clone()).after(first);
        match unless_sent_away(guest, leaving, tls.accept(stream)).await? {
            Ok(stream) => Some(Channel::Right(Box::new(stream))),
            Err(error) => {
                tracing::debug!(%error, "a client did not shake hands");
                None
            }
        }
    }

    async fn serve(
        &self,
        channel: Channel,
        (peer, offer): (Peer, Offer),
        guest: &Arc<Guest>,
        mut leaving: watch::Receiver<bool>,
    ) {
        let service = service_fn(|request: Request<Incoming>| {
            let (app, guest) = (self.app.clone(), guest.clone());
            async move {
                let mut turn = guest.begin(request.version() == Version::HTTP_2)?;
                let address = Address::of(app.proxies.client(peer, request.headers()));
                let visit = Visit { address, offer };
                let (response, charge) = router::handle(&app, visit, request).await;
                turn.begins();
                Ok::<_, Dismissed>(response.map(|body| Answer { body, charge, turn }))
            }
        });
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(channel), service));
        let mut is_leaving = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(error = %error, "a connection ended early");
                    }
                    return;
                }
                farewell = guest.dismissed() => match farewell {
                    Farewell::AtOnce => return,
                    Farewell::InPeace => connection.as_mut().graceful_shutdown(),
                },
                _ = leaving.wait_for(|leaving| *leaving), if !is_leaving => {
                    is_leaving = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// What comes of something before the first request; `None` when the client is sent away meanwhile.
async fn unless_sent_away<T>(
    guest: &Guest,
    leaving: &mut watch::Receiver<bool>,
    greeting: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        greeted = greeting => Some(greeted),
        _ = guest.dismissed() => None,
        _ = leaving.wait_for(|leaving| *leaving) => None,
    }
}

/// The body of an answer, which tells when it is handed over for writing.
struct Answer {
    body: ResponseBody,
    /// What it is charged until it is written.
    charge: Option<Charge>,
    turn: Turn,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let is_whole = matches!(self.body, ResponseBody::Whole(_));
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            self.turn.has_nothing();
            return Poll::Pending;
        };
        let (charge, turn) = (self.charge.take(), &mut self.turn);
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| {
                frame.map_data(|bytes| {
                    let bytes = turn.attach(bytes, is_whole);
                    match charge {
                        Some(charge) => charge.attach(bytes),
                        None => bytes,
                    }
                })
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
