//! A page on its way: who looks, in which language, and the frame around what is shown.

use std::borrow::Cow;

use hyper::body::{Bytes, Incoming};
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    SET_COOKIE, VARY,
};
use hyper::{Response, StatusCode};
use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::words::Words;
use crate::base::IdempotencyKey;
use crate::base::error::Result;
use crate::http::access::{Access, Grant};
use crate::http::answer::Body;
use crate::http::auth::Identity;
use crate::http::body;
use crate::http::call::{PublicCall, Unchecked, UserCall};
use crate::http::error::{ApiError, Code};
use crate::http::lane::Lanes;
use crate::http::query;
use crate::http::reply::{Answer, HttpResponse};
use crate::mall::{Mall, User};

/// Nothing but what this server itself has.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// Browsers tell our own pages where a form was, so that `Origin` is there, and others nothing.
const REFERRER_POLICY: HeaderName = HeaderName::from_static("referrer-policy");
const CONTENT_TYPE_OPTIONS: HeaderName = HeaderName::from_static("x-content-type-options");

/// A page that is asked for. `N` is how many parameters its path has.
pub(super) struct Page<'a, const N: usize = 0> {
    pub(super) words: &'static Words,
    pub(super) path: [&'a str; N],
    request: Unchecked<'a>,
    who: Who<'a, N>,
}

/// Who looks.
enum Who<'a, const N: usize> {
    /// Nobody that is known, and why not.
    Guest(PublicCall<'a, N>, Code),
    Visitor(UserCall<'a, N>),
}

/// A page for somebody who is signed in.
pub(super) struct Visit<'p, 'a, const N: usize> {
    pub(super) call: &'p UserCall<'a, N>,
    pub(super) user: &'p User,
}

/// A page for an operator.
pub(super) type Desk<'p, 'a, const N: usize> = Visit<'p, 'a, N>;

impl<'a, const N: usize> Page<'a, N> {
    /// # Errors
    /// RATE_LIMITED and OVERLOADED; whoever is not signed in sees what everybody sees.
    pub(super) fn of(request: Unchecked<'a>) -> Result<Self, ApiError> {
        let signed_in = request.bearer().and_then(|_| request.user::<N>());
        let who = match signed_in {
            Ok(call) => Who::Visitor(call),
            Err(error) if matches!(error.code, Code::Unauthorized | Code::Forbidden) => {
                Who::Guest(request.public()?, error.code)
            }
            Err(error) => return Err(error),
        };
        let path = match &who {
            Who::Guest(call, _) => call.path,
            Who::Visitor(call) => call.path,
        };
        Ok(Self { words: Words::of(request.headers), path, request, who })
    }

    pub(super) fn mall(&self) -> &'a Mall {
        &self.request.app.mall
    }

    pub(super) fn request(&self) -> &Unchecked<'a> {
        &self.request
    }

    /// # Errors
    /// UNAUTHORIZED when nobody is signed in, FORBIDDEN when another site asks.
    pub(super) fn visit(&self) -> Result<Visit<'_, 'a, N>, ApiError> {
        match &self.who {
            Who::Visitor(call) => Ok(Visit { call, user: &call.identity().user }),
            Who::Guest(_, code) => Err(ApiError::new(*code)),
        }
    }

    /// # Errors
    /// Those of [`Page::visit`], and FORBIDDEN for who is no operator.
    pub(super) fn desk(&self) -> Result<Desk<'_, 'a, N>, ApiError> {
        let visit = self.visit()?;
        if self.is_operator() { Ok(visit) } else { Err(ApiError::new(Code::Forbidden)) }
    }

    pub(super) fn visitor(&self) -> Option<&Identity> {
        match &self.who {
            Who::Visitor(call) => Some(call.identity()),
            Who::Guest(..) => None,
        }
    }

    /// Whether who looks may see the console.
    pub(super) fn is_operator(&self) -> bool {
        self.visitor().is_some_and(|it| Access::Operator.grant(it.role) == Grant::Own)
    }

    /// Where what takes long is made.
    pub(super) fn lanes(&self) -> &Lanes {
        match &self.who {
            Who::Visitor(call) => call.lanes(),
            Who::Guest(call, _) => call.lanes(),
        }
    }

    /// What was sent along.
    pub(super) async fn collect(&self, body: Incoming) -> Result<Bytes, ApiError> {
        let bytes_max = self.request.app.limits.body_bytes;
        match &self.who {
            Who::Visitor(call) => body::collect(call, body, bytes_max).await,
            Who::Guest(call, _) => body::collect(call, body, bytes_max).await,
        }
    }

    pub(super) fn query(&self) -> Result<Vec<(String, String)>, ApiError> {
        query::pairs(self.request.query)
    }

    /// Refuses a query where there is nothing to ask.
    pub(super) fn no_query(&self) -> Result<(), ApiError> {
        match &self.who {
            Who::Visitor(call) => call.no_query(),
            Who::Guest(call, _) => call.no_query(),
        }
    }

    /// The level of who looks, by which prices and limits go.
    pub(super) fn tier(&self) -> Result<u8, ApiError> {
        let mall = self.mall();
        Ok(match self.visitor() {
            Some(visitor) => mall.terms(&visitor.user, &mall.shelf()).level()?,
            None => 0,
        })
    }

    /// One parameter of the query.
    ///
    /// # Errors
    /// INVALID_REQUEST when there are others, or it is too long.
    pub(super) fn only(&self, name: &str) -> Result<Option<String>, ApiError> {
        let mut pairs = self.query()?;
        if let Some((other, _)) = pairs.iter().find(|(found, _)| found != name) {
            return Err(query::unknown(other));
        }
        pairs.pop().map(|(name, value)| query::short(&name, value)).transpose()
    }

    /// The page with this content.
    pub(super) fn show(&self, title: &str, content: &Markup) -> HttpResponse {
        self.show_as(StatusCode::OK, title, content)
    }

    pub(super) fn show_as(
        &self,
        status: StatusCode,
        title: &str,
        content: &Markup,
    ) -> HttpResponse {
        let markup = self.frame(title, content).into_string();
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

    fn frame(&self, title: &str, content: &Markup) -> Markup {
        let words = self.words;
        let now_ms = self.mall().now_ms();
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
                body data-sending=(words.sending) data-offline=(words.offline) data-reloading=(words.reloading) data-pull=(words.pull) {
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
                a .brand href="/" { "Stockhold" }
                nav aria-label=(words.shop) {
                    ul {
                        (link("/", words.home))
                        (link("/products", words.products))
                        @if self.visitor().is_some() {
                            (link("/orders", words.orders))
                            (link("/points", words.points))
                            (link("/preferences", words.preferences))
                        }
                        @if self.is_operator() { (link("/console", words.console)) }
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
                @if let Some(visitor) = self.visitor() {
                    form method="post" action="/sign-out" {
                        span { (words.signed_in_as) " " b { (visitor.user.id()) } }
                        " " button .quiet { (words.sign_out) }
                    }
                } @else {
                    a href="/sign-in" { (words.sign_in) }
                }
            }
        }
    }
}

impl<const N: usize> Visit<'_, '_, N> {
    /// The key of a form, in the scope of who sent it and of where: sent again it acts once, and with
    /// other contents it is refused.
    ///
    /// # Errors
    /// INVALID_REQUEST when it is none.
    pub(super) fn key(
        &self,
        page: &Page<'_, N>,
        key: &str,
        sent: &[u8],
    ) -> Result<IdempotencyKey, ApiError> {
        let row = page.request.route;
        let path = row.path_with(&page.path);
        let scope = row.idempotency_scope(self.user.id(), &path);
        Ok(IdempotencyKey::new(&scope, key)?.owned_by(self.user.id()).with_body(sent))
    }
}

/// Sends a browser on to a path of ours, as after a form: it is asked for with GET.
pub(super) fn see_other(path: &str) -> Answer {
    let mut response = Response::new(Body::from(Bytes::new()));
    *response.status_mut() = StatusCode::SEE_OTHER;
    let location = HeaderValue::try_from(local(path).as_ref());
    let location = location.map_err(|_| ApiError::invalid("the next page has no such name"))?;
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The same, and gives the browser a cookie for so many seconds, or takes it away.
pub(super) fn see_other_with_cookie(path: &str, cookie: &str) -> Answer {
    let mut response = see_other(path)?;
    let cookie = HeaderValue::try_from(cookie);
    let cookie = cookie.map_err(|_| ApiError::invalid("the cookie has no such value"))?;
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

/// A path on this server, whatever was asked for: never another site.
fn local(path: &str) -> Cow<'_, str> {
    let is_local = path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    Cow::Borrowed(if is_local { path } else { "/" })
}

/// A number as people write it.
pub(super) fn number(number: impl Into<i128>) -> String {
    let number: i128 = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "−" } else { "" });
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for (path, goes) in [
            ("/orders", "/orders"),
            ("/products?keyword=%E8%8C%B6", "/products?keyword=%E8%8C%B6"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("/a\r\nset-cookie: x", "/"),
            ("", "/"),
        ] {
            assert_eq!(local(path), goes, "{path:?}");
        }
    }

    #[test]
    fn numbers_have_groups() {
        for (value, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (-1234567, "−1,234,567")] {
            assert_eq!(number(value), text);
        }
    }
}
