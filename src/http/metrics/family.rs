//! What a row of the table of metrics can say.

use std::borrow::Cow;

use super::reading::Reading;
use crate::base::times::TimesSeen;

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows, until the process ends.
    Counter,
    /// It is what it is now.
    Gauge,
    /// Times by bounds.
    Histogram,
}

impl Kind {
    #[cfg(test)]
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// What a metric is counted in; its name ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum In {
    /// Things, which the name says.
    Things,
    Seconds,
    Bytes,
}

impl In {
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Things => "",
            Self::Seconds => "_seconds",
            Self::Bytes => "_bytes",
        }
    }

    /// What a name is counted in.
    pub(super) fn of(name: &str) -> Self {
        let name = name.strip_suffix("_total").unwrap_or(name);
        let found = [Self::Seconds, Self::Bytes].into_iter();
        found.into_iter().find(|it| name.ends_with(it.suffix())).unwrap_or(Self::Things)
    }
}

/// One metric: its name, what it says, and where its values come from.
pub(super) struct Row {
    /// As it is written: with its unit, and with `_total` where it counts.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    /// What tells its values apart, in their order.
    pub(super) labels: &'static [&'static str],
    pub(super) read: fn(&Reading, &mut Values),
}

/// The values of a metric.
#[derive(Debug, Default)]
pub(super) struct Values {
    pub(super) samples: Vec<Sample>,
}

/// What tells a value from others of its metric, in the order of its row's labels.
pub(super) type Labels = Vec<Cow<'static, str>>;

#[derive(Debug)]
pub(super) struct Sample {
    pub(super) labels: Labels,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Whole(i64),
    Real(f64),
    Times(TimesSeen),
}

impl Values {
    /// The one value of a metric without labels.
    pub(super) fn one(&mut self, value: impl Into<Value>) {
        self.add(Labels::new(), value);
    }

    /// The same, where it is known.
    pub(super) fn known(&mut self, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.one(value);
        }
    }

    pub(super) fn add(&mut self, labels: Labels, value: impl Into<Value>) {
        self.samples.push(Sample { labels, value: value.into() });
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<i128> for Value {
    fn from(value: i128) -> Self {
        let least = i128::from(i64::MIN);
        Self::Whole(value.clamp(least, i128::from(i64::MAX)) as i64)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<TimesSeen> for Value {
    fn from(value: TimesSeen) -> Self {
        Self::Times(value)
    }
}
