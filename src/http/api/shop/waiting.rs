//! Those who wait in line for a product that is sold out.

use serde::Serialize;

use crate::base::TimeMs;
use crate::http::body::Empty;
use crate::http::call::UserCall;
use crate::http::reply::Answer;
use crate::http::told::Told;
use crate::mall::{PlaceInLine, Standing};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StandingWire<'a> {
    product_id: &'a str,
    /// Null for who is not in it, as all about a place.
    #[serde(flatten)]
    place: PlaceWire,
    /// How many wait.
    waiting: usize,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct PlaceWire {
    position: Option<usize>,
    joined_at: Option<TimeMs>,
    estimated_wait_ms: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StandingsWire<'a> {
    lines: Vec<StandingWire<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LeftWire<'a> {
    product_id: &'a str,
    /// False where there was no place to give up.
    left: bool,
}

impl PlaceWire {
    pub(in crate::http) fn of(place: &PlaceInLine) -> Self {
        let PlaceInLine { position, joined_at, estimated_wait_ms } = *place;
        Self { position: Some(position), joined_at: Some(joined_at), estimated_wait_ms }
    }
}

impl<'a> StandingWire<'a> {
    fn of(standing: &'a Standing) -> Self {
        Self {
            product_id: &standing.product_id,
            place: standing.place.as_ref().map(PlaceWire::of).unwrap_or_default(),
            waiting: standing.waiting,
        }
    }
}

pub(in crate::http) async fn standing(call: UserCall<'_, 1>) -> Answer {
    call.no_query()?;
    let [product_id] = call.path;
    let standing = call.app.mall.standing(&call.identity().user, product_id)?;
    Ok(call.success(&StandingWire::of(&standing)))
}

/// Who is in the line stays where they are.
pub(in crate::http) async fn join(call: UserCall<'_, 1>, body: Empty) -> Answer {
    call.no_query()?;
    let [product_id] = call.path;
    let key = body.read_keyed(&call).await?;
    let join = async {
        let standing = call.app.mall.join_line(&call.identity().user, product_id, key).await?;
        Told::of(&StandingWire::of(&standing), None)
    };
    call.once(key, join).await
}

pub(in crate::http) async fn leave(call: UserCall<'_, 1>, body: Empty) -> Answer {
    call.no_query()?;
    let [product_id] = call.path;
    let key = body.read_keyed(&call).await?;
    let leave = async {
        let left = call.app.mall.leave_line(&call.identity().user, product_id, key).await?;
        Told::of(&LeftWire { product_id, left }, None)
    };
    call.once(key, leave).await
}

pub(in crate::http) async fn standings(call: UserCall<'_>) -> Answer {
    call.no_query()?;
    let standings = call.app.mall.standings(&call.identity().user)?;
    let lines = standings.iter().map(StandingWire::of).collect();
    Ok(call.success(&StandingsWire { lines }))
}
