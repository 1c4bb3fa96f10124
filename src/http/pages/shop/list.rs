//! Products, filtered, page by page.

use maud::{Markup, html};

use super::part::card;
use crate::http::api::shop::catalogue::{Shown, parse_listing};
use crate::http::error::ApiError;
use crate::http::pages::form::Asked;
use crate::http::pages::go::link;
use crate::http::pages::page::AnyPage;
use crate::http::reply::Answer;
use crate::mall::{Filter, ListingPage};

pub(in crate::http::pages) async fn get(page: &AnyPage<'_>, asked: &Asked) -> Answer {
    let (mut filter, place) = parse_listing(asked.pairs(), Shown::ForSale)?;
    filter.include_children = true;
    let tier = page.tier()?;
    let mall = page.mall().clone();
    let find = {
        let (mall, filter) = (mall.clone(), filter.clone());
        move || mall.products(&filter, &place).map_err(ApiError::from)
    };
    let found = match mall.is_long_search(&filter) {
        true => page.call.lanes().searches.run(find).await?,
        false => find()?,
    };
    let shelf = mall.shelf();
    let category = filter.category_id.as_deref().and_then(|id| shelf.category(id));
    let title = category.map_or(page.words.products, |category| &category.name);
    Ok(page.show(title, &content(page, &filter, &found, tier)))
}

fn content(page: &AnyPage<'_>, filter: &Filter, found: &ListingPage, tier: u8) -> Markup {
    let words = page.words;
    let shelf = page.mall().shelf();
    let categories = shelf.categories.iter().map(|kept| &kept.content).filter(|it| it.active);
    let chosen = filter.category_id.as_deref();
    html! {
        form .search role="search" action="/products" {
            label .unseen for="keyword" { (words.search_hint) }
            input #keyword type="search" name="keyword" value=[filter.keyword.as_deref()] placeholder=(words.search_hint) maxlength="200" list="suggestions" autocomplete="off";
            datalist #suggestions {}
            label .unseen for="category" { (words.categories) }
            select #category name="category_id" {
                option value="" { (words.all) }
                @for category in categories {
                    option value=(category.id) selected[chosen == Some(&*category.id)] { (category.name) }
                }
            }
            button { (words.search) }
        }
        @if found.items.is_empty() { p { (words.no_products) } }
        ul .cards { @for (item, level) in &found.items { (card(words, item, level, tier, None)) } }
        @if let Some(after) = &found.next {
            p { a .button rel="next" href=(next(filter, &after.to_string())) { (words.more) } }
        }
    }
}

fn next(filter: &Filter, after: &str) -> String {
    let category = filter.category_id.as_deref().unwrap_or_default();
    let keyword = filter.keyword.as_deref().unwrap_or_default();
    link("/products", &[("after", after), ("category_id", category), ("keyword", keyword)])
}
