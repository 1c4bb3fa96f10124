//! One product: what it is, what it costs, and how many there are.

use maud::{Markup, html};

use super::part::picture;
use crate::http::api::shop::catalogue::for_sale;
use crate::http::error::ApiError;
use crate::http::pages::form::Fields;
use crate::http::pages::go::see_other;
use crate::http::pages::number::number;
use crate::http::pages::page::{AnyPage, UserPage};
use crate::http::pages::time;
use crate::http::reply::Answer;
use crate::ledger::Level;
use crate::mall::{Editor, Item, ORDER_QUANTITY_MAX, Standing};

pub(in crate::http::pages) async fn get(page: &AnyPage<'_, 1>) -> Answer {
    let [product_id] = page.call.path;
    let mall = page.mall();
    let (item, level) = mall.product(product_id)?;
    let visitor = page.visitor();
    mall.record_view(visitor, product_id);
    let (standing, favourite) = match visitor {
        Some(user) => {
            let likes = mall.preferences(user)?.content.favourites;
            let is_liked = likes.iter().any(|it| it.product_id == product_id);
            (mall.standing(user, product_id).ok(), Some(is_liked))
        }
        None => (None, None),
    };
    let content = content(page, &item, &level, page.tier()?, standing.as_ref(), favourite);
    Ok(page.show(&item.product.name, &content))
}

fn content(
    page: &AnyPage<'_, 1>,
    item: &Item,
    level: &Level,
    tier: u8,
    standing: Option<&Standing>,
    favourite: Option<bool>,
) -> Markup {
    let (words, product) = (page.words, &item.product);
    let left = for_sale(level);
    let most = product.limit_at(tier).map_or(ORDER_QUANTITY_MAX, |limit| limit.quantity);
    let path = format!("/products/{}", product.id);
    let begins_later = product.begins_later(|| page.mall().now_ms());
    html! {
        article .product {
            (picture(&product.name, product.images.first().map(String::as_str)))
            p { (product.description) }
            dl {
                dt { (words.cost) } dd .price { (number(product.price_at(tier))) " " (words.points_unit) }
                @if let Some(cents) = product.original_price_cents {
                    dt { (words.worth) } dd { "¥" (cents / 100) "." (format!("{:02}", cents % 100)) }
                }
                dt { (words.stock) } dd #stock aria-live="polite" data-stock=(product.id) data-out=(words.sold_out) {
                    @if left > 0 { (number(left)) } @else { (words.sold_out) }
                }
                dt { (words.sold) } dd { (number(level.consumed)) }
                @if let Some(limit) = product.limit_at(tier) {
                    dt { (words.limit) } dd { (number(limit.quantity)) }
                }
                @for (name, value) in &product.specifications {
                    dt { (name) } dd { (value.as_str().map_or_else(|| value.to_string(), str::to_owned)) }
                }
            }
            @if let Some(at) = begins_later {
                p { (words.sale_starts) " " (time::told(page.mall(), at)) " " a .button href={ (path) "/sale" } { (words.to_sale) } }
            }
            @if begins_later.is_none() { form #choose action={ (path) "/exchange" } .panel data-when-stocked hidden[left == 0] {
                label for="quantity" { (words.quantity) }
                input #quantity type="number" name="quantity" min="1" max=(most.clamp(1, ORDER_QUANTITY_MAX)) value="1" required inputmode="numeric";
                button .main { (words.exchange) }
            } }
            @if let Some(standing) = standing.filter(|it| left == 0 || it.place.is_some()) {
                (waiting(page, &path, standing))
            }
            @if let Some(is_liked) = favourite {
                form method="post" action=(path) {
                    button .quiet name="do" value=(if is_liked { "unmark" } else { "mark" }) {
                        (if is_liked { words.remove_favourite } else { words.add_favourite })
                    }
                }
            }
        }
    }
}

fn waiting(page: &AnyPage<'_, 1>, path: &str, standing: &Standing) -> Markup {
    let words = page.words;
    html! {
        section .panel {
            h2 { (words.waiting_list) }
            p { (words.waiting) " " (standing.waiting)
                @if let Some(place) = &standing.place { " · " (words.your_place) " " (place.position) } }
            form method="post" action=(path) {
                @let is_in = standing.place.is_some();
                button name="do" value=(if is_in { "leave" } else { "join" }) {
                    (if is_in { words.leave_line } else { words.join_line })
                }
            }
        }
    }
}

/// To do any of these twice comes to the same.
pub(in crate::http::pages) async fn post(page: &UserPage<'_, 1>, fields: &Fields) -> Answer {
    let [product_id] = page.call.path;
    let (mall, user) = (page.mall(), page.user());
    let editor = || Editor { name: user.id().to_owned(), key: None };
    match fields.must("do")? {
        "join" => drop(mall.join_line(user, product_id, None).await?),
        "leave" => drop(mall.leave_line(user, product_id, None).await?),
        "mark" => drop(mall.add_favourite(user, product_id, editor()).await?),
        "unmark" => drop(mall.remove_favourite(user, product_id, editor()).await?),
        _ => return Err(ApiError::invalid("do is join, leave, mark or unmark")),
    }
    see_other(&format!("/products/{product_id}"))
}
