//! What the mall does by itself while it is served.

use std::sync::Arc;
use std::time::Duration;

use super::App;

/// How often to look for what is due.
const EVERY: Duration = Duration::from_secs(1);
/// How long to leave a mall alone that could not.
const PAUSE: Duration = Duration::from_secs(30);
/// Others get a word in while there is more to do.
const BREATH: Duration = Duration::from_millis(10);

/// Completes orders as they are due, until it is dropped.
pub(super) async fn run(app: Arc<App>) {
    loop {
        let mall = app.mall.clone();
        let done = tokio::task::spawn_blocking(move || mall.complete_due()).await;
        let pause = match done {
            Ok(Ok(true)) => BREATH,
            Ok(Ok(false)) => EVERY,
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "orders that are due are not completed yet");
                PAUSE
            }
            Err(failed) => {
                tracing::error!(error = %failed, "completing orders failed");
                PAUSE
            }
        };
        tokio::time::sleep(pause).await;
    }
}
