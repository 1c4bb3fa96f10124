//! How clients and reports name a change of stock or points.

use crate::base::Seq;

/// What the id of a change of stock begins with.
const STOCK_PREFIX: &str = "inv_";

/// Which change it is. Changes sort as they happened, those of one event by their accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordPlace {
    pub(crate) seq: Seq,
    pub(crate) account: u32,
    /// How many changes of the account the same event made before it.
    pub(crate) earlier: u16,
}

impl RecordPlace {
    /// Before every change of an event.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "pages begin at one"))]
    pub(crate) fn before(seq: Seq) -> Self {
        Self { seq, account: 0, earlier: 0 }
    }

    /// Its id: as texts they sort as the changes do.
    pub(crate) fn id(self, prefix: &str) -> String {
        let Self { seq, account, earlier } = self;
        match earlier {
            0 => format!("{prefix}{seq:016x}_{account:08x}"),
            _ => format!("{prefix}{seq:016x}_{account:08x}_{earlier:03x}"),
        }
    }

    /// The id of a change of stock.
    pub(crate) fn stock_id(self) -> String {
        self.id(STOCK_PREFIX)
    }

    /// The change of stock with this id, in exactly the form that [`RecordPlace::stock_id`] writes.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "pages begin at one"))]
    pub(crate) fn parse_stock_id(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(STOCK_PREFIX)?.split('_');
        let seq = Seq::from_str_radix(parts.next()?, 16).ok()?;
        let account = u32::from_str_radix(parts.next()?, 16).ok()?;
        let earlier = parts.next().map_or(Ok(0), |part| u16::from_str_radix(part, 16)).ok()?;
        let place = Self { seq, account, earlier };
        (place.stock_id() == text).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_in_one_form_and_sorts_as_changes_do() {
        let place = |seq, account, earlier| RecordPlace { seq, account, earlier };
        let places =
            [place(7, 0, 0), place(7, 3, 0), place(7, 3, 1), place(7, 4, 0), place(16, 1, 0)];
        let ids = places.map(RecordPlace::stock_id);
        assert!(ids.is_sorted() && places.is_sorted(), "{ids:?}");
        for (place, id) in places.into_iter().zip(&ids) {
            assert_eq!(RecordPlace::parse_stock_id(id), Some(place), "{id}");
        }
        for wrong in [
            "",
            "inv_",
            "inv_7_3",
            "0000000000000007_00000003",
            "inv_0000000000000007",
            "inv_0000000000000007_00000003_000",
            "inv_0000000000000007_00000003_001_1",
            "inv_+000000000000007_00000003",
            "inv_000000000000000A_00000003",
        ] {
            assert_eq!(RecordPlace::parse_stock_id(wrong), None, "{wrong}");
        }
    }
}
