//! What users say that they like, as they write it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Fields, Read, cents};
use crate::mall::facts::{Hundredths, WEIGHTS_MAX};
use crate::mall::model::member;

/// What a user says of categories and prices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tastes {
    pub(crate) category_weights: BTreeMap<String, Hundredths>,
    pub(crate) price_sensitivity: Option<Hundredths>,
}

/// What the preferences of a user are to be.
pub(crate) fn read_tastes(members: Map<String, Value>) -> Read<Tastes> {
    let mut fields = Fields::new(members);
    let weights = fields.object("categoryWeights")?.unwrap_or_default();
    if weights.len() > WEIGHTS_MAX {
        return fields.wrong("categoryWeights", format!("there may be {WEIGHTS_MAX} at most"));
    }
    let path = member("$", "categoryWeights");
    let names: Vec<String> = weights.keys().cloned().collect();
    let mut weights = Fields { path: &path, members: weights };
    let mut category_weights = BTreeMap::new();
    for name in names {
        if let Some(weight) = weights.share(&name)? {
            category_weights.insert(name, weight);
        }
    }
    let price_sensitivity = fields.share("priceSensitivity")?;
    fields.end()?;
    Ok(Tastes { category_weights, price_sensitivity })
}

impl Fields<'_> {
    /// A part of a whole, with at most two decimals, in hundredths.
    fn share(&mut self, name: &str) -> Read<Option<Hundredths>> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let share = value.as_number().and_then(cents).filter(|share| *share <= 100);
        match share.and_then(|share| Hundredths::try_from(share).ok()) {
            Some(share) => Ok(Some(share)),
            None => self.wrong(name, "it must be a number from 0 to 1 with at most two decimals"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Read<Tastes> {
        let Value::Object(members) = value else { panic!("an object") };
        read_tastes(members)
    }

    #[test]
    fn what_is_said_is_read_in_hundredths() {
        let said = json!({"categoryWeights": {"a": 0, "b": 1, "c": 0.8, "d": 0.05, "e": null},
            "priceSensitivity": 1.0});
        let weights = [("a", 0), ("b", 100), ("c", 80), ("d", 5)];
        let category_weights = weights.map(|(id, weight)| (id.to_owned(), weight)).into();
        assert_eq!(read(said), Ok(Tastes { category_weights, price_sensitivity: Some(100) }));
        assert_eq!(read(json!({})), Ok(Tastes::default()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_path() {
        let many: Map<String, Value> =
            (0..=WEIGHTS_MAX).map(|n| (n.to_string(), json!(1))).collect();
        for (said, path) in [
            (json!({"categoryWeights": {"a": 1.01}}), "$.categoryWeights.a"),
            (json!({"categoryWeights": {"1": -0.5}}), "$.categoryWeights[\"1\"]"),
            (json!({"categoryWeights": {"a": "1"}}), "$.categoryWeights.a"),
            (json!({"categoryWeights": []}), "$.categoryWeights"),
            (json!({"categoryWeights": many}), "$.categoryWeights"),
            (json!({"priceSensitivity": 0.125}), "$.priceSensitivity"),
            (json!({"priceSensitivity": 2}), "$.priceSensitivity"),
            (json!({"brands": {}}), "$.brands"),
        ] {
            let wrong = read(said.clone()).expect_err("it is wrong");
            assert_eq!(wrong.path, path, "{said}");
        }
    }
}
