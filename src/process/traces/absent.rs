//! What stands in for traces in a program without the feature `otel`.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tracing_subscriber::layer::Identity;

use super::logs::Lines;
use crate::base::error::{Error, Result};
use crate::base::spans::SpanCounts;
use crate::settings::TracesConfig;

/// The type of traces in a build that has none.
#[derive(Debug)]
pub(crate) struct Traces(Infallible);

impl Traces {
    /// # Errors
    /// `Invalid`: this program tells no traces.
    pub(crate) fn new(_: &TracesConfig, _: &str) -> Result<Self> {
        Err(Error::invalid("this program was built without the feature `otel`"))
    }

    pub(super) fn layer(&self, _: Lines) -> Identity {
        match self.0 {}
    }

    pub(crate) fn counts(&self) -> Arc<SpanCounts> {
        match self.0 {}
    }

    pub(crate) fn start(self, _: &Runtime) -> Telling {
        match self.0 {}
    }
}

/// As [`Traces`].
pub(crate) struct Telling(Infallible);

impl Telling {
    pub(crate) async fn stop(self) {
        match self.0 {}
    }
}
