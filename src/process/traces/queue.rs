//! Spans that ended and wait to be sent: so many, and those that no longer fit are counted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::{Context, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::base::spans::{Fate, SpanCounts};
use crate::process::logs::Lines;

/// How many spans may wait: some megabytes.
pub(super) const WAITING_MAX: usize = 8_192;
/// How many are sent at a time.
pub(super) const BATCH_MAX: usize = 512;
/// How long a span waits for others to be sent with.
const GATHER: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// There is a whole batch, or the end has come.
    filled: Notify,
    counts: Arc<SpanCounts>,
}

#[derive(Debug, Default)]
struct Waiting {
    spans: VecDeque<SpanData>,
    is_over: bool,
}

impl Queue {
    pub(super) fn counts(&self) -> Arc<SpanCounts> {
        self.counts.clone()
    }

    /// Takes a span, or counts it as dropped. Never waits.
    fn push(&self, span: SpanData) {
        let mut waiting = self.waiting.lock();
        if waiting.spans.len() >= WAITING_MAX {
            drop(waiting);
            self.counts.add(Fate::Dropped, 1);
            return;
        }
        waiting.spans.push_back(span);
        let is_batch = waiting.spans.len() == BATCH_MAX;
        drop(waiting);
        if is_batch {
            self.filled.notify_one();
        }
    }

    /// Says that nothing is waited for any more.
    pub(super) fn end(&self) {
        self.waiting.lock().is_over = true;
        self.filled.notify_one();
    }

    pub(super) fn is_over(&self) -> bool {
        self.waiting.lock().is_over
    }

    /// Waits until the end has been said, but no longer than this.
    pub(super) async fn rest(&self, pause: Duration) {
        let over = async {
            while !self.is_over() {
                self.filled.notified().await;
            }
        };
        let _ = timeout(pause, over).await;
    }

    /// A batch, once there is one or some time has gone by: maybe an empty one. Does not wait at the
    /// end.
    pub(super) async fn batch(&self) -> Vec<SpanData> {
        let filled = async {
            loop {
                // What is said between the look and the wait is kept.
                {
                    let waiting = self.waiting.lock();
                    if waiting.is_over || waiting.spans.len() >= BATCH_MAX {
                        return;
                    }
                }
                self.filled.notified().await;
            }
        };
        let _ = timeout(GATHER, filled).await;
        let mut waiting = self.waiting.lock();
        let count = waiting.spans.len().min(BATCH_MAX);
        waiting.spans.drain(..count).collect()
    }
}

/// Hears of spans that end, wherever they do.
pub(super) struct Ends {
    pub(super) queue: Arc<Queue>,
    /// How texts and users are shown.
    pub(super) shown: Lines,
}

impl std::fmt::Debug for Ends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ends").finish_non_exhaustive()
    }
}

impl SpanProcessor for Ends {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, mut span: SpanData) {
        for attribute in &mut span.attributes {
            if let Value::String(text) = &attribute.value {
                let is_user = attribute.key.as_str() == "enduser.id";
                let text = text.as_str();
                let shown =
                    if is_user { self.shown.user(text) } else { self.shown.text_shown(text) };
                attribute.value = shown.into();
            }
        }
        self.queue.push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn set_resource(&mut self, _: &Resource) {}
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::super::Traces;
    use super::*;
    use crate::base::spans;
    use crate::settings::{TracesConfig, log_for_tests};

    fn dropped(queue: &Queue) -> u64 {
        let seen = queue.counts.seen();
        seen.iter().find(|(fate, _)| *fate == "dropped").expect("it is counted").1
    }

    /// Would catch spans that fill the memory while nobody takes them, and those that are lost in
    /// silence.
    #[tokio::test]
    async fn what_does_not_fit_is_dropped_and_counted() {
        let endpoint = "http://127.0.0.1:1".to_owned();
        let config = TracesConfig { endpoint, headers_file: None, sample: 1.0 };
        let traces = Traces::new(&config, "mall-service").expect("a collector");
        let layer = traces.layer(Lines::new(&log_for_tests(), [0; 32]));
        let _watched = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        for number in 0..WAITING_MAX + 3 {
            drop(spans::request(&number.to_string(), None, None));
        }
        // What is no span of ours is nobody's.
        drop(tracing::info_span!("another"));
        assert_eq!(dropped(&traces.queue), 3);
        let batch = traces.queue.batch().await;
        assert_eq!(batch.len(), BATCH_MAX);
        let name = batch[0].attributes.iter().find(|it| it.key.as_str() == "stockhold.request_id");
        assert_eq!(name.expect("a name").value, Value::from("0"), "the newest are dropped");
        traces.queue.end();
        let mut left = 0;
        loop {
            let batch = traces.queue.batch().await.len();
            left += batch;
            if batch == 0 {
                break;
            }
        }
        assert_eq!(left, WAITING_MAX - BATCH_MAX);
    }
}
