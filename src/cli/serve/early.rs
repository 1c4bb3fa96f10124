//! The address answers before there is anything to serve: a start that replays for long is no crash
//! to whoever looks.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::base::error::{Error, Result};
use crate::http;

/// A listener that says that the server starts.
pub(super) struct Early {
    pub(super) address: SocketAddr,
    enough: oneshot::Sender<()>,
    listening: JoinHandle<TcpListener>,
}

impl Early {
    /// Listens from here on.
    ///
    /// # Errors
    /// `Unavailable` when the address cannot be listened at.
    pub(super) fn listen(runtime: &Runtime, listen: SocketAddr) -> Result<Self> {
        let failed = |cause| Error::io(format!("listening on {listen}"), cause);
        let listener = runtime.block_on(TcpListener::bind(listen)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (enough, is_enough) = oneshot::channel::<()>();
        let listening = runtime.spawn(async move {
            tokio::select! {
                // Dropped or sent, it is enough.
                _ = is_enough => {}
                () = http::starting(&listener) => {}
            }
            listener
        });
        tracing::info!(%address, "starting");
        Ok(Self { address, enough, listening })
    }

    /// Gives the listener to the whole server. Whoever connected meanwhile waits in it.
    ///
    /// # Errors
    /// `Unavailable` when it was lost to a panic.
    pub(super) async fn end(self) -> Result<TcpListener> {
        drop(self.enough);
        let lost = |cause| Error::unavailable("the listener was lost").with_source(cause);
        self.listening.await.map_err(lost)
    }
}
