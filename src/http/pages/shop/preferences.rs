//! What who looks likes: categories and favourites, which can all be erased.

use std::collections::BTreeMap;

use maud::html;
use serde_json::{Map, Value};

use crate::http::error::ApiError;
use crate::http::pages::form::Fields;
use crate::http::pages::go::see_other;
use crate::http::pages::page::UserPage;
use crate::http::reply::Answer;
use crate::mall::fields::read_tastes;
use crate::mall::{Editor, Seen};

/// How much somebody likes what is ticked, and what is not: parts of one.
const LIKED: f64 = 1.0;

pub(in crate::http::pages) async fn get(page: &UserPage<'_>) -> Answer {
    let (words, mall) = (page.words, page.mall());
    let (kept, shelf) = (mall.preferences(page.user())?, mall.shelf());
    let said = &kept.content;
    let categories = shelf.categories.iter().map(|kept| &kept.content).filter(|it| it.active);
    let favourites =
        said.favourites.iter().rev().filter_map(|it| mall.product(&it.product_id).ok());
    let content = html! {
        form method="post" action="/preferences" .panel {
            fieldset {
                legend { (words.likes) }
                @for category in categories {
                    label {
                        input type="checkbox" name=(category.id) value="like"
                            checked[said.category_weights.get(&category.id).is_some_and(|weight| *weight > 0)];
                        " " (category.name)
                    }
                }
            }
            button .main name="do" value="save" { (words.save) }
            " " button name="do" value="erase" { (words.erase) }
        }
        section {
            h2 { (words.favourites) }
            @if said.favourites.is_empty() { p { (words.nothing_here) } }
            ul { @for (item, _) in favourites {
                li { a href={ "/products/" (item.product.id) } { (item.product.name) } }
            } }
        }
    };
    Ok(page.show(words.preferences, &content))
}

/// What is ticked is liked; how dear things may be stays as it was said.
pub(in crate::http::pages) async fn post(page: &UserPage<'_>, fields: &Fields) -> Answer {
    let mall = page.mall();
    let editor = Editor { name: page.user().id().to_owned(), key: None };
    match fields.must("do")? {
        "erase" => drop(mall.erase_preferences(page.user(), editor).await?),
        "save" => {
            let liked = fields.iter().filter(|(_, value)| *value == "like");
            let weights: BTreeMap<&str, f64> = liked.map(|(name, _)| (name, LIKED)).collect();
            let mut members = Map::new();
            members.insert("categoryWeights".into(), serde_json::json!(weights));
            let before = mall.preferences(page.user())?.content.price_sensitivity;
            let before = before.map(|hundredths| f64::from(hundredths) / 100.0);
            members.insert("priceSensitivity".into(), before.map_or(Value::Null, Value::from));
            mall.set_tastes(page.user(), read_tastes(members)?, Seen::Any, editor).await?;
        }
        _ => return Err(ApiError::invalid("do is save or erase")),
    }
    see_other("/preferences")
}
