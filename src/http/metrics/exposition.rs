//! The numbers as Prometheus reads them, in either of its text formats.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::{Registry, Unit};

use super::family::{In, Kind, Labels, Sample, Value, Values};
use super::reading::{Reading, Sources, seconds};
use super::table::TABLE;
use crate::base::times::{BOUNDS_US, TimesSeen};
use crate::engine::{Metric, MetricKind};

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Exposition {
    Prometheus,
    OpenMetrics,
}

impl Exposition {
    pub(in crate::http) const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Everything there is to tell now.
///
/// # Errors
/// Never, as text is written to memory.
pub(in crate::http) fn written(
    sources: &Sources,
    format: Exposition,
) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Shown { families: families(&sources.read()) }));
    let mut text = String::new();
    match format {
        Exposition::Prometheus => prometheus_text::encode(&mut text, &registry)?,
        Exposition::OpenMetrics => text::encode(&mut text, &registry)?,
    }
    Ok(text)
}

/// A metric with its values.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: Cow<'static, str>,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) labels: Cow<'static, [&'static str]>,
    samples: Vec<Sample>,
}

/// The engine's metrics, and then the server's own.
pub(super) fn families(reading: &Reading) -> Vec<Family> {
    let own = TABLE.iter().map(|row| {
        let mut values = Values::default();
        (row.read)(reading, &mut values);
        Family {
            name: row.name.into(),
            help: row.help,
            kind: row.kind,
            labels: row.labels.into(),
            samples: values.samples,
        }
    });
    reading.engine.iter().map(Family::of_engine).chain(own).collect()
}

impl Family {
    /// The engine counts time in milliseconds, and Prometheus in seconds.
    pub(super) fn of_engine(metric: &Metric) -> Self {
        let in_ms = metric.name.strip_suffix("_ms");
        let value = |value: i64| match in_ms {
            None => Value::Whole(value),
            Some(_) => Value::Real(seconds(value.unsigned_abs()) * value.signum() as f64),
        };
        let labels = metric.samples.first().map(|sample| &sample.labels[..]).unwrap_or_default();
        let samples = metric.samples.iter().map(|sample| Sample {
            labels: sample.labels.iter().map(|(_, label)| Cow::Borrowed(*label)).collect(),
            value: value(sample.value),
        });
        Self {
            name: match in_ms {
                None => metric.name.into(),
                Some(name) => format!("{name}{}", In::Seconds.suffix()).into(),
            },
            help: metric.help,
            kind: match metric.kind {
                MetricKind::Counter => Kind::Counter,
                MetricKind::Gauge => Kind::Gauge,
            },
            labels: labels.iter().map(|(name, _)| *name).collect(),
            samples: samples.collect(),
        }
    }

    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (metric_type, unit) = (self.metric_type(), self.unit());
        let mut metric =
            encoder.encode_descriptor(self.stem(), self.help, unit.as_ref(), metric_type)?;
        for sample in &self.samples {
            if self.labels.is_empty() {
                sample.value.encode(self.kind, &mut metric)?;
            } else {
                let labels = pairs(&self.labels, &sample.labels);
                sample.value.encode(self.kind, &mut metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    /// The name without what the encoder puts behind it.
    fn stem(&self) -> &str {
        let name = match self.kind {
            Kind::Counter => self.name.strip_suffix("_total").unwrap_or(&self.name),
            Kind::Gauge | Kind::Histogram => &self.name,
        };
        name.strip_suffix(In::of(&self.name).suffix()).unwrap_or(name)
    }

    fn metric_type(&self) -> MetricType {
        match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
        }
    }

    fn unit(&self) -> Option<Unit> {
        match In::of(&self.name) {
            In::Things => None,
            In::Seconds => Some(Unit::Seconds),
            In::Bytes => Some(Unit::Bytes),
        }
    }
}

fn pairs<'a>(names: &'a [&'static str], labels: &'a Labels) -> Vec<(&'a str, &'a str)> {
    names.iter().zip(labels).map(|(name, label)| (*name, &**label)).collect()
}

impl Value {
    fn encode(&self, kind: Kind, to: &mut MetricEncoder<'_>) -> fmt::Result {
        const NONE: Option<&Exemplar<NoLabelSet, f64>> = None;
        match (self, kind) {
            (Self::Times(times), _) => encode_times(times, to),
            (Self::Real(value), Kind::Counter) => to.encode_counter(value, NONE),
            (Self::Whole(value), Kind::Counter) => to.encode_counter(&value.unsigned_abs(), NONE),
            (Self::Real(value), Kind::Gauge | Kind::Histogram) => to.encode_gauge(value),
            (Self::Whole(value), Kind::Gauge | Kind::Histogram) => to.encode_gauge(value),
        }
    }
}

fn encode_times(times: &TimesSeen, to: &mut MetricEncoder<'_>) -> fmt::Result {
    let bounds = BOUNDS_US.iter().map(|us| *us as f64 / 1e6).chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(times.counts).collect();
    let sum = times.sum_us as f64 / 1e6;
    to.encode_histogram::<NoLabelSet>(sum, times.count(), &buckets, None)
}

#[derive(Debug)]
struct Shown {
    families: Vec<Family>,
}

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // One without values is left out with its head: it would be a metric that has none.
        let shown = self.families.iter().filter(|family| !family.samples.is_empty());
        shown.into_iter().try_for_each(|family| family.encode(&mut encoder))
    }
}
