//! Points of many users in one request: each line happens on its own, once for its key, and is answered
//! on its own.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::moving::MovedWire;
use crate::base::IdempotencyKey;
use crate::base::error::{Error, ErrorKind};
use crate::http::body::{Lines, Sent};
use crate::http::call::StaffCall;
use crate::http::code::SUCCESS;
use crate::http::error::{ApiError, FailureWire};
use crate::http::reply::{Answer, message};
use crate::mall::fields::read_points;
use crate::mall::model::Moving;
use crate::mall::{Failure, Mall, Moved, PointsEntry, REQUEST_LINES_MAX, Violation, member};

/// How many characters the key of a line may have.
const KEY_CHARS_MAX: usize = 200;

#[derive(Serialize)]
struct BatchWire<'a> {
    /// In the order of the request.
    lines: Vec<LineWire<'a>>,
    applied: usize,
    refused: usize,
}

/// What became of a line, as it would be told alone.
#[derive(Serialize)]
struct LineWire<'a> {
    /// The line, or what is wrong with it.
    path: String,
    success: bool,
    code: &'static str,
    message: Cow<'static, str>,
    data: Option<DataWire<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum DataWire<'a> {
    Moved(MovedWire<'a>),
    Failure(Box<FailureWire>),
}

/// A line that can be tried.
type Line = (PointsEntry, Option<IdempotencyKey>);

pub(in crate::http) async fn batch(call: StaffCall<'_>, body: Sent<Lines>) -> Answer {
    call.no_query()?;
    let (sent, key) = body.read_lines(&call, REQUEST_LINES_MAX).await?;
    let keys = Keys { of_request: key, call: &call };
    let (mut lines, mut wrong) = (Vec::with_capacity(sent.len()), Vec::new());
    for (index, line) in sent.into_iter().enumerate() {
        match read(index, line, &keys) {
            Ok(line) => lines.push((index, line)),
            Err(violation) => wrong.push((index, violation)),
        }
    }
    let (places, lines): (Vec<usize>, Vec<Line>) = lines.into_iter().unzip();
    let mall = &call.app.mall;
    let moved = mall.move_points_of_many(&lines, call.identity().user.id()).await?;
    let applied = moved.iter().filter(|moved| moved.is_ok()).count();
    let mut told: Vec<(usize, LineWire<'_>)> = wrong.into_iter().map(refused_by_form).collect();
    for ((index, (entry, _)), moved) in places.into_iter().zip(&lines).zip(moved) {
        told.push((index, LineWire::of(mall, index, entry, moved)));
    }
    told.sort_by_key(|(index, _)| *index);
    let lines: Vec<LineWire<'_>> = told.into_iter().map(|(_, line)| line).collect();
    let refused = lines.len() - applied;
    Ok(call.success(&BatchWire { lines, applied, refused }))
}

fn read(index: usize, line: Value, keys: &Keys<'_>) -> Result<Line, Violation> {
    let path = path_of(index);
    let Value::Object(mut members) = line else {
        return Err(Violation::new(path, "it must be an object"));
    };
    let own = own_key(&path, members.remove("key"))?;
    let sent = serde_json::to_vec(&members).unwrap_or_default();
    let entry = read_points(&path, members)?;
    let key = keys.of_line(index, own.as_deref(), &entry);
    let key = key.map_err(|error| Violation::new(member(&path, "key"), error.to_string()))?;
    Ok((entry, key.map(|key| key.with_body(&sent))))
}

fn path_of(index: usize) -> String {
    format!("$.lines[{index}]")
}

/// What a line calls itself.
fn own_key(path: &str, key: Option<Value>) -> Result<Option<String>, Violation> {
    let may_be = |key: &str| {
        (1..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match key {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(key)) if may_be(&key) => Ok(Some(key)),
        Some(_) => {
            let why = format!("it must be 1 to {KEY_CHARS_MAX} characters of ASCII without spaces");
            Err(Violation::new(member(path, "key"), why))
        }
    }
}

/// What the keys of lines follow from.
struct Keys<'a> {
    of_request: Option<IdempotencyKey>,
    call: &'a StaffCall<'a>,
}

impl Keys<'_> {
    /// The key of a line: of those of the request and of the line, or of the request's and the
    /// line's place; `None` where neither has one.
    fn of_line(
        &self,
        index: usize,
        own: Option<&str>,
        entry: &PointsEntry,
    ) -> Result<Option<IdempotencyKey>, Error> {
        let name = match (own, self.of_request) {
            (Some(own), _) => format!("key {own}"),
            (None, Some(_)) => format!("line {index}"),
            (None, None) => return Ok(None),
        };
        let identity = self.call.identity();
        // Another's key of the same spelling is another key.
        let scope = match self.of_request {
            Some(of_request) => format!("points batch {:032x}", of_request.number()),
            None => format!("{} points batch", identity.user.id()),
        };
        let key = IdempotencyKey::new(&scope, &name)?;
        // As it is when the line comes alone: whose share of the window an answer takes.
        Ok(Some(match identity.role.is_trusted() {
            true => key.owned_by(&format!("{} points of {}", identity.user.id(), entry.user)),
            false => key.owned_by(&entry.user),
        }))
    }
}

fn refused_by_form((index, violation): (usize, Violation)) -> (usize, LineWire<'static>) {
    let path = violation.path.clone();
    (index, LineWire::refused(path, violation.into()))
}

impl<'a> LineWire<'a> {
    fn of(
        mall: &Mall,
        index: usize,
        entry: &'a PointsEntry,
        moved: Result<Moved, Failure>,
    ) -> Self {
        let path = path_of(index);
        match moved {
            Ok(moved) => {
                let (code, message) = SUCCESS;
                let data = Some(DataWire::Moved(MovedWire::of(&entry.user, moved)));
                Self { path, success: true, code, message: message.into(), data }
            }
            Err(failure) => {
                let path = match field_of(mall, entry, &failure) {
                    Some(field) => member(&path, field),
                    None => path,
                };
                Self::refused(path, failure.into())
            }
        }
    }

    fn refused(path: String, error: ApiError) -> Self {
        let (code, message) = (error.code.row().name, message(&error));
        Self { path, success: false, code, message, data: error.data.map(DataWire::Failure) }
    }
}

/// Which field of a line is refused, where it is one.
fn field_of(mall: &Mall, entry: &PointsEntry, failure: &Failure) -> Option<&'static str> {
    match failure {
        Failure::InsufficientPoints(_) => Some("points"),
        Failure::TooManyLots(_) => Some(match entry.moving {
            Moving::Award => "expiresAt",
            Moving::Deduct | Moving::Refund => "points",
        }),
        Failure::Engine(error) => match error.kind() {
            ErrorKind::Invalid => match entry.expires_at.map(|at| mall.end_of_lot(at)) {
                Some(Err(_)) => Some("expiresAt"),
                Some(Ok(_)) | None => Some("points"),
            },
            ErrorKind::Conflict => Some("key"),
            ErrorKind::NotFound
            | ErrorKind::Throttled
            | ErrorKind::Overloaded
            | ErrorKind::LowSpace
            | ErrorKind::Stalled
            | ErrorKind::Corrupt
            | ErrorKind::Unavailable
            | ErrorKind::Poisoned
            | ErrorKind::AlreadyOpen
            | ErrorKind::Closed => None,
        },
        // Those of products and orders are no matter of points.
        _ => None,
    }
}
