//! How far a soak is, for whoever watches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

const PROGRESS_EVERY: Duration = Duration::from_millis(200);

pub(super) fn progress_bar(length: Duration) -> ProgressBar {
    let bar = ProgressBar::new(length.as_millis() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {prefix} {msg}") {
        bar.set_style(style);
    }
    bar
}

pub(super) async fn show_progress(bar: ProgressBar, started: Instant, requests: Arc<AtomicU64>) {
    let mut ticks = tokio::time::interval(PROGRESS_EVERY);
    loop {
        ticks.tick().await;
        let length = bar.length().unwrap_or(u64::MAX);
        bar.set_position((started.elapsed().as_millis() as u64).min(length));
        bar.set_prefix(format!("{} requests", requests.load(Ordering::Relaxed)));
    }
}
