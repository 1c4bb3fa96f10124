//! The levels of members as operators write them.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Fields, Read};
use crate::base::QUANTITY_MAX;
use crate::mall::model::{LEVELS_MAX, MallLevel, MallLevels, Violation};

/// What the levels are to be.
pub(crate) fn read_levels(members: Map<String, Value>) -> Read<MallLevels> {
    let mut fields = Fields::new(members);
    let items = match fields.take("levels") {
        Some(Value::Array(items)) if items.len() <= LEVELS_MAX => items,
        Some(Value::Array(_)) => {
            return fields.wrong("levels", format!("they must be 1 to {LEVELS_MAX}"));
        }
        Some(_) => return fields.wrong("levels", "it must be a list"),
        None => return fields.must("levels", None),
    };
    fields.end()?;
    let levels = items.into_iter().enumerate().map(|(at, item)| read_level(at, item));
    Ok(MallLevels { levels: levels.collect::<Read<_>>()?, ..MallLevels::default() })
}

fn read_level(at: usize, item: Value) -> Read<MallLevel> {
    let path = format!("$.levels[{at}]");
    let Value::Object(members) = item else {
        return Err(Violation::new(path, "it must be an object"));
    };
    let mut fields = Fields { path: &path, members };
    let level = fields.count("level", 1..=u8::MAX.into())?;
    let level = fields.must("level", level)?;
    let earned_points = fields.count("earnedPoints", 0..=QUANTITY_MAX)?;
    let level = MallLevel {
        level: u8::try_from(level).unwrap_or(u8::MAX),
        name: fields.text("name")?.unwrap_or_default(),
        earned_points: fields.must("earnedPoints", earned_points)?,
    };
    fields.end()?;
    Ok(level)
}

/// A level as [`read_levels`] reads it.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct LevelsFields<'a>(&'a [MallLevel]);

impl<'a> LevelsFields<'a> {
    pub(crate) fn of(levels: &'a MallLevels) -> Self {
        Self(&levels.levels)
    }
}
