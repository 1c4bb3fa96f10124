//! What is around every page. It is there before anybody is let in, so that a refusal is a page, too.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, VARY,
};
use hyper::{Response, StatusCode};
use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::words::Words;
use crate::http::access::{Access, Grant};
use crate::http::answer::Body;
use crate::http::auth::Identity;
use crate::http::call::Unchecked;
use crate::http::reply::HttpResponse;
use crate::http::visit::Offer;

/// Nothing but what this server itself has.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// Browsers tell our own pages where a form was, so that `Origin` is there, and others nothing.
const REFERRER_POLICY: HeaderName = HeaderName::from_static("referrer-policy");
const CONTENT_TYPE_OPTIONS: HeaderName = HeaderName::from_static("x-content-type-options");

/// The console's first page.
pub(super) const CONSOLE: &str = "/console";

/// The frame of a page for whoever looks.
pub(super) struct Frame<'a> {
    pub(super) request: Unchecked<'a>,
    pub(super) words: &'static Words,
    /// Who looks, where that is known.
    pub(super) known: Option<Arc<Identity>>,
}

impl<'a> Frame<'a> {
    /// Of a request that was not let in, or went wrong later.
    pub(super) fn of(request: Unchecked<'a>) -> Self {
        Self { request, words: Words::of(request.headers), known: request.looks_as() }
    }

    /// The first page that there is where the request came in.
    pub(super) fn home(&self) -> &'static str {
        home(self.request.visit.offer)
    }

    /// Whether the shop is there where the request came in.
    pub(super) fn has_shop(&self) -> bool {
        self.home() != CONSOLE
    }

    fn has_console(&self) -> bool {
        let may =
            self.known.as_ref().is_some_and(|it| Access::Operator.grant(it.role) == Grant::Own);
        may && self.request.visit.offer != Offer::Users
    }

    /// The page with this content.
    pub(super) fn show(&self, status: StatusCode, title: &str, content: &Markup) -> HttpResponse {
        let markup = self.around(title, content).into_string();
        let mut response = Response::new(Body::from(Bytes::from(markup)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
        headers.insert(VARY, HeaderValue::from_static("Cookie, Accept-Language"));
        response
    }

    fn around(&self, title: &str, content: &Markup) -> Markup {
        let words = self.words;
        let now_ms = self.request.app.mall.now_ms();
        html! {
            (DOCTYPE)
            html lang=(words.language.tag()) data-now=(now_ms) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " · " (words.shop) }
                    link rel="stylesheet" href=(assets::STYLE.path());
                    link rel="icon" type="image/svg+xml" href=(assets::ICON.path());
                    script type="module" src=(assets::SHOP.path()) {}
                }
                body data-sending=(words.sending) data-offline=(words.offline) data-unsent=(words.unsent)
                    data-stale=(words.stale) data-reloading=(words.reloading) data-pull=(words.pull) {
                    a .skip href="#content" { (words.skip) }
                    (self.header())
                    main #content tabindex="-1" {
                        h1 { (title) }
                        p #told role="status" aria-live="polite" {}
                        (content)
                    }
                    (self.footer())
                }
            }
        }
    }

    fn header(&self) -> Markup {
        let words = self.words;
        let at = self.request.spelled;
        let link = |path: &str, text: &str| {
            html! {
                li { a href=(path) aria-current=[(at == path).then_some("page")] { (text) } }
            }
        };
        html! {
            header {
                a .brand href=(self.home()) { "Stockhold" }
                nav aria-label=(words.shop) {
                    ul {
                        @if self.has_shop() {
                            (link("/", words.home))
                            (link("/products", words.products))
                            @if self.known.is_some() {
                                (link("/orders", words.orders))
                                (link("/points", words.points))
                                (link("/preferences", words.preferences))
                            }
                        }
                        @if self.has_console() { (link(CONSOLE, words.console)) }
                    }
                }
            }
        }
    }

    fn footer(&self) -> Markup {
        let words = self.words;
        let other = words.language.other().tag();
        html! {
            footer {
                form method="post" action="/language" {
                    input type="hidden" name="language" value=(other);
                    input type="hidden" name="next" value=(self.request.spelled);
                    button .quiet lang=(other) { (words.other_language) }
                }
                @if let Some(known) = &self.known {
                    form method="post" action="/sign-out" {
                        span { (words.signed_in_as) " " b { (known.user.id()) } }
                        " " button .quiet { (words.sign_out) }
                    }
                } @else {
                    a href="/sign-in" { (words.sign_in) }
                }
            }
        }
    }
}

/// The first page that there is at a listener.
fn home(offer: Offer) -> &'static str {
    match offer {
        Offer::Everything | Offer::Users => "/",
        Offer::Operators => CONSOLE,
    }
}
