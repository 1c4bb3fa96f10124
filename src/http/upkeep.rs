//! What the mall does by itself while it is served.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
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

/// How long to pause between two steps of a round over the books: some 10,000 accounts a second.
const STRIDE: Duration = Duration::from_millis(100);
/// How often to look for units that somebody in line waits for.
const LOOK: Duration = Duration::from_millis(50);

/// What is done last may take as much of the time that requests under way may.
const LAST_OF_DRAIN: u32 = 4;

/// Begins whatever is done again and again, until `tasks` is dropped.
pub(super) fn begin(tasks: &mut JoinSet<()>, app: &Arc<App>) {
    tasks.spawn(repeat(app.clone(), "completing orders that are due", Mall::complete_due));
    tasks.spawn(repeat(app.clone(), "following stock for alerts", Mall::follow_alerts));
    tasks.spawn(repeat(app.clone(), "following experiments", Mall::follow_experiments));
    tasks.spawn(repeat(app.clone(), "letting points expire", Mall::expire_points));
    tasks.spawn(repeat(app.clone(), "keeping views of products", Mall::keep_due_views));
    tasks.spawn(repeat(app.clone(), "keeping how answers went", Mall::keep_due_answers));
    tasks.spawn(serve_lines(app.clone()));
    tasks.spawn(drive_sagas(app.clone()));
    if !app.watching.is_off() {
        tasks.spawn(go_round(app.clone()));
    }
}

/// How long what is done last may take.
pub(super) fn last_of(app: &App) -> Duration {
    app.limits.drain_timeout / LAST_OF_DRAIN
}

/// Does what is done last, once nothing is asked any more. A disk that hangs is not waited for: by then
/// little is left of the time for everything, and the engine is to be closed.
pub(super) async fn end(app: &App) {
    let mall = app.mall.clone();
    let (tell, told) = oneshot::channel();
    // On a thread of its own: the runtime's end would wait for one of its.
    let keep = move || {
        if let Err(error) = mall.keep_views() {
            tracing::warn!(%error, "the last views of products are lost");
        }
        if let Err(error) = mall.keep_experiments() {
            tracing::warn!(%error, "the last who took part in experiments are not counted");
        }
        if let Err(error) = mall.keep_all_answers() {
            tracing::warn!(%error, "how the last answers went is lost");
        }
        // Nobody may wait any more.
        let _ = tell.send(());
    };
    if let Err(error) = thread::Builder::new().name("stockhold-last".into()).spawn(keep) {
        tracing::error!(%error, "what was not written yet is lost");
        return;
    }
    if !matches!(tokio::time::timeout(last_of(app), told).await, Ok(Ok(()))) {
        tracing::warn!("what was not written yet is lost: the disk does not answer");
    }
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

/// Drives the sagas of points that are kept elsewhere, until it is dropped.
async fn drive_sagas(app: Arc<App>) {
    loop {
        app.mall.saga_due().await;
        app.mall.drive_due_sagas().await;
    }
}

/// Goes round the books, until it is dropped.
async fn go_round(app: Arc<App>) {
    loop {
        let (mall, watching) = (app.mall.clone(), app.watching.clone());
        let step = move || watching.rounds.step(mall.engine());
        let pause = match tokio::task::spawn_blocking(step).await {
            Ok(true) => STRIDE,
            Ok(false) => EVERY,
            Err(failed) => {
                tracing::error!(error = %failed, "going round the books failed");
                PAUSE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Serves those who wait in line as units come back, until it is dropped. While nobody waits it does
/// nothing.
async fn serve_lines(app: Arc<App>) {
    loop {
        app.mall.line_opened().await;
        let mall = app.mall.clone();
        let served = tokio::task::spawn_blocking(move || mall.serve_lines()).await;
        let pause = match served {
            Ok(Ok(true)) => Duration::ZERO,
            Ok(Ok(false)) => LOOK,
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "those who wait in line are not served yet");
                EVERY
            }
            Err(failed) => {
                tracing::error!(error = %failed, "serving those who wait in line failed");
                PAUSE
            }
        };
        tokio::time::sleep(pause).await;
    }
}
