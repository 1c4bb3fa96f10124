//! A page on its way: who looks, in which language, and what is shown.

use hyper::StatusCode;
use maud::Markup;

use super::frame::Frame;
use super::words::Words;
use crate::base::error::Result;
use crate::http::call::{Admin, Call, Known, Looker, MaybeKnown, Operator, User};
use crate::http::error::ApiError;
use crate::http::reply::HttpResponse;
use crate::mall::{self, Mall};

/// A page that is asked for. `Who` says what is known of who looks, `N` how many parameters its path
/// has.
pub(super) struct Page<'a, Who, const N: usize = 0> {
    pub(super) call: Call<'a, Who, N>,
    pub(super) words: &'static Words,
}

/// A page for everybody.
pub(super) type AnyPage<'a, const N: usize = 0> = Page<'a, Looker, N>;
/// A page for somebody who is signed in.
pub(super) type UserPage<'a, const N: usize = 0> = Page<'a, User, N>;
/// A page for an operator.
pub(super) type Desk<'a, const N: usize = 0> = Page<'a, Operator, N>;
/// A page for an administrator.
pub(super) type AdminDesk<'a, const N: usize = 0> = Page<'a, Admin, N>;

impl<'a, Who: MaybeKnown, const N: usize> Page<'a, Who, N> {
    pub(super) fn of(call: Call<'a, Who, N>) -> Self {
        Self { words: Words::of(call.headers()), call }
    }

    pub(super) fn mall(&self) -> &'a Mall {
        &self.call.app.mall
    }

    /// Who looks, where that is known.
    pub(super) fn visitor(&self) -> Option<&mall::User> {
        self.call.known().map(|known| &known.user)
    }

    /// The level of who looks, by which prices and limits go.
    pub(super) fn tier(&self) -> Result<u8, ApiError> {
        let mall = self.mall();
        Ok(match self.visitor() {
            Some(user) => mall.terms(user, &mall.shelf()).level()?,
            None => 0,
        })
    }

    /// A key for a form of the page: sent twice, it acts once.
    pub(super) fn new_key(&self) -> Box<str> {
        self.call.app.ids.make()
    }

    pub(super) fn frame(&self) -> Frame<'a> {
        Frame {
            request: *self.call.request(),
            words: self.words,
            known: self.call.known().cloned(),
        }
    }

    /// The page with this content.
    pub(super) fn show(&self, title: &str, content: &Markup) -> HttpResponse {
        self.frame().show(StatusCode::OK, title, content)
    }
}

impl<Who: Known, const N: usize> Page<'_, Who, N> {
    /// Who looks.
    pub(super) fn user(&self) -> &mall::User {
        &self.call.identity().user
    }
}
