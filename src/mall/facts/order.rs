//! Facts of an order: what happens to it beside its reservation, kept as notes on that.

use serde::{Deserialize, Serialize};

use crate::base::TimeMs;
use crate::mall::model::OrderStatus;

/// What a note of the mall's begins with; then come the version and the fact. Whoever embeds the
/// mall may keep notes of other kinds on the same reservation.
const MARK: [u8; 3] = *b"\x1eOF";
const VERSION: u8 = 1;

/// A fact of an order, as a MessagePack enum by name: `{"Remarked": [text]}`. New facts go to the
/// end, new fields to the end of a fact with a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OrderFact {
    /// An operator wrote something down.
    Remarked {
        /// Who.
        operator: String,
        text: String,
    },
}

impl OrderFact {
    /// The fact in a note; `None` when it is none of the mall's.
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
            Self::Remarked { .. } => None,
        }
    }
}

/// What facts have made of an order, in the order in which they happened. Its fields are shown with
/// the order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    /// What it became last; `None` while it is what its reservation says.
    #[serde(skip)]
    pub(crate) status: Option<OrderStatus>,
}

impl Progress {
    /// The next fact, of the time `at`.
    pub(crate) fn add(&mut self, fact: &OrderFact, _at: TimeMs) {
        self.status = fact.becomes().or(self.status);
        match fact {
            OrderFact::Remarked { .. } => {}
        }
    }

    /// What later facts made of it.
    #[cfg(feature = "mysql")]
    pub(crate) fn follow(&mut self, later: &Self) {
        self.status = later.status.or(self.status);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_keep_their_bytes() {
        let remarked = OrderFact::Remarked { operator: "ops".into(), text: "fragile".into() };
        let golden = vec![(remarked, &b"\x1eOF\x01\x81\xa8Remarked\x92\xa3ops\xa7fragile"[..])];
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
