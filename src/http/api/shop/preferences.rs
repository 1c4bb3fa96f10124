//! What users say that they like: preferences and favourites.

use std::collections::BTreeMap;

use serde::Serialize;

use super::catalogue::ProductWire;
use crate::base::{IdempotencyKey, TimeMs};
use crate::http::body::{Empty, Object, Sent};
use crate::http::call::UserCall;
use crate::http::error::ApiError;
use crate::http::reply::Answer;
use crate::http::told::Told;
use crate::mall::facts::{BROWSED_MAX, FAVOURITES_MAX, Favourite, Hundredths, Preferences};
use crate::mall::fields::read_tastes;
use crate::mall::{Editor, Kept, Seen};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PreferencesWire<'a> {
    user_id: &'a str,
    category_weights: BTreeMap<&'a str, f64>,
    price_sensitivity: Option<f64>,
    /// The newest first.
    favourites: Vec<FavouriteWire<'a>>,
    updated_at: Option<TimeMs>,
    updated_by: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FavouriteWire<'a> {
    product_id: &'a str,
    added_at: TimeMs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FavouritesWire<'a> {
    favourites: Vec<ShownWire<'a>>,
    favourites_max: usize,
}

#[derive(Serialize)]
struct ShownWire<'a> {
    #[serde(flatten)]
    favourite: FavouriteWire<'a>,
    /// Null while it is not for sale.
    product: Option<ProductWire<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MarkedWire<'a> {
    product_id: &'a str,
    favourite: bool,
    /// How many favourites there are.
    favourites: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErasedWire<'a> {
    user_id: &'a str,
    /// False where there was nothing.
    erased: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BrowsedWire<'a> {
    /// The newest first.
    views: Vec<LookWire<'a>>,
    views_max: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LookWire<'a> {
    product_id: &'a str,
    viewed_at: TimeMs,
}

/// In parts of one.
fn share(hundredths: Hundredths) -> f64 {
    f64::from(hundredths) / 100.0
}

impl<'a> FavouriteWire<'a> {
    fn of(favourite: &'a Favourite) -> Self {
        Self { product_id: &favourite.product_id, added_at: favourite.added_at }
    }
}

/// What a user has said, with its tag.
pub(in crate::http) fn told(kept: &Kept<Preferences>) -> Result<Told, ApiError> {
    let Preferences { user_id, category_weights, price_sensitivity, favourites } = &kept.content;
    let weights = category_weights.iter().map(|(id, weight)| (id.as_str(), share(*weight)));
    let wire = PreferencesWire {
        user_id,
        category_weights: weights.collect(),
        price_sensitivity: price_sensitivity.map(share),
        favourites: favourites.iter().rev().map(FavouriteWire::of).collect(),
        updated_at: kept.stamp.updated_at,
        updated_by: kept.stamp.updated_by.as_deref(),
    };
    Told::of(&wire, Some(kept.tag))
}

/// Who writes: the user, or the service that acts for it.
fn editor<const N: usize>(call: &UserCall<'_, N>, key: Option<IdempotencyKey>) -> Editor {
    let user = &call.identity().user;
    Editor { name: user.service().unwrap_or_else(|| user.id()).to_owned(), key }
}

pub(in crate::http) async fn get(call: UserCall<'_>) -> Answer {
    call.no_query()?;
    call.tell(&told(&call.app.mall.preferences(&call.identity().user)?)?)
}

/// Who has not seen what there is may write all the same: it is its own.
pub(in crate::http) async fn replace(call: UserCall<'_>, body: Sent<Object>) -> Answer {
    call.no_query()?;
    let seen = call.seen()?.unwrap_or(Seen::Any);
    let (members, key) = body.read_object(&call).await?;
    let tastes = read_tastes(members)?;
    let (mall, user) = (&call.app.mall, &call.identity().user);
    let replace = async { told(&mall.set_tastes(user, tastes, seen, editor(&call, key)).await?) };
    call.once(key, replace).await
}

pub(in crate::http) async fn erase(call: UserCall<'_>, body: Empty) -> Answer {
    call.no_query()?;
    let key = body.read_keyed(&call).await?;
    let user = &call.identity().user;
    let erase = async {
        let erased = call.app.mall.erase_preferences(user, editor(&call, key)).await?;
        Told::of(&ErasedWire { user_id: user.id(), erased }, None)
    };
    call.once(key, erase).await
}

pub(in crate::http) async fn favourites(call: UserCall<'_>) -> Answer {
    call.no_query()?;
    let (mall, user) = (&call.app.mall, &call.identity().user);
    let (kept, shelf) = (mall.preferences(user)?, mall.shelf());
    let level = mall.terms(user, &shelf).level()?;
    let mut items = Vec::with_capacity(kept.content.favourites.len());
    for favourite in kept.content.favourites.iter().rev() {
        items.push((favourite, mall.product(&favourite.product_id).ok()));
    }
    let shown = items.iter().map(|(favourite, found)| ShownWire {
        favourite: FavouriteWire::of(favourite),
        product: found
            .as_ref()
            .map(|(item, stock)| ProductWire::of(&shelf, item, stock, Some(level))),
    });
    let favourites = shown.collect();
    Ok(call.success(&FavouritesWire { favourites, favourites_max: FAVOURITES_MAX }))
}

fn marked(product_id: &str, kept: &Kept<Preferences>) -> Result<Told, ApiError> {
    let likes = &kept.content;
    let (favourite, favourites) = (likes.has_favourite(product_id), likes.favourites.len());
    Told::of(&MarkedWire { product_id, favourite, favourites }, None)
}

pub(in crate::http) async fn mark(call: UserCall<'_, 1>, body: Empty) -> Answer {
    call.no_query()?;
    let [product_id] = call.path;
    let key = body.read_keyed(&call).await?;
    let (mall, user) = (&call.app.mall, &call.identity().user);
    let mark = async {
        marked(product_id, &mall.add_favourite(user, product_id, editor(&call, key)).await?)
    };
    call.once(key, mark).await
}

pub(in crate::http) async fn unmark(call: UserCall<'_, 1>, body: Empty) -> Answer {
    call.no_query()?;
    let [product_id] = call.path;
    let key = body.read_keyed(&call).await?;
    let (mall, user) = (&call.app.mall, &call.identity().user);
    let unmark = async {
        marked(product_id, &mall.remove_favourite(user, product_id, editor(&call, key)).await?)
    };
    call.once(key, unmark).await
}

/// What the user looked at last: a product each time that its page was asked for.
pub(in crate::http) async fn views(call: UserCall<'_>) -> Answer {
    call.no_query()?;
    let looks = call.app.mall.browsed(&call.identity().user)?;
    let views = looks.iter().rev();
    let views = views.map(|look| LookWire { product_id: &look.id, viewed_at: look.at }).collect();
    Ok(call.success(&BrowsedWire { views, views_max: BROWSED_MAX }))
}
