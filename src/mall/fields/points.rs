//! A change of a user's points among others, as operators write it.

use serde_json::{Map, Value};

use super::{Fields, Read};
use crate::base::QUANTITY_MAX;
use crate::mall::PointsEntry;
use crate::mall::model::{Moving, PointsSource, Violation, check_id, member};

/// What is to be done, as an object at `path` says; without a `kind`, points are awarded.
pub(crate) fn read_points(path: &str, members: Map<String, Value>) -> Read<PointsEntry> {
    let mut fields = Fields { path, members };
    let user = fields.text("userId")?;
    let user = fields.must("userId", user)?;
    check_id(&member(path, "userId"), &user)?;
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
        check_id(&member(path, "orderId"), order)?;
    }
    if reason.is_none() && moving != Moving::Award {
        return fields.must("reason", None);
    }
    let expires_at = fields.count("expiresAt", 0..=QUANTITY_MAX)?;
    if expires_at.is_some() && moving != Moving::Award {
        return fields.wrong("expiresAt", "it is of an award alone");
    }
    fields.end()?;
    let reason = reason.unwrap_or_default();
    let entry = PointsEntry { user, moving, points, source, reason, order, expires_at };
    match entry.by("").check() {
        Ok(()) => Ok(entry),
        // What is left is what is wrong with the reason.
        Err(error) => Err(Violation::new(member(path, "reason"), error.to_string())),
    }
}
