//! What the mall does by itself while it is served.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::App;
use crate::base::error::Result;
use crate::mall::Mall;

/// How often to look for what is to be done.
const EVERY: Duration = Duration::from_secs(1);
/// How long to leave a mall alone that could not.
const PAUSE: Duration = Duration::from_secs(30);
/// Others get a word in while there is more to do.
const BREATH: Duration = Duration::from_millis(10);

/// Begins whatever is done again and again, until `tasks` is dropped.
pub(super) fn begin(tasks: &mut JoinSet<()>, app: &Arc<App>) {
    tasks.spawn(repeat(app.clone(), "completing orders that are due", Mall::complete_due));
    tasks.spawn(repeat(app.clone(), "following stock for alerts", Mall::follow_alerts));
    tasks.spawn(repeat(app.clone(), "letting points expire", Mall::expire_points));
}

/// Does something beside the runtime's workers, at once again while it says that there is more.
async fn repeat(app: Arc<App>, what: &'static str, act: fn(&Mall) -> Result<bool>) {
    loop {
        let mall = app.mall.clone();
        let done = tokio::task::spawn_blocking(move || act(&mall)).await;
        let pause = match done {
            Ok(Ok(true)) => BREATH,
            Ok(Ok(false)) => EVERY,
            Ok(Err(error)) => {
                tracing::warn!(error = %error, what, "it is tried again later");
                PAUSE
            }
            Err(failed) => {
                tracing::error!(error = %failed, what, "it failed");
                PAUSE
            }
        };
        tokio::time::sleep(pause).await;
    }
}
