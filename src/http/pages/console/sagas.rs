//! Orders whose points are kept elsewhere and are not settled: what is in the way, and what may be done.

use maud::{Markup, html};

use super::{nav, reason, reason_field};
use crate::http::api::order::order_in;
use crate::http::error::ApiError;
use crate::http::pages::form::{Asked, Fields};
use crate::http::pages::go::{link, see_other};
use crate::http::pages::number::number;
use crate::http::pages::page::Desk;
use crate::http::pages::time;
use crate::http::reply::Answer;
use crate::mall::elsewhere::SagaShown;
use crate::mall::facts::{SagaActKind, SagaTake};
use crate::mall::{Because, order_id, order_no};

const PAGE_SIZE: usize = 20;

pub(in crate::http::pages) async fn get(page: &Desk<'_>, asked: &Asked) -> Answer {
    let words = page.words;
    let after = asked.only("after")?.map(|order| order_in(&order)).transpose()?;
    // One more tells that there is a next page.
    let (mut sagas, count) = page.mall().sagas(after, PAGE_SIZE + 1)?;
    let is_more = sagas.len() > PAGE_SIZE;
    sagas.truncate(PAGE_SIZE);
    let next = sagas.last().filter(|_| is_more).map(|last| order_id(last.order));
    let content = html! {
        (nav(page))
        dl {
            dt { (words.points_service) } dd {
                @match page.mall().points_service_answers() {
                    Some(true) => { (words.well) }
                    Some(false) => { strong .out { (words.not_well) } }
                    None => { (words.points_kept_here) }
                }
            }
            dt { (words.waiting_sagas) } dd { (number(count as u64)) }
        }
        @if sagas.is_empty() { p { (words.nothing_here) } }
        @for saga in &sagas { (one(page, saga)) }
        @if let Some(next) = &next {
            p { a .button rel="next" href=(link("/console/sagas", &[("after", next)])) { (words.more) } }
        }
    };
    Ok(page.show(words.sagas, &content))
}

fn one(page: &Desk<'_>, shown: &SagaShown) -> Markup {
    let (words, mall, saga) = (page.words, page.mall(), &shown.saga);
    let order = order_id(shown.order);
    let take = match saga.take {
        SagaTake::Unknown => words.take_unknown,
        SagaTake::Taken => words.take_taken,
        SagaTake::Refused { .. } => words.take_refused,
        SagaTake::Closed => words.take_closed,
    };
    html! {
        section .panel {
            h2 { a href={ "/console/orders/" (order) } { (order_no(shown.order)) } }
            dl {
                dt { (words.user) } dd { a href=(link("/console/users", &[("user_id", &saga.user_id)])) { (saga.user_id) } }
                dt { (words.points_unit) } dd { (number(saga.points)) }
                dt { (words.status) } dd { (take) @if shown.rests { " · " (words.waits_for_user) } }
                @if let Some(back) = &saga.giving_back { dt { (words.returned) } dd { (number(back.points)) } }
                dt { (words.since) } dd { (time::told(mall, saga.begun_at)) }
                dt { (words.tries) } dd { (number(shown.tries)) @if let Some(left) = shown.next_try { " · " (words.next_try) " " (number(left.as_secs())) " s" } }
                @if let Some(trouble) = &shown.trouble { dt { (words.last_error) } dd { (trouble) } }
            }
            @if !saga.acts.is_empty() {
                ul { @for act in &saga.acts {
                    @let what = match act.kind { SagaActKind::Retried => words.retry, SagaActKind::Compensated => words.compensate };
                    li { (time::told(mall, act.at)) " · " (what) " · " (act.operator) " · " (act.reason) }
                } }
            }
            form method="post" action="/console/sagas" data-once {
                input type="hidden" name="key" value=(page.new_key());
                input type="hidden" name="order_id" value=(order);
                (reason_field(words))
                button name="do" value="retry" { (words.retry) } " "
                button name="do" value="compensate" { (words.compensate) }
            }
        }
    }
}

pub(in crate::http::pages) async fn post(page: &Desk<'_>, fields: &Fields) -> Answer {
    let order = order_in(fields.must("order_id")?)?;
    let because = Because { operator: page.user().id(), reason: reason(fields)? };
    match fields.must("do")? {
        // Driving on is always the same: it needs no key.
        "retry" => drop(page.mall().retry_saga(order, &because).await?),
        "compensate" => {
            let key = Some(fields.key(&page.call)?);
            drop(page.mall().compensate_saga(order, &because, key).await?);
        }
        _ => return Err(ApiError::invalid("do is retry or compensate")),
    }
    see_other("/console/sagas")
}
