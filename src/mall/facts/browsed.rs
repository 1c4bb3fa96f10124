//! What users looked at: a document for each user, with what it looked at last, and documents of each
//! day, with how often products were looked at. They are sums of what was recorded, written now and
//! then, and are not the money of anybody: a crash loses the last minute of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::TimeMs;

/// The collection of the users' documents.
pub(crate) const BROWSED: &str = "browsed";
/// How many products are kept of a user: those that it looked at last.
pub(crate) const BROWSED_MAX: usize = 20;
/// The collection of the days' documents. One is named for its day and its number, as in
/// `2026-11-30.0`.
pub(crate) const VIEW_DAYS: &str = "views-of-day";
/// Of how many products a document of a day has the figures.
pub(crate) const PART_PRODUCTS_MAX: usize = 500;

/// What a user looked at last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Browsed {
    pub(crate) user_id: String,
    /// Each product once, the newest last.
    pub(crate) products: Vec<Look>,
}

/// When a user last looked at a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Look {
    pub(crate) id: String,
    pub(crate) at: TimeMs,
}

/// How often products were looked at in a day: a part of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DayPart {
    /// As in `2026-11-30`, where the mall is.
    pub(crate) day: String,
    /// Of the whole day; in its first document alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) totals: Option<DayTotals>,
    pub(crate) products: BTreeMap<String, Views>,
}

/// What a day comes to over all products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DayTotals {
    pub(crate) views: u64,
    /// Those of them that nobody has said whose they are.
    pub(crate) by_guests: u64,
    /// How many users there were who looked at something.
    pub(crate) viewers: u64,
    /// How many views were not recorded, as too many came at once.
    pub(crate) dropped: u64,
    /// Views of products that are not told apart any more, as there were too many.
    pub(crate) of_others: u64,
}

/// How often a product was looked at in a day, and by how many users; written as a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub(crate) struct Views {
    pub(crate) views: u64,
    pub(crate) viewers: u64,
}

impl From<(u64, u64)> for Views {
    fn from((views, viewers): (u64, u64)) -> Self {
        Self { views, viewers }
    }
}

impl From<Views> for (u64, u64) {
    fn from(Views { views, viewers }: Views) -> Self {
        (views, viewers)
    }
}

impl Browsed {
    /// When it looked at something last; 0 for never.
    pub(crate) fn last_at(&self) -> TimeMs {
        self.products.last().map_or(0, |look| look.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::BODY_BYTES_MAX;
    use crate::mall::facts::document::{self, Stamp};

    #[test]
    fn what_was_looked_at_keeps_its_bytes() {
        let look = |id: &str, at| Look { id: id.into(), at };
        let browsed = Browsed {
            user_id: "ann".into(),
            products: vec![look("tea", 1_700), look("cup", 1_800)],
        };
        let bytes = concat!(
            r#"{"version":1,"userId":"ann","#,
            r#""products":[{"id":"tea","at":1700},{"id":"cup","at":1800}]}"#
        );
        let (_, body) = document::written(browsed.clone(), Stamp::default()).expect("it writes");
        assert_eq!(String::from_utf8(body).expect("JSON"), bytes);
        assert_eq!(document::read::<Browsed>(bytes.as_bytes()).expect("it reads").content, browsed);
    }

    #[test]
    fn a_day_keeps_its_bytes() {
        let totals = DayTotals { views: 9, by_guests: 2, viewers: 3, dropped: 1, of_others: 4 };
        let products = [("tea".to_owned(), Views { views: 5, viewers: 3 })];
        let first =
            DayPart { day: "2026-11-30".into(), totals: Some(totals), products: products.into() };
        let bytes = concat!(
            r#"{"version":1,"day":"2026-11-30","totals":{"views":9,"byGuests":2,"viewers":3,"#,
            r#""dropped":1,"ofOthers":4},"products":{"tea":[5,3]}}"#
        );
        let (_, body) = document::written(first.clone(), Stamp::default()).expect("it writes");
        assert_eq!(String::from_utf8(body).expect("JSON"), bytes);
        assert_eq!(document::read::<DayPart>(bytes.as_bytes()).expect("it reads").content, first);
    }

    #[test]
    fn the_most_products_fit_in_a_document() {
        let most = Views { views: u64::MAX, viewers: u64::MAX };
        let products = (0..PART_PRODUCTS_MAX).map(|n| (format!("{n:0>64}"), most)).collect();
        let part = DayPart { day: "2026-11-30".into(), totals: None, products };
        let (_, body) = document::written(part, Stamp::default()).expect("it writes");
        assert!(body.len() <= BODY_BYTES_MAX, "{} bytes", body.len());
    }
}
