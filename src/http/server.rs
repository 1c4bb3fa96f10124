//! Connections: accepting, bounding, and draining them.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;

use super::App;

/// The longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How long to leave the listener alone after it failed: it is out of file descriptors, and a retry at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `app` on `listener` until `shutdown` resolves, then lets requests under way finish. A connection's failure is
/// its own.
pub async fn run(listener: TcpListener, shutdown: impl Future<Output = ()>, app: Arc<App>) {
    let mut builder = http1::Builder::new();
    // Without the timer the timeout is silently off.
    builder.timer(TokioTimer::new()).header_read_timeout(app.limits.header_timeout).max_buf_size(HEAD_BYTES_MAX);
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(app.limits.connections));
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        if let Some((stream, permit)) = accepted {
            serve(&builder, &graceful, stream, permit, app.clone());
        }
    }
    app.draining.store(true, Ordering::Relaxed);
    tracing::info!("stopping: requests under way are finished first");
    drop(listener);
    if tokio::time::timeout(app.limits.drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
}

/// A connection, once there is room for it.
async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    // The semaphore is never closed.
    let permit = permits.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, permit)),
        Err(error) => {
            tracing::warn!(error = %error, "a connection was not accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

fn serve(
    builder: &http1::Builder,
    graceful: &GracefulShutdown,
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    app: Arc<App>,
) {
    // A small answer must not wait for the client's acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %error, "a connection keeps its delay");
    }
    let write_timeout = app.limits.write_timeout;
    let service = service_fn(move |request| {
        let app = app.clone();
        async move { Ok::<_, Infallible>(super::router::handle(&app, request).await) }
    });
    // The other timeouts bound what a client sends; this one bounds how long it may not read.
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(write_timeout));
    let connection = graceful.watch(builder.serve_connection(TokioIo::new(Box::pin(stream)), service));
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %error, "a connection ended early");
        }
        drop(permit);
    });
}
