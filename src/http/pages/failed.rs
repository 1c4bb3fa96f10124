//! What went wrong, for people: what it means, and whether anything was changed.

use hyper::Method;
use maud::html;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::page::{Page, see_other};
use super::time;
use crate::http::code::Effect;
use crate::http::error::{ApiError, Code, FailureWire};
use crate::http::reply::HttpResponse;

/// The page of a failure. Whoever would have to sign in is sent there.
pub(super) fn page<const N: usize>(page: &Page<'_, N>, error: &ApiError) -> HttpResponse {
    let request = page.request();
    let is_read = request.route.method == Method::GET;
    if error.code == Code::Unauthorized && is_read && request.route.path != "/sign-in" {
        let next =
            format!("/sign-in?next={}", utf8_percent_encode(request.spelled, NON_ALPHANUMERIC));
        if let Ok(response) = see_other(&next) {
            return response;
        }
    }
    let words = page.words;
    let row = error.code.row();
    let effect = match row.effect {
        Effect::Nothing => words.nothing_changed,
        Effect::Unknown => words.unknown_outcome,
    };
    let more_at = match error.data.as_deref() {
        Some(FailureWire::Shortage(short)) => short.next_release_at(),
        Some(_) | None => None,
    };
    let content = html! {
        section .failure role="alert" data-code=(row.name) {
            p { strong { (words.of_code(error.code)) } }
            @if let Some(detail) = &error.detail { p .quiet { (detail) } }
            @if let Some(at) = more_at {
                p { (words.more_may_come) " " (time::told(page.mall(), at)) }
            }
            @if !is_read { p { (effect) } }
            p {
                a href=(if is_read { "/" } else { request.spelled }) .button { (words.back) }
                " " a href="/orders" { (words.orders) }
            }
        }
    };
    page.show_as(row.status, words.failed, &content)
}
