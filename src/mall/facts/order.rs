//! Facts of an order: what happens to it beside its reservation, kept as notes on that.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::TimeMs;
use crate::mall::model::OrderStatus;

/// What a note of the mall's begins with; then come the version and the fact. Whoever embeds the
/// mall may keep notes of other kinds on the same reservation.
const MARK: [u8; 3] = *b"\x1eOF";
const VERSION: u8 = 1;

/// A fact of an order, as a MessagePack enum by name: `{"Remarked": [text]}`. New facts go to the
/// end, new fields to the end of a fact with a default. When it was is the note's to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OrderFact {
    /// An operator wrote something down.
    Remarked {
        /// Who.
        operator: String,
        text: String,
    },
    /// An operator sent it.
    Shipped { operator: String, tracking_no: String, carrier: Option<String> },
    /// It arrived, an operator says.
    Delivered { operator: String },
    Completed {
        /// Who; `None` when it was by itself, so long after it was sent.
        operator: Option<String>,
    },
    /// Its delivery goes elsewhere.
    Redirected {
        /// Which operator or service; `None` when it was its user.
        operator: Option<String>,
        delivery_info: Map<String, Value>,
    },
    /// An operator cancelled it; the ledger's own event has given everything back.
    Cancelled { operator: String, reason: String },
    /// An operator gave its points and its stock back, or some of them.
    Refunded {
        operator: String,
        reason: String,
        /// How many units; `None` when it was everything that was left.
        #[serde(default)]
        quantity: Option<u64>,
        /// Whether what came back broken is not sold again.
        #[serde(default)]
        discarded: bool,
        /// Of which product of a basket, where that was said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        product_id: Option<String>,
    },
    /// A service asks for something in the user's name; whether it came to that is the ledger's to
    /// say.
    Served { service: String, wish: ServiceWish },
    /// Its points are kept elsewhere and could not be taken, so it was given up.
    PointsLacked {
        /// What the user has there; `None` when the service did not answer in time.
        balance: Option<u64>,
        /// Whether its user knew of it before: it was its turn in a line, and it waited. Otherwise its
        /// exchange was refused.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        was_known: bool,
    },
}

/// What a service asks for in the name of an order's user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ServiceWish {
    Confirm,
    Cancel,
    Extend,
}

impl OrderFact {
    /// The fact in a note; `None` when the mall did not write the note.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let fact = body.strip_prefix(&MARK)?.strip_prefix(&[VERSION])?;
        rmp_serde::from_slice(fact).ok()
    }

    /// The note that [`OrderFact::read`] takes apart.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = [&MARK[..], &[VERSION]].concat();
        rmp_serde::encode::write(&mut body, self).expect("a fact has no map keys or odd lengths");
        body
    }

    /// What the order becomes by it; `None` when it stays what it is.
    pub(crate) fn becomes(&self) -> Option<OrderStatus> {
        match self {
            Self::Shipped { .. } => Some(OrderStatus::Shipped),
            Self::Completed { .. } => Some(OrderStatus::Completed),
            // That it is cancelled is the ledger's fact; this one says why.
            Self::Cancelled { .. } | Self::Refunded { .. } => None,
            Self::Remarked { .. }
            | Self::Delivered { .. }
            | Self::Redirected { .. }
            | Self::Served { .. }
            // As with what is cancelled.
            | Self::PointsLacked { .. } => None,
        }
    }

    /// Its name, as operators see it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Remarked { .. } => "remarked",
            Self::Shipped { .. } => "shipped",
            Self::Delivered { .. } => "delivered",
            Self::Completed { .. } => "completed",
            Self::Redirected { .. } => "redirected",
            Self::Cancelled { .. } => "cancelled",
            Self::Refunded { .. } => "refunded",
            Self::Served { wish: ServiceWish::Confirm, .. } => "confirmAsked",
            Self::Served { wish: ServiceWish::Cancel, .. } => "cancelAsked",
            Self::Served { wish: ServiceWish::Extend, .. } => "extendAsked",
            Self::PointsLacked { balance: Some(_), .. } => "pointsRefused",
            Self::PointsLacked { balance: None, .. } => "pointsUnavailable",
        }
    }

    /// Which operator or service it is by; `None` for a user, and for what happens by itself.
    pub(crate) fn operator(&self) -> Option<&str> {
        match self {
            Self::Remarked { operator, .. }
            | Self::Shipped { operator, .. }
            | Self::Delivered { operator }
            | Self::Cancelled { operator, .. }
            | Self::Refunded { operator, .. } => Some(operator),
            Self::Served { service, .. } => Some(service),
            Self::Completed { operator } | Self::Redirected { operator, .. } => operator.as_deref(),
            Self::PointsLacked { .. } => None,
        }
    }

    /// How many units it is about, where it is not about all.
    pub(crate) fn quantity(&self) -> Option<u64> {
        match self {
            Self::Refunded { quantity, .. } => *quantity,
            Self::Remarked { .. }
            | Self::Shipped { .. }
            | Self::Delivered { .. }
            | Self::Completed { .. }
            | Self::Redirected { .. }
            | Self::Cancelled { .. }
            | Self::Served { .. }
            | Self::PointsLacked { .. } => None,
        }
    }

    /// Of which product it is, where it is of one of several.
    pub(crate) fn product_id(&self) -> Option<&str> {
        match self {
            Self::Refunded { product_id, .. } => product_id.as_deref(),
            Self::Remarked { .. }
            | Self::Shipped { .. }
            | Self::Delivered { .. }
            | Self::Completed { .. }
            | Self::Redirected { .. }
            | Self::Cancelled { .. }
            | Self::Served { .. }
            | Self::PointsLacked { .. } => None,
        }
    }

    /// Why, or what was written down.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Remarked { text, .. } => Some(text),
            Self::Cancelled { reason, .. } | Self::Refunded { reason, .. } => Some(reason),
            Self::Shipped { .. }
            | Self::Delivered { .. }
            | Self::Completed { .. }
            | Self::Redirected { .. }
            | Self::Served { .. }
            | Self::PointsLacked { .. } => None,
        }
    }
}

/// What facts have made of an order, in the order in which they happened. Its fields are shown with
/// the order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fulfilment {
    /// What it became last; `None` while it is what its reservation says.
    #[serde(skip)]
    pub(crate) status: Option<OrderStatus>,
    /// Where it goes by now; `None` while that is what it was made with.
    #[serde(skip)]
    pub(crate) delivery_info: Option<Map<String, Value>>,
    pub(crate) tracking_no: Option<String>,
    pub(crate) carrier: Option<String>,
    pub(crate) shipped_at: Option<TimeMs>,
    pub(crate) delivered_at: Option<TimeMs>,
    pub(crate) completed_at: Option<TimeMs>,
}

impl Fulfilment {
    /// The next fact, of the time `at`.
    pub(crate) fn add(&mut self, fact: &OrderFact, at: TimeMs) {
        self.status = fact.becomes().or(self.status);
        match fact {
            OrderFact::Remarked { .. }
            | OrderFact::Cancelled { .. }
            | OrderFact::Refunded { .. }
            | OrderFact::Served { .. }
            | OrderFact::PointsLacked { .. } => {}
            OrderFact::Shipped { tracking_no, carrier, .. } => {
                self.tracking_no = Some(tracking_no.clone());
                self.carrier = carrier.clone();
                self.shipped_at = Some(at);
            }
            OrderFact::Delivered { .. } => self.delivered_at = Some(at),
            OrderFact::Completed { .. } => self.completed_at = Some(at),
            OrderFact::Redirected { delivery_info, .. } => {
                self.delivery_info = Some(delivery_info.clone());
            }
        }
    }

    /// What later facts made of it.
    #[cfg(feature = "mysql")]
    pub(crate) fn follow(&mut self, later: &Self) {
        let Self { status, delivery_info, tracking_no, carrier, .. } = later;
        self.status = status.or(self.status);
        self.delivery_info = delivery_info.clone().or(self.delivery_info.take());
        self.tracking_no = tracking_no.clone().or(self.tracking_no.take());
        self.carrier = carrier.clone().or(self.carrier.take());
        self.shipped_at = later.shipped_at.or(self.shipped_at);
        self.delivered_at = later.delivered_at.or(self.delivered_at);
        self.completed_at = later.completed_at.or(self.completed_at);
    }

    /// The number of the mall's document: 0 not sent, 1 under way, 2 delivered.
    pub(crate) fn delivery_status(&self) -> u8 {
        if self.delivered_at.or(self.completed_at).is_some() {
            2
        } else {
            u8::from(self.shipped_at.is_some())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_keep_their_bytes() {
        let remarked = OrderFact::Remarked { operator: "ops".into(), text: "fragile".into() };
        let ops = || "ops".to_owned();
        let shipped = OrderFact::Shipped {
            operator: ops(),
            tracking_no: "SF1".into(),
            carrier: Some("顺丰".into()),
        };
        let uncarried =
            OrderFact::Shipped { operator: ops(), tracking_no: "SF1".into(), carrier: None };
        let place = Map::from_iter([("city".to_owned(), Value::from("Ulm"))]);
        let redirected = OrderFact::Redirected { operator: None, delivery_info: place };
        let served = OrderFact::Served { service: "till".into(), wish: ServiceWish::Confirm };
        let golden = vec![
            (remarked, &b"\x1eOF\x01\x81\xa8Remarked\x92\xa3ops\xa7fragile"[..]),
            (shipped, b"\x1eOF\x01\x81\xa7Shipped\x93\xa3ops\xa3SF1\xa6\xe9\xa1\xba\xe4\xb8\xb0"),
            (uncarried, b"\x1eOF\x01\x81\xa7Shipped\x93\xa3ops\xa3SF1\xc0"),
            (OrderFact::Delivered { operator: ops() }, b"\x1eOF\x01\x81\xa9Delivered\x91\xa3ops"),
            (OrderFact::Completed { operator: None }, b"\x1eOF\x01\x81\xa9Completed\x91\xc0"),
            (redirected, b"\x1eOF\x01\x81\xaaRedirected\x92\xc0\x81\xa4city\xa3Ulm"),
            (
                OrderFact::Cancelled { operator: ops(), reason: "lost".into() },
                b"\x1eOF\x01\x81\xa9Cancelled\x92\xa3ops\xa4lost",
            ),
            (
                OrderFact::Refunded {
                    operator: ops(),
                    reason: "lost".into(),
                    quantity: Some(2),
                    discarded: true,
                    product_id: None,
                },
                b"\x1eOF\x01\x81\xa8Refunded\x94\xa3ops\xa4lost\x02\xc3",
            ),
            (
                OrderFact::Refunded {
                    operator: ops(),
                    reason: "lost".into(),
                    quantity: Some(2),
                    discarded: false,
                    product_id: Some("tea".into()),
                },
                b"\x1eOF\x01\x81\xa8Refunded\x95\xa3ops\xa4lost\x02\xc2\xa3tea",
            ),
            (
                OrderFact::PointsLacked { balance: Some(3), was_known: false },
                b"\x1eOF\x01\x81\xacPointsLacked\x91\x03",
            ),
            (
                OrderFact::PointsLacked { balance: None, was_known: false },
                b"\x1eOF\x01\x81\xacPointsLacked\x91\xc0",
            ),
            (
                OrderFact::PointsLacked { balance: Some(3), was_known: true },
                b"\x1eOF\x01\x81\xacPointsLacked\x92\x03\xc3",
            ),
            (served, b"\x1eOF\x01\x81\xa6Served\x92\xa4till\xa7Confirm"),
        ];
        for (fact, bytes) in golden {
            assert_eq!(fact.encode(), bytes, "{fact:?}");
            assert_eq!(OrderFact::read(bytes), Some(fact));
        }
    }

    #[test]
    fn what_is_none_of_the_malls_is_no_fact() {
        for body in [
            &b""[..],
            b"\x1eOF",
            b"\x1eOF\x02\x81\xa8Remarked\x92\xa3ops\xa7fragile",
            b"\x1eOF\x01\x81\xa4Sold\x90",
            b"a note of somebody else's",
        ] {
            assert_eq!(OrderFact::read(body), None, "{body:?}");
        }
    }
}
