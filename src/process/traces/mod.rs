//! Traces: spans of requests, told to a collector by OTLP over HTTP.
//!
//! Who serves never waits for it: a span that ends is put into a bounded queue or dropped, and one task
//! sends what is there. `opentelemetry-otlp` would do that too, but it reads where to and with what
//! headers from the environment as well, and tells nobody how many spans were lost.

mod collector;
mod headers;
mod queue;
mod run;
#[cfg(feature = "test-util")]
mod told;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use self::collector::Collector;
use self::queue::{Ends, Queue};
use super::logs::Lines;
use crate::base::error::Result;
use crate::base::spans::{self, SpanCounts};
use crate::settings::TracesConfig;

#[cfg(feature = "test-util")]
pub use told::{SpanTold, decode_spans};

/// How long an end waits for the last spans to be sent.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// Where spans go, before anything is sent.
pub(crate) struct Traces {
    queue: Arc<Queue>,
    collector: Collector,
    sample: f64,
    resource: Resource,
}

impl Traces {
    /// Spans of `service` for this collector.
    ///
    /// # Errors
    /// `Invalid` when the URL or the headers cannot be used, `Unavailable` when their file cannot be
    /// read.
    pub(crate) fn new(config: &TracesConfig, service: &str) -> Result<Self> {
        let named = Resource::builder_empty().with_service_name(service.to_owned());
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = named.with_attribute(version).build();
        let collector = Collector::new(config, &resource)?;
        Ok(Self { queue: Arc::default(), collector, sample: config.sample, resource })
    }

    /// What hears of spans: whoever asks with a trace that is looked at is looked at, and a part of the
    /// others. Texts and users' ids are shown as the log shows them.
    pub(super) fn layer<S>(&self, shown: Lines) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let sampler = Sampler::TraceIdRatioBased(self.sample);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Ends { queue: self.queue.clone(), shown })
            .with_sampler(Sampler::ParentBased(Box::new(sampler)))
            .with_resource(self.resource.clone())
            .build();
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("stockhold"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(Targets::new().with_target(spans::TARGET, LevelFilter::INFO))
    }

    /// What became of spans.
    pub(crate) fn counts(&self) -> Arc<SpanCounts> {
        self.queue.counts()
    }

    /// Begins to send.
    pub(crate) fn start(self, runtime: &Runtime) -> Telling {
        let Self { queue, collector, .. } = self;
        let sending = runtime.spawn(run::send(queue.clone(), collector));
        Telling { queue, sending }
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The collector's headers are secrets.
        f.debug_struct("Traces").field("sample", &self.sample).finish_non_exhaustive()
    }
}

/// Spans that are being sent.
pub(crate) struct Telling {
    queue: Arc<Queue>,
    sending: JoinHandle<()>,
}

impl Telling {
    /// Sends what waits, but not for long.
    pub(crate) async fn stop(self) {
        self.queue.end();
        // What a collector that hangs does not have by then is lost.
        let _ = timeout(STOP_LIMIT, self.sending).await;
    }
}
