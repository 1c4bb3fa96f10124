//! What a connection's HTTP goes through: the socket, or TLS on it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::stream::GuestStream;

/// Either of them.
pub(super) enum Channel {
    Plain(GuestStream),
    Tls(Box<TlsStream<GuestStream>>),
}

/// The same of whichever it is.
macro_rules! of_either {
    ($channel:expr, $of:ident => $do:expr) => {
        match $channel {
            Channel::Plain($of) => $do,
            Channel::Tls($of) => $do,
        }
    };
}

impl AsyncRead for Channel {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        of_either!(self.get_mut(), it => Pin::new(it).poll_read(cx, buf))
    }
}

impl AsyncWrite for Channel {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        of_either!(self.get_mut(), it => Pin::new(it).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        of_either!(self.get_mut(), it => Pin::new(it).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        of_either!(self, it => it.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        of_either!(self.get_mut(), it => Pin::new(it).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        of_either!(self.get_mut(), it => Pin::new(it).poll_shutdown(cx))
    }
}
