//! Signing in and out, and choosing a language: what browsers keep for us.

use hyper::header::ORIGIN;
use maud::{Markup, html};

use super::form::Form;
use super::page::{Page, see_other_with_cookie};
use super::words::{LANGUAGE_COOKIE, Language};
use crate::http::access::{Access, Grant};
use crate::http::auth::SESSION_COOKIE;
use crate::http::error::{ApiError, Code};
use crate::http::query;
use crate::http::reply::Answer;

/// How long a browser keeps a language, in seconds.
const LANGUAGE_TTL_S: u64 = 365 * 24 * 3600;
/// How long it keeps a token that somebody pasted, which says itself when it ends.
const TOKEN_TTL_S: u64 = 30 * 24 * 3600;

/// A link is only looked at: whoever looks ahead of its user does not use it up.
pub(super) async fn get(page: &Page<'_>) -> Answer {
    let (mut code, mut next) = (None, None);
    for (name, value) in page.query()? {
        match name.as_str() {
            "code" => code = Some(value),
            "next" => next = Some(query::short(&name, value)?),
            _ => return Err(query::unknown(&name)),
        }
    }
    let next = next.as_deref().unwrap_or_default();
    let app = page.request().app;
    let content = match code {
        Some(code) => {
            let user = app.auth.look_at_link(&code, app.mall.clock_ms(), app.began_ms)?;
            ask_to_continue(page, &code, &user, next)
        }
        None => ask_who(page, next),
    };
    Ok(page.show(page.words.sign_in, &content))
}

fn ask_to_continue(page: &Page<'_>, code: &str, user: &str, next: &str) -> Markup {
    let words = page.words;
    html! {
        form method="post" action="/sign-in" .panel {
            input type="hidden" name="code" value=(code);
            input type="hidden" name="next" value=(next);
            button .main { (words.continue_as) " " (user) }
        }
    }
}

fn ask_who(page: &Page<'_>, next: &str) -> Markup {
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

pub(super) async fn post(page: &Page<'_>, form: Form) -> Answer {
    let fields = form.read_of_anybody(page).await?;
    let (code, app) = (fields.must("code")?, page.request().app);
    // A whole link may be pasted, too.
    let code = code.rsplit_once("code=").map_or(code, |(_, code)| code);
    let now_ms = app.mall.clock_ms();
    let (token, role, ttl_s) = match app.auth.redeem(code, now_ms, app.began_ms) {
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
    let next = fields.get("next").unwrap_or("/");
    see_other_with_cookie(next, &session_cookie(page, &token, ttl_s))
}

/// Scripts cannot read it, other sites' forms do not bring it along, and over TLS it stays there.
fn session_cookie(page: &Page<'_>, token: &str, ttl_s: u64) -> String {
    let origin = page.request().headers.get(ORIGIN).map(|origin| origin.as_bytes());
    let secure = match origin.is_some_and(|origin| origin.starts_with(b"https://")) {
        true => "; Secure",
        false => "",
    };
    format!("{SESSION_COOKIE}={token}; Path=/; Max-Age={ttl_s}; HttpOnly; SameSite=Lax{secure}")
}

pub(super) async fn end(page: &Page<'_>, form: Form) -> Answer {
    form.read_of_anybody(page).await?;
    see_other_with_cookie("/", &session_cookie(page, "", 0))
}

pub(super) async fn language(page: &Page<'_>, form: Form) -> Answer {
    let fields = form.read_of_anybody(page).await?;
    let named = Language::named(fields.must("language")?);
    let language = named.ok_or_else(|| ApiError::invalid("there is no such language here"))?;
    let tag = language.tag();
    let cookie = format!("{LANGUAGE_COOKIE}={tag}; Path=/; Max-Age={LANGUAGE_TTL_S}; SameSite=Lax");
    see_other_with_cookie(fields.get("next").unwrap_or("/"), &cookie)
}
