//! The whole page.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::html::{code, escaped, prose, table};
use super::operation::Operation;
use crate::http::access::{Access, Grant};
use crate::http::auth::Role;
use crate::http::row::Row;

const STYLE: &str = include_str!("style.css");

/// The page of a document: the operations of these routes, by their tags.
pub(super) fn write<'a>(document: &Value, rows: impl Iterator<Item = &'a Row>) -> String {
    let operations: Vec<Operation<'_>> = rows
        .map(|row| {
            let told = &document["paths"][row.path][row.method.as_str().to_lowercase()];
            Operation { document, row, told }
        })
        .collect();
    let info = |name: &str| escaped(document["info"][name].as_str().unwrap_or_default());
    let (title, version) = (info("title"), info("version"));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} {version}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>{title} <small>{version}</small></h1>\n<p>{}</p>\n\
         <p>The same for machines: <a href=\"/openapi.json\">openapi.json</a>.</p>\n",
        info("summary"),
    );
    let tags = tags(&operations);
    page += &contents(&tags, &operations);
    page += &who();
    for tag in tags {
        page += &format!("<section>\n<h2 id=\"tag-{0}\">{0}</h2>\n", escaped(tag));
        page.extend(of_tag(tag, &operations).map(Operation::section));
        page += "</section>\n";
    }
    page + "</body>\n</html>\n"
}

/// The tags, in the order of the operations.
fn tags<'a>(operations: &[Operation<'a>]) -> Vec<&'a str> {
    let mut tags = Vec::new();
    for operation in operations {
        let tag = tag(operation);
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

fn tag<'a>(operation: &Operation<'a>) -> &'a str {
    operation.told["tags"][0].as_str().unwrap_or("others")
}

fn of_tag<'a, 'd>(
    name: &'a str,
    operations: &'a [Operation<'d>],
) -> impl Iterator<Item = &'a Operation<'d>> {
    operations.iter().filter(move |operation| tag(operation) == name)
}

fn contents(tags: &[&str], operations: &[Operation<'_>]) -> String {
    let links = |name: &str| -> String {
        let links = of_tag(name, operations).map(|operation| {
            let Row { method, path, .. } = operation.row;
            let id = escaped(operation.id());
            format!("<li><a href=\"#{id}\">{method} {}</a></li>\n", escaped(path))
        });
        links.collect()
    };
    let parts = tags.iter().map(|name| {
        let id = escaped(name);
        format!("<li><a href=\"#tag-{id}\">{id}</a>\n<ul>\n{}</ul></li>\n", links(name))
    });
    format!("<nav>\n<ul>\n{}</ul>\n</nav>\n", parts.collect::<String>())
}

/// Who may what, as the check of a caller has it.
fn who() -> String {
    let told = |grant| match grant {
        Grant::Nothing => "no",
        Grant::Own => "yes",
        Grant::ForUser => "for the user it names in <code>X-On-Behalf-Of</code>",
    };
    let row = |access: &Access| {
        let grants = Role::ALL.iter().map(|role| told(access.grant(*role)).to_owned());
        let grants: Vec<String> = grants.collect();
        [access.name().to_owned()].into_iter().chain(grants).collect::<Vec<_>>()
    };
    let head: Vec<String> = ["a route for".to_owned()]
        .into_iter()
        .chain(Role::ALL.iter().map(|role| code(role.name())))
        .collect();
    let rows: Vec<Vec<String>> = Access::ALL.iter().map(row).collect();
    let about = "`Authorization: Bearer TOKEN`, a JSON Web Token whose `role` is one of these. \
                 Without a token a caller may what everybody may.";
    format!("<h2 id=\"who\">Who may what</h2>\n<p>{}</p>\n{}", prose(about), table(&head, &rows))
}

/// The page's `Content-Security-Policy`: its own style, by its hash, and nothing else.
pub(super) fn policy() -> String {
    format!("{}; frame-ancestors 'none'", policy_of(STYLE))
}

/// What a page of ours may do that has this style: show itself. A page says so itself where no server
/// does.
pub(crate) fn policy_of(style: &str) -> String {
    let hash = base64(&Sha256::digest(style));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
}

/// RFC 4648, 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= group.len() { digit.into() } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_has_the_hash_of_the_style_as_browsers_make_it() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        // As openssl has it of the empty text.
        assert_eq!(base64(&Sha256::digest("")), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert!(policy().starts_with("default-src 'none'; style-src 'sha256-"), "{}", policy());
    }

    #[test]
    fn the_page_says_who_may_what() {
        let page = write(&Value::Null, std::iter::empty());
        for access in Access::ALL {
            assert!(page.contains(&format!("<tr><td>{}</td>", access.name())), "{page}");
        }
    }
}
