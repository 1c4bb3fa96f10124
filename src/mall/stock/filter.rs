//! Which changes of stock are meant.

use crate::base::{AccountKey, AccountKind, ReservationId, TimeMs};
use crate::event::ChangeKind;
use crate::history::record::{ChangeRecord, Course};
use crate::mall::Note;
use crate::mall::model::change_type;

/// By how much the clock may have been set back under a change that is looked for by its time.
pub(super) const SET_BACK_MS: u64 = 86_400_000;

/// Which changes to find.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordFilter {
    pub(crate) product: Option<String>,
    /// `Some(None)` is what is sold from.
    pub(crate) location: Option<Option<String>>,
    /// `None` is any.
    pub(crate) kinds: Option<Vec<ChangeKind>>,
    pub(crate) order: Option<ReservationId>,
    /// Who made it by hand.
    pub(crate) operator: Option<String>,
    /// Of this time, both included.
    pub(crate) from: Option<TimeMs>,
    pub(crate) to: Option<TimeMs>,
}

impl RecordFilter {
    /// The kinds that a number of the mall's document stands for, or a name.
    pub(crate) fn kinds_named(name: &str) -> Option<Vec<ChangeKind>> {
        let is_meant =
            |kind: &ChangeKind| kind.name() == name || change_type(*kind).to_string() == name;
        let found: Vec<_> = ChangeKind::ALL.iter().copied().filter(is_meant).collect();
        (!found.is_empty()).then_some(found)
    }

    /// Whether a change of this kind may be wanted. No operator is in the record of a sale.
    pub(super) fn may_be(&self, kind: ChangeKind) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind))
            && (self.operator.is_none() || Course::of(kind) == Course::Others)
    }

    /// Whether a change of this account may be wanted.
    pub(super) fn is_at(&self, key: &AccountKey) -> bool {
        key.kind() == AccountKind::Stock
            && self.product.as_ref().is_none_or(|product| product == key.owner())
            && self.location.as_ref().is_none_or(|it| it.as_deref() == key.location())
    }

    pub(super) fn wants(&self, change: &ChangeRecord) -> bool {
        self.may_be(change.kind)
            && self.order.is_none_or(|order| change.reservation == Some(order))
            && self.from.is_none_or(|from| change.at >= from)
            && self.to.is_none_or(|to| change.at <= to)
            && self
                .operator
                .as_deref()
                .is_none_or(|name| Note::read(&change.note).operator == Some(name))
    }

    /// Whether nothing that is as old as this, or older, is wanted.
    pub(super) fn is_past(&self, at: TimeMs) -> bool {
        self.from.is_some_and(|from| at.saturating_add(SET_BACK_MS) < from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_a_number_of_the_malls_document_or_a_name() {
        use ChangeKind::{Adjusted, Received, Reserved, TransferredIn};
        for (name, kinds) in [
            ("1", Some(vec![Received, TransferredIn])),
            ("3", Some(vec![Reserved])),
            ("5", Some(vec![Adjusted])),
            ("transferredIn", Some(vec![TransferredIn])),
            ("0", None),
            ("6", None),
            ("", None),
            ("Reserved", None),
        ] {
            assert_eq!(RecordFilter::kinds_named(name), kinds, "{name}");
        }
    }
}
