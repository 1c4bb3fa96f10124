//! What several pages show.

use maud::{Markup, html};

use crate::http::api::shop::catalogue::for_sale;
use crate::http::pages::number::number;
use crate::http::pages::words::{Language, Words};
use crate::ledger::Level;
use crate::mall::{Item, Why};

/// A product in a list.
pub(super) fn card(
    words: &Words,
    item: &Item,
    level: &Level,
    tier: u8,
    why: Option<&Why>,
) -> Markup {
    let product = &item.product;
    let left = for_sale(level);
    html! {
        li .card {
            a href={ "/products/" (product.id) } {
                (picture(&product.name, product.images.first().map(String::as_str)))
                span .name { (product.name) }
            }
            p .price { (number(product.price_at(tier))) " " (words.points_unit) }
            p .quiet {
                @if left > 0 { (words.stock) " " (number(left)) } @else { strong .out { (words.sold_out) } }
                @if product.is_hot { " " span .badge { (words.is_hot) } }
                @if product.is_new { " " span .badge { (words.is_new) } }
            }
            @if let Some(why) = why { p .why { (reason(words, why)) } }
        }
    }
}

/// A list of them, under a heading.
pub(super) fn shelf(title: &str, cards: &[Markup]) -> Markup {
    html! {
        @if !cards.is_empty() {
            section {
                h2 { (title) }
                ul .cards { @for card in cards { (card) } }
            }
        }
    }
}

/// A picture of this server's own, or the first character of the name: other sites are never asked.
pub(super) fn picture(name: &str, image: Option<&str>) -> Markup {
    let own = image.filter(|path| path.starts_with('/') && !path.starts_with("//"));
    html! {
        @match own {
            Some(path) => { img .picture src=(path) alt="" loading="lazy" width="96" height="96"; }
            None => { span .picture aria-hidden="true" { (name.chars().next().unwrap_or('·')) } }
        }
    }
}

/// Why something is recommended, for people.
fn reason(words: &Words, why: &Why) -> String {
    if words.language == Language::Chinese {
        return why.told();
    }
    match why {
        Why::Affordable => "You have enough points".to_owned(),
        Why::SoonAffordable => "Within reach with the points to come".to_owned(),
        Why::Favourite => "One of your favourites".to_owned(),
        Why::Preferred { name } => format!("You like {name}"),
        Why::Category { name } => format!("You often choose {name}"),
        Why::Viewed { name } => format!("You looked at {name}"),
        Why::Together { name } => format!("Chosen together with {name}"),
        Why::Popular { sales } => format!("{sales} chosen so far"),
        Why::Hot => "Popular".to_owned(),
    }
}
