//! What receivers are told of, and which of it each wants.

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};
use crate::base::every;
#[cfg(feature = "bin")]
use crate::mall::Span;
use crate::mall::facts::AlertKind;

every! {
    /// What a message tells.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Kind {
        OrderCreated,
        OrderConfirmed,
        OrderShipped,
        OrderCompleted,
        OrderCancelled,
        OrderExpired,
        /// Everything it took was given back after it was confirmed, or some of it.
        OrderRefunded,
        /// It was somebody's turn in a line.
        WaitingGranted,
        StockLow,
        StockRecovered,
        StockSoldOut,
        StockBack,
        /// Nobody asks any more whether a product is low or sold out.
        StockLifted,
        /// What happened in a day that is over; for those who name it.
        ReportDaily,
        /// The same of a week.
        ReportWeekly,
        /// An operator wants to see whether a receiver can be reached.
        Test,
    }
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OrderCreated => "order.created",
            Self::OrderConfirmed => "order.confirmed",
            Self::OrderShipped => "order.shipped",
            Self::OrderCompleted => "order.completed",
            Self::OrderCancelled => "order.cancelled",
            Self::OrderExpired => "order.expired",
            Self::OrderRefunded => "order.refunded",
            Self::WaitingGranted => "waiting.granted",
            Self::StockLow => "stock.low",
            Self::StockRecovered => "stock.recovered",
            Self::StockSoldOut => "stock.sold_out",
            Self::StockBack => "stock.back_in_stock",
            Self::StockLifted => "stock.lifted",
            Self::ReportDaily => "report.daily",
            Self::ReportWeekly => "report.weekly",
            Self::Test => "webhook.test",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    #[cfg(feature = "bin")]
    pub(super) fn of_report(span: Span) -> Self {
        match span {
            Span::Daily => Self::ReportDaily,
            Span::Weekly => Self::ReportWeekly,
        }
    }

    /// Whether it is told to nobody who does not name it: nothing happened, and it is long.
    fn is_named(self) -> bool {
        matches!(self, Self::ReportDaily | Self::ReportWeekly)
    }

    pub(super) fn of_alert(kind: AlertKind) -> Self {
        match kind {
            AlertKind::LowStock => Self::StockLow,
            AlertKind::StockRecovered => Self::StockRecovered,
            AlertKind::SoldOut => Self::StockSoldOut,
            AlertKind::BackInStock => Self::StockBack,
            AlertKind::Lifted => Self::StockLifted,
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        let unknown = || serde::de::Error::custom("no kind of message");
        Self::from_name(&name).ok_or_else(unknown)
    }
}

/// The kinds that a receiver wants: names, or `order.*` for all that begin so. None is all but
/// reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Wanted(Vec<String>);

impl Wanted {
    /// # Errors
    /// `Invalid` naming what is no kind, and all that are.
    pub(crate) fn parse(names: Vec<String>) -> Result<Self> {
        let known = || Kind::ALL.iter().filter(|kind| **kind != Kind::Test);
        for name in &names {
            if !known().any(|kind| is_meant(name, *kind)) {
                let all: Vec<_> = known().map(|kind| kind.name()).collect();
                let what = format!("$.events: {name:?} is none of {}", all.join(", "));
                return Err(Error::invalid(what));
            }
        }
        if names.len() > Kind::ALL.len() {
            return Err(Error::invalid("$.events: there are more names than kinds"));
        }
        Ok(Self(names))
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }

    pub(super) fn has(&self, kind: Kind) -> bool {
        kind == Kind::Test
            || (self.0.is_empty() && !kind.is_named())
            || self.0.iter().any(|name| is_meant(name, kind))
    }
}

fn is_meant(name: &str, kind: Kind) -> bool {
    match name.strip_suffix('*') {
        Some(start) => start.ends_with('.') && kind.name().starts_with(start),
        None => name == kind.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_by_its_name() {
        for kind in Kind::ALL {
            let written = serde_json::to_string(kind).expect("it is written");
            assert_eq!(serde_json::from_str::<Kind>(&written).expect("it reads"), *kind);
        }
        assert_eq!(Kind::from_name("order.lost"), None);
    }

    #[test]
    fn a_receiver_wants_all_or_what_it_names() {
        let wanted = |names: &[&str]| Wanted::parse(names.iter().map(|it| (*it).into()).collect());
        for (names, kind, expected) in [
            (&[][..], Kind::StockLow, true),
            (&[], Kind::ReportDaily, false),
            (&["report.*"], Kind::ReportWeekly, true),
            (&["report.daily"], Kind::ReportWeekly, false),
            (&["order.*"], Kind::OrderShipped, true),
            (&["order.*"], Kind::StockLow, false),
            (&["stock.low", "order.created"], Kind::StockLow, true),
            (&["stock.low"], Kind::StockSoldOut, false),
            (&["stock.low"], Kind::Test, true),
        ] {
            assert_eq!(wanted(names).expect("they are names").has(kind), expected, "{names:?}");
        }
        for wrong in ["", "*", "order", "order*", "or*", "order.lost", "webhook.test", "x.*"] {
            assert!(wanted(&[wrong]).is_err(), "{wrong:?}");
        }
    }
}
