//! The console: pages for operators.

pub(super) mod board;
pub(super) mod catalogue;
pub(super) mod copies;
pub(super) mod dispatch;
pub(super) mod experiments;
pub(super) mod lines;
pub(super) mod order;
pub(super) mod orders;
pub(super) mod product;
pub(super) mod products;
pub(super) mod records;
pub(super) mod reports;
pub(super) mod sagas;
pub(super) mod settings;
pub(super) mod user;
pub(super) mod webhooks;

use std::borrow::Cow;

use maud::{Markup, html};

use super::form::Fields;
use super::page::{Desk, Page};
use super::words::Words;
use crate::base::error::Result;
use crate::http::access::{Access, Grant};
use crate::http::api::admin::note;
use crate::http::call::Known;
use crate::http::error::ApiError;
use crate::http::text::text;
use crate::mall::REASON_CHARS_MAX;

/// The console's own links: those of who looks.
fn nav<Who: Known, const N: usize>(page: &Page<'_, Who, N>) -> Markup {
    let words = page.words;
    let links = [
        ("/console", words.board),
        ("/console/orders", words.all_orders),
        ("/console/dispatch", words.many_orders),
        ("/console/products", words.products_and_stock),
        ("/console/catalogue", words.import_export),
        ("/console/lines", words.waiting_lists),
        ("/console/reports", words.reports),
        ("/console/experiments", words.experiments),
        ("/console/users", words.users),
        ("/console/records", words.audit_trail),
        ("/console/sagas", words.sagas),
        ("/console/webhooks", words.webhooks),
    ];
    let of_admins = [("/console/copies", words.copies), ("/console/settings", words.settings)];
    let is_admin = Access::Admin.grant(page.call.identity().role) == Grant::Own;
    let links = links.into_iter().chain(of_admins.into_iter().filter(|_| is_admin));
    html! {
        nav .categories aria-label=(words.console) {
            ul {
                @for (path, text) in links {
                    li { a href=(path) aria-current=[(page.call.request().spelled == path).then_some("page")] { (text) } }
                }
            }
        }
    }
}

/// A field for a reason, which everything that an operator does needs or may have.
fn reason_field(words: &Words) -> Markup {
    html! {
        label { (words.reason) input name="reason" maxlength=(REASON_CHARS_MAX) required; }
    }
}

/// A table that is pasted, or read from a file by a script, as it was sent before.
fn sheet_field(words: &Words, sent: &str) -> Markup {
    html! {
        label for="rows" { (words.rows) }
        textarea #rows name="rows" rows="10" required spellcheck="false" { (sent) }
        p hidden data-with-script { label { (words.file) input type="file" accept=".csv,text/csv" data-into="rows"; } }
    }
}

/// Why, with who: what is kept beside a change.
///
/// # Errors
/// INVALID_REQUEST when there is no reason, or it is too long.
fn because<'f, const N: usize>(
    page: &'f Desk<'_, N>,
    fields: &'f Fields,
) -> Result<Cow<'f, str>, ApiError> {
    Ok(note(page.call.identity(), Some(reason(fields)?)))
}

/// # Errors
/// INVALID_REQUEST when there is no reason, or it is too long.
fn reason(fields: &Fields) -> Result<&str, ApiError> {
    text("reason", fields.must("reason")?, 1..=REASON_CHARS_MAX)
}
