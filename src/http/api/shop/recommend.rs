//! What a user may like, and the first page of the mall.

use serde::Serialize;

use super::catalogue::{CategoryWire, ProductWire, tree};
use crate::base::QUANTITY_MAX;
use crate::http::call::UserCall;
use crate::http::error::ApiError;
use crate::http::format::Format;
use crate::http::query;
use crate::http::reply::{Answer, success};
use crate::mall::{
    Decided, Filter, ListOrder, ListingPage, Lists, Mall, Page, Place, Recommendations,
    Recommended, Shelf, User, Wanting, Why,
};

const LIMIT: u64 = 6;
const LIMIT_MAX: u64 = 20;
/// How many categories the first page has, and how many products of what is hot and what is new.
const HOME_CATEGORIES: usize = 8;
const HOME_PRODUCTS: usize = 4;

/// Where a page was come to from; the mall's own front says `direct`.
const SOURCE: &str = "direct";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecommendationsWire<'a> {
    /// `personal` or `hot`.
    r#type: &'static str,
    source: &'a str,
    balance: i64,
    expected_points: u64,
    /// What the user can spend with what is expected.
    reach: u64,
    mall_level: u8,
    affordable: Vec<RecommendedWire<'a>>,
    preferred: Vec<RecommendedWire<'a>>,
    together: Vec<RecommendedWire<'a>>,
    popular: Vec<RecommendedWire<'a>>,
    /// What is recommended to everybody while nothing is known of the user.
    products: Vec<RecommendedWire<'a>>,
    /// The variants of experiments that decided on this.
    experiments: Vec<DecidedWire<'a>>,
}

#[derive(Serialize)]
struct DecidedWire<'a> {
    name: &'a str,
    run: u64,
    variant: &'a str,
}

#[derive(Serialize)]
struct RecommendedWire<'a> {
    #[serde(flatten)]
    product: ProductWire<'a>,
    reason: ReasonWire,
}

#[derive(Serialize)]
struct ReasonWire {
    code: &'static str,
    /// For people.
    message: String,
}

impl ReasonWire {
    fn of(why: &Why) -> Self {
        let code = match why {
            Why::Affordable => "AFFORDABLE",
            Why::SoonAffordable => "SOON_AFFORDABLE",
            Why::Favourite => "FAVOURITE",
            Why::Preferred { .. } => "PREFERRED",
            Why::Category { .. } => "CATEGORY",
            Why::Viewed { .. } => "VIEWED",
            Why::Together { .. } => "TOGETHER",
            Why::Popular { .. } => "POPULAR",
            Why::Hot => "HOT",
        };
        Self { code, message: why.told() }
    }
}

impl<'a> DecidedWire<'a> {
    fn of(decided: &'a Decided) -> Self {
        Self { name: &decided.experiment, run: decided.run, variant: &decided.variant }
    }
}

impl<'a> RecommendationsWire<'a> {
    fn of(shelf: &'a Shelf, asked: &'a Asked, found: &'a Recommendations) -> Self {
        let shown = |list: &'a [Recommended]| {
            let shown = list.iter().map(|it| RecommendedWire {
                product: ProductWire::of(shelf, &it.item, &it.level, Some(found.mall_level)),
                reason: ReasonWire::of(&it.why),
            });
            shown.collect()
        };
        let none = &[][..];
        let (r#type, [affordable, preferred, together, popular, products]) = match &found.lists {
            Lists::Personal { affordable, preferred, together, popular } => {
                ("personal", [affordable, preferred, together, popular, none])
            }
            Lists::Hot(products) => ("hot", [none, none, none, none, products]),
        };
        Self {
            r#type,
            source: &asked.source,
            balance: found.balance,
            expected_points: asked.wanting.expected_points,
            reach: found.reach,
            mall_level: found.mall_level,
            affordable: shown(affordable),
            preferred: shown(preferred),
            together: shown(together),
            popular: shown(popular),
            products: shown(products),
            experiments: found.decided.iter().map(DecidedWire::of).collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HomeWire<'a> {
    points: PointsWire<'a>,
    categories: Vec<CategoryWire<'a>>,
    recommendations: RecommendationsWire<'a>,
    hot_products: Vec<ProductWire<'a>>,
    new_products: Vec<ProductWire<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PointsWire<'a> {
    user_id: &'a str,
    balance: i64,
    mall_level: u8,
}

struct Asked {
    source: String,
    wanting: Wanting,
}

impl Asked {
    fn parse(pairs: Vec<(String, String)>, with_limit: bool) -> Result<Self, ApiError> {
        let (mut source, mut expected_points, mut limit) = (SOURCE.to_owned(), 0, LIMIT);
        for (name, value) in pairs {
            match name.as_str() {
                "source" => source = query::short(&name, value)?,
                "expected_points" => {
                    expected_points = query::number(&name, &value, 0..=QUANTITY_MAX)?;
                }
                "limit" if with_limit => limit = query::number(&name, &value, 1..=LIMIT_MAX)?,
                _ => return Err(query::unknown(&name)),
            }
        }
        Ok(Self { source, wanting: Wanting { expected_points, limit: limit as usize } })
    }
}

/// Recommendations look through the whole shelf: beside the threads that sell.
pub(in crate::http) async fn list(call: UserCall<'_>) -> Answer {
    let asked = Asked::parse(call.query()?, true)?;
    let (mall, format) = (call.app.mall.clone(), call.format);
    let user = User::new(call.identity().user.id())?;
    let (balance, is_near) = (mall.balance_if_known(&user).await?, mall.is_history_near().await);
    let answer = move || {
        let found = mall.recommend(&user, balance, asked.wanting, is_near)?;
        let shelf = mall.shelf();
        Ok(success(format, &RecommendationsWire::of(&shelf, &asked, &found), mall.now_ms()))
    };
    call.lanes().searches.run(answer).await
}

pub(in crate::http) async fn home(call: UserCall<'_>) -> Answer {
    let asked = Asked::parse(call.query()?, false)?;
    let (mall, format) = (call.app.mall.clone(), call.format);
    let user = User::new(call.identity().user.id())?;
    let (balance, is_near) = (mall.balance_if_known(&user).await?, mall.is_history_near().await);
    let answer = move || {
        let found = mall.recommend(&user, balance, asked.wanting, is_near)?;
        home_of(&mall, format, &user, &asked, &found)
    };
    call.lanes().searches.run(answer).await
}

fn home_of(
    mall: &Mall,
    format: Format,
    user: &User,
    asked: &Asked,
    found: &Recommendations,
) -> Answer {
    let for_sale = Filter { is_active: Some(true), ..Filter::default() };
    let hot = Filter { is_hot: Some(true), ..for_sale.clone() };
    let new = Filter { is_new: Some(true), ..for_sale };
    let page = Page {
        place: Place::Numbered { number: 1, order: ListOrder::default() },
        size: HOME_PRODUCTS,
    };
    let (hot, new) = (mall.products(&hot, &page)?, mall.products(&new, &page)?);
    let (shelf, level) = (mall.shelf(), found.mall_level);
    let mut categories = tree(&shelf);
    categories.truncate(HOME_CATEGORIES);
    let home = HomeWire {
        points: PointsWire { user_id: user.id(), balance: found.balance, mall_level: level },
        categories,
        recommendations: RecommendationsWire::of(&shelf, asked, found),
        hot_products: products(&shelf, &hot, level),
        new_products: products(&shelf, &new, level),
    };
    Ok(success(format, &home, mall.now_ms()))
}

fn products<'a>(shelf: &'a Shelf, listed: &'a ListingPage, level: u8) -> Vec<ProductWire<'a>> {
    let all = listed.items.iter();
    all.map(|(item, stock)| ProductWire::of(shelf, item, stock, Some(level))).collect()
}
