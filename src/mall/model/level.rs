//! Levels of members: which one a user has by what it earned, and what they change about a product.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::limit::PurchaseLimit;
use super::rule::{self, Characters, Checked, Violation, member};
use crate::base::QUANTITY_MAX;

/// The collection of the one document that has them.
pub(crate) const LEVELS: &str = "level";
/// Its id.
pub(crate) const LEVELS_ID: &str = "levels";
/// How many levels there may be.
pub(crate) const LEVELS_MAX: usize = 32;
/// The highest number of a level.
pub(crate) const LEVEL_NUMBER_MAX: u8 = 99;
const NAME_CHARS_MAX: usize = 100;

/// A level of members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MallLevel {
    /// 1 is the lowest.
    pub(crate) level: u8,
    pub(crate) name: String,
    /// Who has earned so many points has it.
    pub(crate) earned_points: u64,
}

/// All levels, lowest first. The first is everybody's: it takes no points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MallLevels {
    pub(crate) id: String,
    pub(crate) levels: Vec<MallLevel>,
}

impl Default for MallLevels {
    /// As long as nobody has said others, everybody is on level 1.
    fn default() -> Self {
        let first = MallLevel { level: 1, name: String::new(), earned_points: 0 };
        Self { id: LEVELS_ID.to_owned(), levels: vec![first] }
    }
}

impl MallLevels {
    /// The level of who has earned so many points, and the one that comes next.
    pub(crate) fn of(&self, earned: u64) -> (u8, Option<&MallLevel>) {
        let next = self.levels.partition_point(|level| level.earned_points <= earned);
        let level = next.checked_sub(1).and_then(|at| self.levels.get(at));
        (level.map_or(1, |level| level.level), self.levels.get(next))
    }

    /// The level with this number.
    pub(crate) fn get(&self, number: u8) -> Option<&MallLevel> {
        self.levels.iter().find(|level| level.level == number)
    }

    pub(crate) fn check(&self) -> Checked {
        if !(1..=LEVELS_MAX).contains(&self.levels.len()) {
            return Err(Violation::new("$.levels", format!("they must be 1 to {LEVELS_MAX}")));
        }
        let mut before: Option<&MallLevel> = None;
        for (at, level) in self.levels.iter().enumerate() {
            let path = |field: &str| format!("$.levels[{at}].{field}");
            rule::number(&path("level"), level.level, 1..=LEVEL_NUMBER_MAX)?;
            rule::number(&path("earnedPoints"), level.earned_points, 0..=QUANTITY_MAX)?;
            rule::text(|| path("name"), &level.name, 0..=NAME_CHARS_MAX, Characters::Line)?;
            match before {
                None if level.earned_points > 0 => {
                    let why = "the first level must be everybody's, and take no points";
                    return Err(Violation::new(path("earnedPoints"), why));
                }
                Some(before) if level.level <= before.level => {
                    let why = "it must be above that of the level before";
                    return Err(Violation::new(path("level"), why));
                }
                Some(before) if level.earned_points <= before.earned_points => {
                    let why = "it must be more than that of the level before";
                    return Err(Violation::new(path("earnedPoints"), why));
                }
                None | Some(_) => before = Some(level),
            }
        }
        Ok(())
    }
}

/// What holds from a level on, where it is not as for everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LevelTerms {
    /// What one unit costs, in points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points_price: Option<u64>,
    /// How many one user may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_per_user: Option<PurchaseLimit>,
}

/// Terms by the level from which on they hold: of price and of limit, the highest that a user has
/// reached counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByLevel(BTreeMap<u8, LevelTerms>);

impl ByLevel {
    /// Whether everybody has the same terms.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The terms that hold from `level` on.
    pub fn set(&mut self, level: u8, terms: LevelTerms) {
        self.0.insert(level, terms);
    }

    pub(crate) fn price_at(&self, level: u8) -> Option<u64> {
        self.0.range(..=level).rev().find_map(|(_, terms)| terms.points_price)
    }

    pub(crate) fn limit_at(&self, level: u8) -> Option<PurchaseLimit> {
        self.0.range(..=level).rev().find_map(|(_, terms)| terms.limit_per_user)
    }

    pub(super) fn check(&self) -> Checked {
        if self.0.len() > LEVELS_MAX {
            let why = format!("there are at most {LEVELS_MAX} levels");
            return Err(Violation::new("$.byLevel", why));
        }
        for (level, LevelTerms { points_price, limit_per_user }) in &self.0 {
            let path = member("$.byLevel", &level.to_string());
            if !(1..=LEVEL_NUMBER_MAX).contains(level) {
                let why = format!("a level is 1 to {LEVEL_NUMBER_MAX}");
                return Err(Violation::new(path, why));
            }
            rule::number(
                &format!("{path}.pointsPrice"),
                points_price.unwrap_or_default(),
                0..=QUANTITY_MAX,
            )?;
            if let Err(error) = limit_per_user.map_or(Ok(()), PurchaseLimit::check) {
                return Err(Violation::new(format!("{path}.limitPerUser"), error.to_string()));
            }
        }
        Ok(())
    }
}

impl FromIterator<(u8, LevelTerms)> for ByLevel {
    fn from_iter<T: IntoIterator<Item = (u8, LevelTerms)>>(terms: T) -> Self {
        Self(terms.into_iter().collect())
    }
}

/// An object whose names are numbers.
impl Serialize for ByLevel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(level, terms)| (level.to_string(), terms)))
    }
}

impl<'de> Deserialize<'de> for ByLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named = BTreeMap::<String, LevelTerms>::deserialize(deserializer)?;
        let level = |(name, terms): (String, LevelTerms)| {
            let level = name.parse().map_err(|_| D::Error::custom(format!("{name:?} is no level")));
            level.map(|level| (level, terms))
        };
        named.into_iter().map(level).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(of: &[(u8, u64)]) -> MallLevels {
        let level =
            |&(level, earned_points)| MallLevel { level, name: format!("L{level}"), earned_points };
        MallLevels { levels: of.iter().map(level).collect(), ..MallLevels::default() }
    }

    #[test]
    fn a_level_begins_with_its_points() {
        let levels = levels(&[(1, 0), (2, 100), (5, 1_000)]);
        for (earned, level, next) in [
            (0, 1, Some(100)),
            (99, 1, Some(100)),
            (100, 2, Some(1_000)),
            (999, 2, Some(1_000)),
            (1_000, 5, None),
            (u64::MAX, 5, None),
        ] {
            let (found, following) = levels.of(earned);
            assert_eq!((found, following.map(|it| it.earned_points)), (level, next), "{earned}");
        }
        assert_eq!(MallLevels::default().of(u64::MAX), (1, None));
    }

    #[test]
    fn levels_rise_and_the_first_is_everybodys() {
        for (of, path) in [
            (&[(1, 0), (2, 100)][..], None),
            (&[(3, 0)], None),
            (&[], Some("$.levels")),
            (&[(1, 1)], Some("$.levels[0].earnedPoints")),
            (&[(0, 0)], Some("$.levels[0].level")),
            (&[(100, 0)], Some("$.levels[0].level")),
            (&[(1, 0), (1, 5)], Some("$.levels[1].level")),
            (&[(1, 0), (2, 5), (3, 5)], Some("$.levels[2].earnedPoints")),
            (&[(1, 0), (2, QUANTITY_MAX + 1)], Some("$.levels[1].earnedPoints")),
        ] {
            let wrong = levels(of).check().err().map(|violation| violation.path);
            assert_eq!(wrong.as_deref(), path, "{of:?}");
        }
    }

    #[test]
    fn the_highest_terms_that_are_reached_count_price_and_limit_apart() {
        let limit = |quantity| PurchaseLimit { quantity, period: super::super::Period::Lifetime };
        let terms = ByLevel::from_iter([
            (2, LevelTerms { points_price: Some(90), limit_per_user: Some(limit(2)) }),
            (4, LevelTerms { points_price: Some(80), limit_per_user: None }),
            (6, LevelTerms { points_price: None, limit_per_user: Some(limit(9)) }),
        ]);
        for (level, price, quantity) in [
            (1, None, None),
            (2, Some(90), Some(2)),
            (3, Some(90), Some(2)),
            (4, Some(80), Some(2)),
            (6, Some(80), Some(9)),
            (99, Some(80), Some(9)),
        ] {
            let found = (terms.price_at(level), terms.limit_at(level).map(|it| it.quantity));
            assert_eq!(found, (price, quantity), "{level}");
        }
        let json = serde_json::to_string(&terms).expect("it can be written");
        assert!(json.starts_with(r#"{"2":{"pointsPrice":90,"#), "{json}");
        assert_eq!(serde_json::from_str::<ByLevel>(&json).expect("it reads"), terms);
        assert!(serde_json::from_str::<ByLevel>(r#"{"gold":{}}"#).is_err());
    }
}
