//! What a user says that it likes. There is a document for each user who says something, named for the
//! user; its stamp says who wrote it, and when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::TimeMs;

/// The collection of their documents.
pub(crate) const PREFERENCES: &str = "preference";
/// How many products a user may have among its favourites.
pub(crate) const FAVOURITES_MAX: usize = 100;
/// Of how many categories a user may say how much it likes them.
pub(crate) const WEIGHTS_MAX: usize = 64;

/// A part of a whole, in hundredths: 0 to 100.
pub(crate) type Hundredths = u8;

/// What a user likes, as it says itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Preferences {
    pub(crate) user_id: String,
    /// How much it likes a category, and those below it; 0 is not at all.
    #[serde(default)]
    pub(crate) category_weights: BTreeMap<String, Hundredths>,
    /// How much it matters that something costs little; `None` where nothing is said.
    #[serde(default)]
    pub(crate) price_sensitivity: Option<Hundredths>,
    /// The oldest first.
    #[serde(default)]
    pub(crate) favourites: Vec<Favourite>,
}

/// A product that a user has marked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Favourite {
    pub(crate) product_id: String,
    pub(crate) added_at: TimeMs,
}

impl Preferences {
    /// Nothing is said: as good as no document.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { user_id: _, category_weights, price_sensitivity, favourites } = self;
        category_weights.is_empty() && price_sensitivity.is_none() && favourites.is_empty()
    }

    pub(crate) fn has_favourite(&self, product: &str) -> bool {
        self.favourites.iter().any(|it| it.product_id == product)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::BODY_BYTES_MAX;
    use crate::mall::facts::document::{self, Stamp};

    fn stamp() -> Stamp {
        Stamp { updated_at: Some(1_800), updated_by: Some("till".into()) }
    }

    #[test]
    fn preferences_keep_their_bytes() {
        let likes = Preferences {
            user_id: "ann".into(),
            category_weights: [("food".to_owned(), 80), ("toys".to_owned(), 0)].into(),
            price_sensitivity: Some(35),
            favourites: vec![Favourite { product_id: "tea".into(), added_at: 1_700 }],
        };
        let bytes = concat!(
            r#"{"version":1,"userId":"ann","categoryWeights":{"food":80,"toys":0},"#,
            r#""priceSensitivity":35,"favourites":[{"productId":"tea","addedAt":1700}],"#,
            r#""updatedAt":1800,"updatedBy":"till"}"#
        );
        let (_, body) = document::written(likes.clone(), stamp()).expect("it writes");
        assert_eq!(String::from_utf8(body).expect("JSON"), bytes);
        assert_eq!(
            document::read::<Preferences>(bytes.as_bytes()).expect("it reads").content,
            likes
        );
        let least =
            document::read::<Preferences>(br#"{"userId":"ann"}"#).expect("it reads").content;
        assert!(least.is_empty() && !likes.is_empty());
    }

    #[test]
    fn the_most_that_may_be_said_fits_in_a_document() {
        let id = |n: usize, chars: usize| format!("{n:0>chars$}");
        let most = Preferences {
            user_id: id(0, 64),
            category_weights: (0..WEIGHTS_MAX).map(|n| (id(n, 64), 100)).collect(),
            price_sensitivity: Some(100),
            favourites: (0..FAVOURITES_MAX)
                .map(|n| Favourite { product_id: id(n, 64), added_at: TimeMs::MAX })
                .collect(),
        };
        let (_, body) = document::written(most, stamp()).expect("it writes");
        assert!(body.len() <= BODY_BYTES_MAX / 2, "{} bytes", body.len());
    }
}
