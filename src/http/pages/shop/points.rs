//! Points: what there is, and what changed it.

use maud::html;

use crate::base::QUANTITY_MAX;
use crate::http::pages::form::Asked;
use crate::http::pages::number::number;
use crate::http::pages::page::UserPage;
use crate::http::pages::time;
use crate::http::query;
use crate::http::reply::Answer;
use crate::mall::PointsFilter;

const PAGE_SIZE: usize = 20;

pub(in crate::http::pages) async fn get(page: &UserPage<'_>, asked: &Asked) -> Answer {
    let before = asked.only("before")?;
    let before = before.map(|text| query::number("before", &text, 0..=QUANTITY_MAX)).transpose()?;
    let (words, mall) = (page.words, page.mall());
    let balance = mall.balance_anywhere(page.user()).await?;
    let rank = mall.rank(balance.earned);
    let found =
        mall.points_records(page.user(), PointsFilter::default(), before, PAGE_SIZE).await?;
    let content = html! {
        dl {
            dt { (words.balance) } dd .price { (number(balance.available)) }
            dt { (words.reserved) } dd { (number(balance.reserved)) }
            dt { (words.level) } dd { (rank.level) " " (rank.name) }
            @if let Some(next) = &balance.expiring {
                dt { (words.expiring) } dd { (number(next.points)) " · " (time::told(mall, next.at)) }
            }
        }
        h2 { (words.records) }
        @if found.records.is_empty() { p { (words.nothing_here) } } @else {
            div .wide tabindex="0" role="region" aria-label=(words.records) {
                table {
                    thead { tr {
                        th scope="col" { (words.when) } th scope="col" { (words.change) }
                        th scope="col" { (words.after) } th scope="col" { (words.why) }
                    } }
                    tbody {
                        @for record in &found.records {
                            @let change = record.change();
                            tr {
                                td { (time::told(mall, change.at)) }
                                td { (number(change.delta)) }
                                td { (number(change.available)) }
                                td {
                                    (record.described())
                                    @if let Some(order) = record.order() {
                                        " " a href={ "/orders/" (order) } { (words.order) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(before) = found.next_before {
            p { a .button rel="next" href={ "/points?before=" (before) } { (words.more) } }
        }
    };
    Ok(page.show(words.points, &content))
}
