//! The API's own description: `docs/openapi.json` as it was built in, and a page that shows it.
//!
//! The page is written once, when the server starts. It loads nothing from anywhere and runs no
//! script.

mod fixed;
mod html;
mod operation;
mod page;
mod schema;

use serde_json::Value;

use super::row::Row;
pub(super) use fixed::Fixed;
pub(crate) use html::escaped;
#[cfg(feature = "bin")]
pub(crate) use page::policy_of;

const OPENAPI: &str = include_str!("../../../docs/openapi.json");

/// What is served of it.
pub(super) struct Manual {
    pub(super) openapi: Fixed,
    pub(super) page: Fixed,
    /// What the page may load: its own style, and nothing else.
    pub(super) policy: String,
}

impl Manual {
    /// The manual of these routes, in their order.
    pub(super) fn new<'a>(rows: impl Iterator<Item = &'a Row>) -> Self {
        let document: Value =
            serde_json::from_str(OPENAPI).expect("a test reads the document that is built in");
        let page = page::write(&document, rows);
        Self {
            openapi: Fixed::new(OPENAPI.into()),
            page: Fixed::new(page.into()),
            policy: page::policy(),
        }
    }
}

/// What `value` refers to, or itself.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let place = value["$ref"].as_str().and_then(|place| place.strip_prefix('#'));
    place.and_then(|place| document.pointer(place)).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::route::ROUTES;

    /// The page as the server has it.
    fn page() -> String {
        let document: Value = serde_json::from_str(OPENAPI).expect("the document is JSON");
        page::write(&document, ROUTES.iter().map(|route| &route.row))
    }

    #[test]
    fn every_operation_is_on_the_page_with_all_that_it_takes_and_tells() {
        let (document, page) = (serde_json::from_str::<Value>(OPENAPI).expect("JSON"), page());
        for (path, operations) in document["paths"].as_object().expect("paths") {
            for (method, operation) in operations.as_object().expect("operations") {
                let id = operation["operationId"].as_str().expect("an operation has an id");
                let from = page.find(&format!("<details id=\"{id}\">"));
                let section = &page[from.unwrap_or_else(|| panic!("{method} {path}"))..];
                let section = section.split("</details>").next().expect("it ends");
                let summary = html::escaped(operation["summary"].as_str().expect("a summary"));
                for part in [path, &method.to_uppercase(), &summary] {
                    assert!(section.contains(part.as_str()), "{id} lacks {part}: {section}");
                }
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                for parameter in parameters.map(|it| resolved(&document, it)) {
                    let name = parameter["name"].as_str().expect("a parameter has a name");
                    assert!(section.contains(&format!("<code>{name}</code>")), "{id}: {name}");
                }
                for status in operation["responses"].as_object().expect("responses").keys() {
                    assert!(section.contains(&format!("<td>{status}</td>")), "{id}: {status}");
                }
            }
        }
    }

    #[test]
    fn nothing_on_the_page_comes_from_elsewhere_or_runs() {
        let page = page();
        for part in ["<script", "src=", "<link", "<img", "@import", "url(", " style=", " on"] {
            let is_tag = |at: usize| {
                // Attributes stand in tags; the same letters in a text are only letters.
                page[..at].rfind('<') > page[..at].rfind('>') || !part.starts_with(' ')
            };
            let found = page.match_indices(part).find(|(at, _)| is_tag(*at));
            assert_eq!(found, None, "{part}");
        }
    }

    #[test]
    fn every_tag_that_is_opened_is_closed() {
        const ALONE: [&str; 3] = ["!doctype", "meta", "br"];
        let (page, mut open) = (page(), Vec::new());
        for part in page.split('<').skip(1) {
            let tag = part.split('>').next().expect("a tag ends");
            let name = tag.split(' ').next().unwrap_or_default();
            match name.strip_prefix('/') {
                Some(closed) => assert_eq!(open.pop(), Some(closed), "{part}"),
                None if ALONE.contains(&name) => {}
                None => open.push(name),
            }
        }
        assert_eq!(open, Vec::<&str>::new());
    }
}
