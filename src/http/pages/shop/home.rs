//! The first page: points, categories, and what may be liked.

use maud::{Markup, html};

use super::part::{card, shelf};
use crate::base::error::Result;
use crate::http::error::ApiError;
use crate::http::pages::form::Asked;
use crate::http::pages::number::number;
use crate::http::pages::page::AnyPage;
use crate::http::pages::words::Words;
use crate::http::reply::Answer;
use crate::mall::{
    Filter, ListOrder, Lists, Mall, Place, Recommendations, Recommended, User, Wanting,
};

/// As many as the mall's document has on its first page.
const CATEGORIES: usize = 8;
const RECOMMENDED: usize = 6;
const PRODUCTS: usize = 4;

/// Whatever else an address says that leads here is for others, who count where people come from.
pub(in crate::http::pages) async fn get(page: &AnyPage<'_>, _: &Asked) -> Answer {
    let (mall, words) = (page.mall().clone(), page.words);
    let found = match page.visitor() {
        Some(user) => {
            let user = User::new(user.id())?;
            let near = mall.is_history_near().await;
            Some((mall.balance_if_known(&user).await?, near, user))
        }
        None => None,
    };
    let write = move || -> Result<Markup, ApiError> {
        let wanting = Wanting { expected_points: 0, limit: RECOMMENDED };
        let found =
            found.map(|(balance, near, user)| mall.recommend(&user, balance, wanting, near));
        content(&mall, words, found.transpose()?.as_ref())
    };
    let content = page.call.lanes().searches.run(write).await?;
    Ok(page.show(words.home, &content))
}

fn content(
    mall: &Mall,
    words: &Words,
    found: Option<&Recommendations>,
) -> Result<Markup, ApiError> {
    let shown = mall.shelf();
    let all = shown.categories.iter().map(|kept| &kept.content);
    let categories = all.filter(|it| it.active && it.parent_id.is_none()).take(CATEGORIES);
    let tier = found.map_or(0, |found| found.mall_level);
    let for_sale = Filter { is_active: Some(true), ..Filter::default() };
    let hot = Filter { is_hot: Some(true), ..for_sale.clone() };
    let new = Filter { is_new: Some(true), ..for_sale };
    let listed = |filter: &Filter| -> Result<Vec<Markup>, ApiError> {
        let place = Place::Numbered { number: 1, order: ListOrder::default() };
        let found = mall.products(filter, &crate::mall::Page { place, size: PRODUCTS })?;
        Ok(found.items.iter().map(|(item, level)| card(words, item, level, tier, None)).collect())
    };
    let recommended: Vec<Markup> = found.map(|found| picked(words, found)).unwrap_or_default();
    Ok(html! {
        @if let Some(found) = found {
            p .points { (words.balance) " " strong { (number(found.balance)) } }
        } @else {
            p { a .button href="/sign-in" { (words.sign_in) } }
        }
        form .search role="search" action="/products" {
            label .unseen for="keyword" { (words.search_hint) }
            input #keyword type="search" name="keyword" placeholder=(words.search_hint) maxlength="200" list="suggestions" autocomplete="off";
            datalist #suggestions {}
            button { (words.search) }
        }
        nav .categories aria-label=(words.categories) {
            ul {
                @for category in categories {
                    li { a href={ "/products?category_id=" (category.id) } { (category.name) } }
                }
            }
        }
        (shelf(words.recommended, &recommended))
        (shelf(words.hot, &listed(&hot)?))
        (shelf(words.new, &listed(&new)?))
    })
}

/// What is recommended, each product once, with its reason.
fn picked(words: &Words, found: &Recommendations) -> Vec<Markup> {
    let lists: [&[Recommended]; 4] = match &found.lists {
        Lists::Personal { affordable, preferred, together, popular } => {
            [affordable, preferred, together, popular]
        }
        Lists::Hot(products) => [products, &[], &[], &[]],
    };
    let mut seen: Vec<&str> = Vec::new();
    let mut cards = Vec::new();
    for it in lists.into_iter().flatten() {
        let id = it.item.product.id.as_str();
        if cards.len() < RECOMMENDED && !seen.contains(&id) {
            seen.push(id);
            cards.push(card(words, &it.item, &it.level, found.mall_level, Some(&it.why)));
        }
    }
    cards
}
