//! Clients that are not served, and hear why.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;

use super::App;
use super::error::ApiError;
use super::reply;

/// How many clients at a time are told why they are turned away; more are turned away without a
/// word.
pub(crate) const TURNED_AWAY_MAX: usize = 32;
/// How long a client that is turned away may take to ask and to read.
const TURNED_AWAY_TIMEOUT: Duration = Duration::from_secs(1);

/// Tells clients why they are turned away.
#[derive(Debug)]
pub(super) struct Porter {
    places: Arc<Semaphore>,
}

impl Default for Porter {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(TURNED_AWAY_MAX)) }
    }
}

impl Porter {
    /// Tells one what is wrong, if not too many are being told, and closes its connection.
    pub(super) fn turn_away(
        &self,
        app: &App,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        why: &ApiError,
    ) {
        let Ok(permit) = self.places.clone().try_acquire_owned() else {
            return;
        };
        let answer = reply::failure_bytes(why, &app.ids.make(), app.mall.now_ms());
        tokio::spawn(async move {
            let told = tokio::time::timeout(TURNED_AWAY_TIMEOUT, tell(stream, &answer));
            if let Ok(Err(error)) = told.await {
                tracing::debug!(error = %error, "a client was not told why it was turned away");
            }
            drop(permit);
        });
    }
}

/// Answers whatever a client asks, and closes.
async fn tell(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8]) -> io::Result<()> {
    let mut asked = [0; 4096];
    // What is not read before the socket is closed resets the connection, and the answer is lost.
    let _ = stream.read(&mut asked).await?;
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    while stream.read(&mut asked).await? > 0 {}
    Ok(())
}
