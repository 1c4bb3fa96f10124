//! The body of an answer: whole, or one that goes on.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use http_body_util::Full;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use tokio::sync::mpsc;

/// How many pieces wait for the client at most, besides what its socket takes.
const PIECES_MAX: usize = 4;

/// What follows the head of an answer.
pub(super) enum Body {
    Whole(Full<Bytes>),
    Pieces(Pieces),
}

/// Pieces that are sent as they are made, and last words where there are any.
pub(super) struct Pieces {
    made: mpsc::Receiver<Bytes>,
    last: Arc<OnceLock<Bytes>>,
    ended: bool,
}

/// The other end: who makes the pieces. Dropped, it ends the body.
pub(super) struct Maker {
    pub(super) pieces: mpsc::Sender<Bytes>,
    /// Set before the maker is dropped.
    pub(super) last: Arc<OnceLock<Bytes>>,
}

impl Body {
    pub(super) fn pieces() -> (Maker, Self) {
        let (pieces, made) = mpsc::channel(PIECES_MAX);
        let last = Arc::<OnceLock<Bytes>>::default();
        let maker = Maker { pieces, last: Arc::clone(&last) };
        (maker, Self::Pieces(Pieces { made, last, ended: false }))
    }
}

impl From<Bytes> for Body {
    fn from(whole: Bytes) -> Self {
        Self::Whole(Full::new(whole))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(whole) => Pin::new(whole).poll_frame(cx),
            Self::Pieces(pieces) if pieces.ended => Poll::Ready(None),
            Self::Pieces(pieces) => {
                let piece = ready!(pieces.made.poll_recv(cx));
                let piece = piece.or_else(|| {
                    pieces.ended = true;
                    pieces.last.get().cloned()
                });
                Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Pieces(pieces) => pieces.ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}
