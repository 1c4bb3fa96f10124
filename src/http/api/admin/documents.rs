//! The catalogue as operators change it: what categories and products have in common.
//!
//! Changes have idempotency keys. A key that has acted acts no more; who asks again hears the first
//! answer, whatever has become of the document since.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::base::IdempotencyKey;
use crate::http::body::{Empty, Object, Sent};
use crate::http::call::OperatorCall;
use crate::http::error::ApiError;
use crate::http::reply::Answer;
use crate::http::told::Told;
use crate::mall::fields::merged;
use crate::mall::model::Violation;
use crate::mall::{Editor, Kind, Make, Mall, Seen};

/// A kind of document over HTTP.
pub(in crate::http) trait Edited: Kind {
    /// What these members say; `known` is the id, where it is said elsewhere.
    fn read(known: Option<&str>, members: Map<String, Value>) -> Result<Self, Violation>;

    /// The members that an operator may send.
    fn members(&self) -> Map<String, Value>;

    /// It with its tag.
    fn told(mall: &Mall, shown: &Self::Shown) -> Result<Told, ApiError>;
}

/// What was removed.
#[derive(Serialize)]
struct RemovedWire<'a> {
    id: &'a str,
}

fn editor<const N: usize>(call: &OperatorCall<'_, N>, key: Option<IdempotencyKey>) -> Editor {
    Editor { name: call.identity().user.id().to_owned(), key }
}

pub(in crate::http) async fn create<T: Edited>(
    call: OperatorCall<'_>,
    body: Sent<Object>,
) -> Answer {
    call.no_query()?;
    let (members, key) = body.read_object(&call).await?;
    let content = T::read(None, members)?;
    let create = async {
        let mall = &call.app.mall;
        T::told(mall, &*mall.create(content, editor(&call, key)).await?)
    };
    call.once(key, create).await
}

pub(in crate::http) async fn get<T: Edited>(call: OperatorCall<'_, 1>) -> Answer {
    call.no_query()?;
    let shelf = call.app.mall.shelf();
    let shown = T::shown(&shelf, call.path[0]).ok_or_else(T::missing)?;
    call.tell(&T::told(&call.app.mall, shown)?)
}

pub(in crate::http) async fn replace<T: Edited>(
    call: OperatorCall<'_, 1>,
    body: Sent<Object>,
) -> Answer {
    call.no_query()?;
    let seen = call.must_have_seen()?;
    let (members, key) = body.read_object(&call).await?;
    let content = T::read(Some(call.path[0]), members)?;
    change(&call, seen, key, Box::new(move |_| Ok(content))).await
}

pub(in crate::http) async fn patch<T: Edited>(
    call: OperatorCall<'_, 1>,
    body: Sent<Object>,
) -> Answer {
    call.no_query()?;
    let seen = call.must_have_seen()?;
    let (patch, key) = body.read_object(&call).await?;
    // A patch that takes the id away has nothing else to be.
    let make = move |before: &T| T::read(Some(before.id()), merged(before.members(), patch));
    change(&call, seen, key, Box::new(make)).await
}

pub(in crate::http) async fn publish<T: Edited>(call: OperatorCall<'_, 1>, body: Empty) -> Answer {
    set_active::<T>(call, body, true).await
}

pub(in crate::http) async fn withdraw<T: Edited>(call: OperatorCall<'_, 1>, body: Empty) -> Answer {
    set_active::<T>(call, body, false).await
}

/// Who shows it or not need not have seen the rest.
async fn set_active<T: Edited>(call: OperatorCall<'_, 1>, body: Empty, active: bool) -> Answer {
    call.no_query()?;
    let seen = call.seen()?.unwrap_or(Seen::Any);
    let key = body.read_keyed(&call).await?;
    let make = move |before: &T| Ok(before.clone().with_active(active));
    change(&call, seen, key, Box::new(make)).await
}

async fn change<T: Edited>(
    call: &OperatorCall<'_, 1>,
    seen: Seen,
    key: Option<IdempotencyKey>,
    make: Make<T>,
) -> Answer {
    let change = async {
        let mall = &call.app.mall;
        T::told(mall, &*mall.change(call.path[0], seen, editor(call, key), make).await?)
    };
    call.once(key, change).await
}

pub(in crate::http) async fn remove<T: Edited>(call: OperatorCall<'_, 1>, body: Empty) -> Answer {
    call.no_query()?;
    let seen = call.must_have_seen()?;
    let key = body.read_keyed(&call).await?;
    let [id] = call.path;
    let remove = async {
        call.app.mall.remove::<T>(id, seen, editor(&call, key)).await?;
        Told::of(&RemovedWire { id }, None)
    };
    call.once(key, remove).await
}
