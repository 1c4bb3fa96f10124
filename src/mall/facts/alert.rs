//! Alerts about stock: what operators are told of a product, from when it began until it was over.
//!
//! An alert is a document of its own. Its name says which event began it, of which product and in
//! which respect, so the same events make the same names: however often they are read, an alert is
//! made once.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::{Seq, TimeMs, every, halves};

/// The collection of their documents.
pub(crate) const ALERTS: &str = "alert";

every! {
    /// What operators are told.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(crate) enum AlertKind {
        /// No more units can be bought than the product's threshold.
        LowStock,
        /// More can be bought again.
        StockRecovered,
        /// None can be bought.
        SoldOut,
        /// Some can be bought again.
        BackInStock,
        /// Nobody asks any more: the threshold is another, or the product is gone.
        Lifted,
    }
}

every! {
    /// In which respect something is the matter with a product's stock.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(crate) enum Condition {
        Low,
        Out,
    }
}

impl AlertKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::LowStock => "lowStock",
            Self::StockRecovered => "stockRecovered",
            Self::SoldOut => "soldOut",
            Self::BackInStock => "backInStock",
            Self::Lifted => "lifted",
        }
    }
}

impl Condition {
    /// What is told when it begins.
    pub(crate) fn begins(self) -> AlertKind {
        match self {
            Self::Low => AlertKind::LowStock,
            Self::Out => AlertKind::SoldOut,
        }
    }

    /// What is told when units have ended it.
    pub(crate) fn recovers(self) -> AlertKind {
        match self {
            Self::Low => AlertKind::StockRecovered,
            Self::Out => AlertKind::BackInStock,
        }
    }

    fn letter(self) -> char {
        match self {
            Self::Low => 'l',
            Self::Out => 'o',
        }
    }
}

/// Which alert: the name of its document. They order by the events that began them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AlertId {
    seq: Seq,
    condition: Condition,
    /// The hash of the product's id.
    product: u64,
}

impl AlertId {
    /// The alert that the event `seq` began.
    pub(crate) fn new(seq: Seq, condition: Condition, product_id: &str) -> Self {
        let [product, _] = halves(blake3::Hasher::new().update(product_id.as_bytes()));
        Self { seq, condition, product }
    }

    /// An id as it is shown.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let hex = |digits: &str| {
            let is_hex = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
            let is_whole = digits.len() == 16 && digits.bytes().all(is_hex);
            is_whole.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
        };
        let (seq, product) = (text.get(..16)?, text.get(17..)?);
        let letter = text.get(16..17)?.chars().next()?;
        let condition = *Condition::ALL.iter().find(|it| it.letter() == letter)?;
        Some(Self { seq: hex(seq)?, condition, product: hex(product)? })
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{}{:016x}", self.seq, self.condition.letter(), self.product)
    }
}

/// An alert with its whole life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Alert {
    pub(crate) product_id: String,
    pub(crate) condition: Condition,
    /// What the product's threshold was when it began.
    #[serde(default)]
    pub(crate) threshold: Option<u64>,
    /// What could be bought when it began.
    pub(crate) available: i64,
    /// The event that began it.
    pub(crate) begun_seq: Seq,
    pub(crate) begun_at: TimeMs,
    /// `None` while it is open.
    #[serde(default)]
    pub(crate) end: Option<AlertEnd>,
    #[serde(default)]
    pub(crate) acknowledged: Option<Acknowledged>,
}

/// How an alert was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AlertEnd {
    pub(crate) kind: AlertKind,
    /// What could be bought then.
    pub(crate) available: i64,
    /// The event that ended it.
    pub(crate) seq: Seq,
    pub(crate) at: TimeMs,
}

/// An operator has seen it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Acknowledged {
    pub(crate) by: String,
    pub(crate) at: TimeMs,
}

impl Alert {
    pub(crate) fn id(&self) -> AlertId {
        AlertId::new(self.begun_seq, self.condition, &self.product_id)
    }

    /// The last event that it tells of.
    pub(crate) fn last_seq(&self) -> Seq {
        self.end.map_or(self.begun_seq, |end| end.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mall::facts::document::{self, Stamp};

    fn alert() -> Alert {
        let end = AlertEnd { kind: AlertKind::StockRecovered, available: 40, seq: 2041, at: 1_700 };
        Alert {
            product_id: "tea".into(),
            condition: Condition::Low,
            threshold: Some(10),
            available: 9,
            begun_seq: 2037,
            begun_at: 1_600,
            end: Some(end),
            acknowledged: Some(Acknowledged { by: "ops".into(), at: 1_650 }),
        }
    }

    #[test]
    fn alerts_keep_their_bytes() {
        let golden: [(Alert, &str); 2] = [
            (
                alert(),
                concat!(
                    r#"{"version":1,"productId":"tea","condition":"low","threshold":10,"#,
                    r#""available":9,"begunSeq":2037,"begunAt":1600,"#,
                    r#""end":{"kind":"stockRecovered","available":40,"seq":2041,"at":1700},"#,
                    r#""acknowledged":{"by":"ops","at":1650}}"#
                ),
            ),
            (
                Alert {
                    condition: Condition::Out,
                    threshold: None,
                    available: 0,
                    end: None,
                    acknowledged: None,
                    ..alert()
                },
                concat!(
                    r#"{"version":1,"productId":"tea","condition":"out","threshold":null,"#,
                    r#""available":0,"begunSeq":2037,"begunAt":1600,"end":null,"#,
                    r#""acknowledged":null}"#
                ),
            ),
        ];
        for (alert, bytes) in golden {
            let (_, body) = document::written(alert.clone(), Stamp::default()).expect("it writes");
            assert_eq!(String::from_utf8(body).expect("JSON"), bytes);
            assert_eq!(document::read::<Alert>(bytes.as_bytes()).expect("it reads").content, alert);
        }
    }

    #[test]
    fn an_id_is_a_name_that_reads_back_and_orders_by_its_event() {
        let (early, late) = (AlertId::new(9, Condition::Out, "tea"), alert().id());
        assert!(early < late && early.to_string() < late.to_string());
        for id in [early, late] {
            assert_eq!(AlertId::parse(&id.to_string()), Some(id));
        }
        assert_ne!(AlertId::new(9, Condition::Out, "cup"), early);
        let shown = early.to_string();
        for wrong in ["", "9", &shown[1..], &shown.replace('o', "x"), &shown.to_uppercase(), "茶"]
        {
            assert_eq!(AlertId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_written_of_a_kind_is_its_name() {
        for kind in AlertKind::ALL {
            let written = serde_json::to_value(kind).expect("it can be written");
            assert_eq!(written, kind.name());
        }
    }
}
