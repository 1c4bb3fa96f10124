//! An order whose points are kept elsewhere, as long as both books may differ.
//!
//! A saga is a document named for its order: it is written before the first call to the points service,
//! and removed once nothing is left to be done. So those that wait are those that are there.

use serde::{Deserialize, Serialize};

use crate::base::TimeMs;

/// The collection of their documents.
pub(crate) const SAGAS: &str = "points-saga";

/// What is known of the points of one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Saga {
    pub(crate) user_id: String,
    /// What the order costs.
    pub(crate) points: u64,
    /// Whether the order is confirmed as soon as its points are taken.
    pub(crate) confirms: bool,
    pub(crate) take: SagaTake,
    /// What was to be given back when this was written last: the same again, with the same key.
    #[serde(default)]
    pub(crate) giving_back: Option<GivingBack>,
    pub(crate) begun_at: TimeMs,
    /// What operators did about it, oldest first.
    #[serde(default)]
    pub(crate) acts: Vec<SagaAct>,
    /// Whether its user knew of the order before its points were asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) was_known: bool,
}

/// What became of the take, as far as the service has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum SagaTake {
    /// A call may have been made; no answer is on record.
    Unknown,
    Taken,
    /// The user has too few: so many.
    Refused {
        balance: u64,
    },
    /// Everything is given back, and nothing more can be taken by the same key.
    Closed,
}

/// Points to be given back, with a key of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GivingBack {
    pub(crate) key: String,
    /// The key of the take.
    pub(crate) take: String,
    pub(crate) points: u64,
    /// All that is left of the take, whatever that is, and the take has no effect any more.
    pub(crate) closes: bool,
}

/// What an operator did about a saga.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SagaAct {
    pub(crate) kind: SagaActKind,
    pub(crate) operator: String,
    pub(crate) reason: String,
    pub(crate) at: TimeMs,
}

/// What it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum SagaActKind {
    /// It was driven on at once.
    Retried,
    /// The order was given up, and its points go back.
    Compensated,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mall::facts::document::{self, Stamp};

    #[test]
    fn sagas_keep_their_bytes() {
        let plain = Saga {
            user_id: "ann".into(),
            points: 500,
            confirms: true,
            take: SagaTake::Unknown,
            giving_back: None,
            begun_at: 7,
            acts: Vec::new(),
            was_known: false,
        };
        let act = SagaAct {
            kind: SagaActKind::Compensated,
            operator: "ops".into(),
            reason: "lost".into(),
            at: 9,
        };
        let giving_back = GivingBack {
            key: "ord_1-close".into(),
            take: "ord_1".into(),
            points: 500,
            closes: true,
        };
        let whole = Saga {
            take: SagaTake::Refused { balance: 3 },
            giving_back: Some(giving_back),
            acts: vec![act],
            ..plain.clone()
        };
        let golden = [
            (
                plain,
                concat!(
                    r#"{"version":1,"userId":"ann","points":500,"confirms":true,"take":"unknown","#,
                    r#""givingBack":null,"begunAt":7,"acts":[]}"#
                ),
            ),
            (
                whole,
                concat!(
                    r#"{"version":1,"userId":"ann","points":500,"confirms":true,"#,
                    r#""take":{"refused":{"balance":3}},"givingBack":{"key":"ord_1-close","#,
                    r#""take":"ord_1","points":500,"closes":true},"begunAt":7,"#,
                    r#""acts":[{"kind":"compensated","operator":"ops","reason":"lost","at":9}]}"#
                ),
            ),
        ];
        for (saga, bytes) in golden {
            let (_, body) = document::written(saga.clone(), Stamp::default()).expect("it writes");
            assert_eq!(String::from_utf8(body).expect("JSON"), bytes);
            assert_eq!(document::read::<Saga>(bytes.as_bytes()).expect("it reads").content, saga);
        }
    }
}
