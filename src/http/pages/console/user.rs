//! Anybody's points: what there is, what changed it and who, and how it is changed.

use maud::{Markup, html};

use super::{nav, reason, reason_field};
use crate::base::QUANTITY_MAX;
use crate::base::error::Result;
use crate::http::error::ApiError;
use crate::http::pages::form::{Asked, Fields};
use crate::http::pages::go::see_other;
use crate::http::pages::number::number;
use crate::http::pages::page::Desk;
use crate::http::pages::time;
use crate::http::query;
use crate::http::reply::Answer;
use crate::mall::model::Moving;
use crate::mall::{MovePoints, PointsFilter, User};

const RECORDS: usize = 50;

pub(in crate::http::pages) async fn get(page: &Desk<'_>, asked: &Asked) -> Answer {
    let words = page.words;
    let named = asked.only("user_id")?;
    let found = match &named {
        Some(name) => found(page, &User::new(name)?).await?,
        None => html! {},
    };
    let content = html! {
        (nav(page))
        form .search role="search" action="/console/users" {
            label .unseen for="user" { (words.user) }
            input #user name="user_id" value=[named.as_deref()] placeholder=(words.user) required;
            button { (words.search) }
        }
        (found)
    };
    Ok(page.show(words.users, &content))
}

async fn found(page: &Desk<'_>, user: &User) -> Result<Markup, ApiError> {
    let (words, mall) = (page.words, page.mall());
    let balance = mall.balance_anywhere(user).await?;
    let records = mall.points_records(user, PointsFilter::default(), None, RECORDS).await?.records;
    let key = page.new_key();
    Ok(html! {
        dl {
            dt { (words.balance) } dd .price { (number(balance.available)) }
            dt { (words.reserved) } dd { (number(balance.reserved)) }
            dt { (words.earned) } dd { (number(balance.earned)) }
        }
        p { a href={ "/console/orders?user_id=" (user.id()) } { (words.all_orders) } }
        form method="post" action="/console/users" .panel data-once {
            input type="hidden" name="key" value=(key);
            input type="hidden" name="user_id" value=(user.id());
            label { (words.points_unit) input type="number" name="points" min="1" max=(QUANTITY_MAX) required; }
            (reason_field(words))
            button name="do" value="award" { (words.award) } " "
            button name="do" value="deduct" { (words.deduct) }
        }
        section {
            h2 { (words.records) }
            div .wide tabindex="0" role="region" aria-label=(words.records) {
                table {
                    thead { tr {
                        th scope="col" { (words.when) } th scope="col" .number { (words.change) } th scope="col" .number { (words.after) }
                        th scope="col" { (words.who) } th scope="col" { (words.why) }
                    } }
                    tbody {
                        @for record in &records {
                            @let change = record.change();
                            tr {
                                td { (time::told(mall, change.at)) }
                                td .number { (number(change.delta)) }
                                td .number { (number(change.available)) }
                                td { (record.note().note.operator.unwrap_or_default()) }
                                td { (record.described())
                                    @if let Some(order) = record.order() { " " a href={ "/console/orders/" (order) } { (words.order) } } }
                            }
                        }
                    }
                }
            }
        }
    })
}

pub(in crate::http::pages) async fn post(page: &Desk<'_>, fields: &Fields) -> Answer {
    let user = User::new(fields.must("user_id")?)?;
    let moving = match fields.must("do")? {
        "award" => Moving::Award,
        "deduct" => Moving::Deduct,
        _ => return Err(ApiError::invalid("do is award or deduct")),
    };
    let change = MovePoints {
        moving,
        points: query::number("points", fields.must("points")?, 1..=QUANTITY_MAX)?,
        source: None,
        operator: page.user().id(),
        reason: reason(fields)?,
        order: None,
        expires_at: None,
    };
    let key = Some(fields.key(&page.call)?);
    page.mall().move_points(&user, &change, key).await?;
    see_other(&format!("/console/users?user_id={}", user.id()))
}
