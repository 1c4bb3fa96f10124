//! What went wrong, for people: what it means, whether anything was changed, and the way to try again.

use hyper::Method;
use maud::{Markup, html};

use super::form::Fields;
use super::frame::Frame;
use super::go::{link, see_other};
use super::time;
use crate::http::access::Access;
use crate::http::code::{Again, Effect};
use crate::http::error::{ApiError, Code, FailureWire};
use crate::http::reply::{self, HttpResponse};

/// The page of a failure. Whoever would have to sign in is sent there.
pub(super) fn page(frame: &Frame<'_>, error: &ApiError, sent: Option<&Fields>) -> HttpResponse {
    let request = &frame.request;
    let is_read = request.route.method == Method::GET;
    if error.code == Code::Unauthorized && is_read && request.route.path != "/sign-in" {
        let next = link("/sign-in", &[("next", request.spelled)]);
        if let Ok(response) = see_other(&next) {
            return response;
        }
    }
    let words = frame.words;
    let row = error.code.row();
    let effect = match row.effect {
        Effect::Nothing => words.nothing_changed,
        Effect::Unknown => words.unknown_outcome,
    };
    let later = match error.data.as_deref() {
        Some(FailureWire::Shortage(short)) => {
            short.next_release_at().map(|at| (words.more_may_come, at))
        }
        Some(FailureWire::Opening(opening)) => Some((words.sale_starts, opening.sale_starts_at)),
        Some(FailureWire::Basket(_) | FailureWire::References(_) | FailureWire::Found(_))
        | None => None,
    };
    let content = html! {
        section .failure role="alert" data-code=(row.name) {
            p { strong { (words.of_code(error.code)) } }
            @if let Some(detail) = &error.detail { p .quiet { (detail) } }
            @if let Some((what, at)) = later { p { (what) " " (time::told(&request.app.mall, at)) } }
            @if !is_read { p { (effect) } }
        }
        @if let Some(sent) = sent.filter(|_| may_be_sent_again(frame, error)) { (again(frame, sent)) }
        p {
            a href=(if is_read { frame.home() } else { request.spelled }) .button { (words.back) }
            @if frame.has_shop() { " " a href="/orders" { (words.orders) } }
        }
    };
    let mut response = frame.show(row.status, words.failed, &content);
    reply::say_failure(response.headers_mut(), error);
    // For who counts what became of requests.
    response.extensions_mut().insert(error.code);
    response
}

/// Whether the same form may come to something else: nothing that it acts twice on, since it has a key
/// or does the same again.
fn may_be_sent_again(frame: &Frame<'_>, error: &ApiError) -> bool {
    let row = error.code.row();
    let may_help = match row.again {
        Again::No | Again::Yes => row.effect == Effect::Unknown,
        Again::In(_) | Again::WhenTold => true,
    };
    // What somebody signs in with is written into no page.
    may_help && frame.request.route.access != Access::Public
}

/// The form as it was sent, with its key: the way back would make another one.
fn again(frame: &Frame<'_>, sent: &Fields) -> Markup {
    html! {
        form method="post" action=(frame.request.spelled) data-once {
            @for (name, value) in sent.iter() { input type="hidden" name=(name) value=(value); }
            button .main { (frame.words.try_again) }
        }
    }
}
