//! The settings that the server began with, and who said so. Of secrets it has no more than that there
//! are some.

use maud::html;

use super::nav;
use crate::http::pages::page::AdminDesk;
use crate::http::reply::Answer;

pub(in crate::http::pages) async fn get(page: &AdminDesk<'_>) -> Answer {
    let (words, settings) = (page.words, &page.call.app.settings);
    let content = html! {
        (nav(page))
        @if settings.is_empty() { p { (words.not_known) } } @else {
            p .quiet { (words.settings_hint) }
            div .wide tabindex="0" role="region" aria-label=(words.settings) {
                table {
                    thead { tr { th scope="col" { (words.setting) } th scope="col" { (words.value) } th scope="col" { (words.said_by) } } }
                    tbody {
                        @for it in settings {
                            tr { th scope="row" { code { (it.name) } } td { (it.value) } td { (it.from) } }
                        }
                    }
                }
            }
        }
    };
    Ok(page.show(words.settings, &content))
}
