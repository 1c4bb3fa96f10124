//! A client's socket, which tells its [`Guest`] what passes through it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::guests::Guest;
use super::listener::Stream;

/// How much of what a client still sends after the last answer is read and thrown away at once.
const DISCARD_BYTES: usize = 8 * 1024;

pub(super) struct GuestStream {
    stream: Stream,
    guest: Arc<Guest>,
    /// What was read of it already.
    first: Option<u8>,
    /// The client sends nothing any more.
    ended: bool,
}

impl GuestStream {
    pub(super) fn new(stream: Stream, guest: Arc<Guest>) -> Self {
        Self { stream, guest, first: None, ended: false }
    }

    /// The same with a byte before all others, which was read to see what follows.
    pub(super) fn after(self, first: u8) -> Self {
        Self { first: Some(first), ..self }
    }

    fn written(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.guest.takes(outcome.is_ready());
        outcome
    }
}

impl AsyncRead for GuestStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() > 0
            && let Some(first) = self.first.take()
        {
            buf.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        match buf.filled().len() - before {
            0 => self.ended = true,
            _ => self.guest.heard(),
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for GuestStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called once everything is written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.guest.flushed();
        Poll::Ready(Ok(()))
    }

    /// Says that nothing more comes, and reads on until the client has said so too: a socket that
    /// is closed with bytes unread resets the connection, and the last answer may be lost with it.
    /// The sweep bounds the time.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.guest.closing();
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        let mut discarded = [0; DISCARD_BYTES];
        while !self.ended {
            let mut buf = ReadBuf::new(&mut discarded);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
            self.ended = buf.filled().is_empty();
        }
        Poll::Ready(Ok(()))
    }
}
