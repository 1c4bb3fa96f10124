//! Signing in and out, and choosing a language: what browsers keep for us.

use hyper::header::ORIGIN;
use maud::{Markup, html};

use super::form::{Asked, Fields};
use super::go::{is_ours, see_other_with_cookie};
use super::page::AnyPage;
use super::words::{LANGUAGE_COOKIE, Language};
use crate::http::access::{Access, Grant};
use crate::http::auth::SESSION_COOKIE;
use crate::http::error::{ApiError, Code};
use crate::http::reply::Answer;

/// How long a browser keeps a language, in seconds.
const LANGUAGE_TTL_S: u64 = 365 * 24 * 3600;
/// How long it keeps a token that somebody pasted, which says itself when it ends.
const TOKEN_TTL_S: u64 = 30 * 24 * 3600;

/// A link is only looked at: whoever looks ahead of its user does not use it up.
pub(super) async fn get(page: &AnyPage<'_>, asked: &Asked) -> Answer {
    let [code, next] = asked.all(["code", "next"])?;
    let next = next.unwrap_or_default();
    let app = page.call.app;
    let content = match code {
        Some(code) => {
            let user = app.look_at_link(code)?;
            ask_to_continue(page, code, &user, next)
        }
        None => ask_who(page, next),
    };
    Ok(page.show(page.words.sign_in, &content))
}

fn ask_to_continue(page: &AnyPage<'_>, code: &str, user: &str, next: &str) -> Markup {
    let words = page.words;
    html! {
        form method="post" action="/sign-in" .panel {
            input type="hidden" name="code" value=(code);
            input type="hidden" name="next" value=(next);
            button .main { (words.continue_as) " " (user) }
        }
    }
}

fn ask_who(page: &AnyPage<'_>, next: &str) -> Markup {
    let words = page.words;
    html! {
        form method="post" action="/sign-in" .panel {
            input type="hidden" name="next" value=(next);
            label for="code" { (words.link_or_token) }
            input #code name="code" type="password" autocomplete="off" required;
            p .quiet { (words.sign_in_hint) }
            button .main { (words.sign_in) }
        }
    }
}

pub(super) async fn post(page: &AnyPage<'_>, fields: &Fields) -> Answer {
    let (code, app) = (fields.must("code")?, page.call.app);
    // A whole link may be pasted, too.
    let code = code.rsplit_once("code=").map_or(code, |(_, code)| code);
    let (token, role, ttl_s) = match app.redeem(code) {
        Ok(session) => (session.token, session.role, session.ttl_s),
        Err(refused) => match app.identity_of(code) {
            Ok(identity) => (code.to_owned(), identity.role, TOKEN_TTL_S),
            Err(_) => return Err(refused),
        },
    };
    if Access::User.grant(role) != Grant::Own {
        return Err(
            ApiError::new(Code::Forbidden).detail("pages are for people: users and operators")
        );
    }
    see_other_with_cookie(next(page, fields), &session_cookie(page, &token, ttl_s))
}

/// Where somebody was, or the first page that there is here.
fn next<'f>(page: &AnyPage<'_>, fields: &'f Fields) -> &'f str {
    fields.get("next").filter(|path| is_ours(path)).unwrap_or(page.frame().home())
}

/// Scripts cannot read it, other sites' forms do not bring it along, and over TLS it stays there.
fn session_cookie(page: &AnyPage<'_>, token: &str, ttl_s: u64) -> String {
    let origin = page.call.headers().get(ORIGIN).map(|origin| origin.as_bytes());
    let secure = match origin.is_some_and(|origin| origin.starts_with(b"https://")) {
        true => "; Secure",
        false => "",
    };
    format!("{SESSION_COOKIE}={token}; Path=/; Max-Age={ttl_s}; HttpOnly; SameSite=Lax{secure}")
}

pub(super) async fn end(page: &AnyPage<'_>, _: &Fields) -> Answer {
    see_other_with_cookie(page.frame().home(), &session_cookie(page, "", 0))
}

pub(super) async fn language(page: &AnyPage<'_>, fields: &Fields) -> Answer {
    let named = Language::named(fields.must("language")?);
    let language = named.ok_or_else(|| ApiError::invalid("there is no such language here"))?;
    let tag = language.tag();
    let cookie = format!("{LANGUAGE_COOKIE}={tag}; Path=/; Max-Age={LANGUAGE_TTL_S}; SameSite=Lax");
    see_other_with_cookie(next(page, fields), &cookie)
}
