//! The task that sends spans.

use std::sync::Arc;
use std::time::Duration;

use super::collector::{Collector, Said};
use super::queue::Queue;
use crate::base::spans::Fate;

/// How long after a failure it is tried again: twice as long after each.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Sends what waits, until the end is said and nothing waits any more. A batch that the collector does
/// not take now is kept and tried again; meanwhile the queue fills, and drops what is newer.
pub(super) async fn send(queue: Arc<Queue>, collector: Collector) {
    let mut sender = Sender { queue, collector, is_troubled: false, pause: PAUSE_MIN };
    loop {
        let batch = sender.queue.batch().await;
        if batch.is_empty() {
            if sender.queue.is_over() {
                return;
            }
            continue;
        }
        let spans = batch.len() as u64;
        let body = sender.collector.written(batch);
        while let Said::Later(why, after) = sender.try_once(body.clone(), spans).await {
            sender.trouble(&why);
            if sender.queue.is_over() {
                sender.count(Fate::Dropped, spans);
                return;
            }
            let pause = after.map_or(sender.pause, |after| after.clamp(sender.pause, PAUSE_MAX));
            sender.pause = (sender.pause * 2).min(PAUSE_MAX);
            sender.queue.rest(pause).await;
        }
    }
}

struct Sender {
    queue: Arc<Queue>,
    collector: Collector,
    /// Whether the log has been told since the last batch that was taken.
    is_troubled: bool,
    pause: Duration,
}

impl Sender {
    /// Sends a batch of so many spans, and counts them unless it is to be tried again.
    async fn try_once(&mut self, body: hyper::body::Bytes, spans: u64) -> Said {
        let said = self.collector.send(body).await;
        match &said {
            Said::Has { refused } => {
                let refused = (*refused).min(spans);
                self.count(Fate::Sent, spans - refused);
                self.count(Fate::Refused, refused);
                self.pause = PAUSE_MIN;
                if std::mem::take(&mut self.is_troubled) {
                    tracing::info!("the collector takes spans again");
                }
            }
            Said::No(why) => {
                self.count(Fate::Refused, spans);
                self.trouble(why);
            }
            Said::Later(..) => {}
        }
        said
    }

    fn count(&self, fate: Fate, spans: u64) {
        self.queue.counts().add(fate, spans);
    }

    /// Says once that spans are not taken.
    fn trouble(&mut self, why: &str) {
        if !std::mem::replace(&mut self.is_troubled, true) {
            tracing::warn!(
                why,
                "the collector does not take spans: sales go on, and spans are lost"
            );
        }
    }
}
