//! A change of a user's points among others, as operators write it.

use serde_json::{Map, Value};

use super::{Fields, Read};
use crate::base::QUANTITY_MAX;
use crate::mall::PointsEntry;
use crate::mall::model::{Moving, PointsSource, Violation, check_id};

/// What is to be done; without a `kind`, points are awarded.
pub(crate) fn read_points(members: Map<String, Value>) -> Read<PointsEntry> {
    let mut fields = Fields::new(members);
    let user = fields.text("userId")?;
    let user = fields.must("userId", user)?;
    check_id("$.userId", &user)?;
    let moving = match fields.text("kind")? {
        None => Moving::Award,
        Some(name) => match Moving::named(&name) {
            Some(moving) => moving,
            None => {
                let names: Vec<&str> = Moving::ALL.iter().map(|moving| moving.name()).collect();
                return fields.wrong("kind", format!("it must be one of {}", names.join(", ")));
            }
        },
    };
    let points = fields.count("points", 1..=QUANTITY_MAX)?;
    let points = fields.must("points", points)?;
    let source = match fields.text("source")? {
        None => None,
        Some(name) => match PointsSource::named(&name).filter(|source| source.may(moving)) {
            Some(source) => Some(source),
            None => {
                let names: Vec<&str> = moving.sources().collect();
                return fields.wrong("source", format!("it must be one of {}", names.join(", ")));
            }
        },
    };
    let reason = fields.text("reason")?;
    let order = fields.text("orderId")?;
    if let Some(order) = &order {
        check_id("$.orderId", order)?;
    }
    if reason.is_none() && moving != Moving::Award {
        return fields.must("reason", None);
    }
    fields.end()?;
    let reason = reason.unwrap_or_default();
    let entry = PointsEntry { user, moving, points, source, reason, order };
    match entry.by("").check() {
        Ok(()) => Ok(entry),
        Err(error) => Err(Violation::new("$", error.to_string())),
    }
}
