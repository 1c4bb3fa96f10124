//! The levels of members, as operators see and change them.

use serde::Serialize;

use crate::base::TimeMs;
use crate::http::body::{Object, Sent};
use crate::http::call::OperatorCall;
use crate::http::error::ApiError;
use crate::http::reply::Answer;
use crate::http::told::Told;
use crate::mall::fields::{LevelsFields, read_levels};
use crate::mall::model::{LEVELS, LEVELS_ID, MallLevels};
use crate::mall::{Editor, Kept, Mall, Unreadable};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LevelsWire<'a> {
    levels: LevelsFields<'a>,
    updated_at: Option<TimeMs>,
    updated_by: Option<&'a str>,
    unreadable: Vec<&'a Unreadable>,
}

fn told(mall: &Mall, kept: &Kept<MallLevels>) -> Result<Told, ApiError> {
    let shelf = mall.shelf();
    let wire = LevelsWire {
        levels: LevelsFields::of(&kept.content),
        updated_at: kept.stamp.updated_at,
        updated_by: kept.stamp.updated_by.as_deref(),
        unreadable: shelf.unreadable_of(LEVELS),
    };
    Told::of(&wire, Some(kept.tag))
}

pub(in crate::http) async fn get(call: OperatorCall<'_>) -> Answer {
    call.no_query()?;
    let mall = &call.app.mall;
    call.tell(&told(mall, &mall.shelf().levels)?)
}

pub(in crate::http) async fn replace(call: OperatorCall<'_>, body: Sent<Object>) -> Answer {
    call.no_query()?;
    let seen = call.must_have_seen()?;
    let (members, key) = body.read_object(&call).await?;
    let levels = read_levels(members)?;
    let editor = Editor { name: call.identity().user.id().to_owned(), key };
    let make = Box::new(move |_: &MallLevels| Ok(levels));
    let mall = &call.app.mall;
    let replace = async { told(mall, &*mall.change(LEVELS_ID, seen, editor, make).await?) };
    call.once(key, replace).await
}
