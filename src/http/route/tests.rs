//! `docs/api.md` and `docs/openapi.json` say what the table says. (`scripts/api` holds a server to
//! the latter.)

use serde_json::Value;

use super::*;
use crate::doc_tables;
use crate::mall::model::RESERVED_IDS;

#[test]
fn every_route_is_in_the_api_document_and_no_other() {
    let rows: Vec<String> = ROUTES
        .iter()
        .map(|Route { row: Row { method, path, access, summary, .. }, .. }| {
            format!("| `{method} {path}` | {} | {summary} |", access.name())
        })
        .collect();
    let document = include_str!("../../../docs/api.md");
    doc_tables::check("docs/api.md", document, "## Endpoints", &rows);
}

#[test]
fn every_route_is_in_the_openapi_document_as_it_is_and_no_other() {
    let document: Value = serde_json::from_str(include_str!("../../../docs/openapi.json"))
        .expect("the document is JSON");
    let paths = document["paths"].as_object().expect("paths");
    let mut documented = Vec::new();
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().expect("operations by their methods") {
            documented.push(told(&method.to_uppercase(), path, operation, &document));
        }
    }
    let mut served: Vec<String> = ROUTES
        .iter()
        .map(|Route { row: Row { method, path, access, takes, summary, .. }, .. }| {
            let names = names(path);
            format!("{method} {path} {names:?}: {access:?}, {takes:?}, {summary}")
        })
        .collect();
    documented.sort();
    served.sort();
    let lacking: Vec<_> = served.iter().filter(|it| !documented.contains(it)).collect();
    let unknown: Vec<_> = documented.iter().filter(|it| !served.contains(it)).collect();
    assert!(
        documented == served,
        "docs/openapi.json lacks:\n{lacking:#?}\nand should not have:\n{unknown:#?}"
    );
}

/// An operation as the document has it.
fn told(method: &str, path: &str, operation: &Value, document: &Value) -> String {
    let role = &operation["security"][0]["token"][0];
    let access = Access::ALL.iter().find(|access| Some(access.name()) == role.as_str());
    let access = access.unwrap_or(&Access::Public);
    let can_be_forbidden = operation["responses"].get("403").is_some();
    assert_eq!(can_be_forbidden, *access != Access::Public, "{method} {path}: 403");
    let is_for_users = operation["parameters"].to_string().contains("/OnBehalfOf");
    let may_name = matches!(access, Access::User | Access::Service);
    assert_eq!(is_for_users, may_name, "{method} {path}: X-On-Behalf-Of");
    let body = &operation["requestBody"];
    let fields = &body["content"]["application/json"]["schema"]["properties"];
    let takes = match body["required"].as_bool() {
        None => "Nothing",
        Some(false) if fields.is_null() => "Empty",
        Some(false) => "Optional",
        Some(true) => "Fields",
    };
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let parameters = parameters.map(|parameter| match parameter["$ref"].as_str() {
        Some(place) => document.pointer(&place[1..]).expect("what is referred to is there"),
        None => parameter,
    });
    let names: Vec<&str> = parameters
        .filter(|parameter| parameter["in"] == "path")
        .map(|parameter| parameter["name"].as_str().expect("a parameter has a name"))
        .collect();
    let summary = operation["summary"].as_str().unwrap_or_default();
    format!("{method} {path} {names:?}: {access:?}, {takes}, {summary}")
}

/// The names of a path's parameters.
fn names(path: &str) -> Vec<&str> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{'))
        .map(|segment| segment.strip_suffix('}').expect("a parameter is a whole segment"))
        .collect()
}

#[test]
fn a_route_that_changes_something_is_no_get() {
    for Route { row: Row { method, path, takes, .. }, .. } in ROUTES {
        let has_body = *takes != Takes::Nothing;
        assert_eq!(has_body, *method != Method::GET, "{method} {path} takes {takes:?}");
    }
}

/// Would catch a product that nobody reaches, since a path has a word of its own in the place of its id.
#[test]
fn no_product_has_an_id_that_is_a_word_of_a_path() {
    let places: Vec<&str> = ROUTES
        .iter()
        .filter_map(|route| Some(route.row.path.split_once("{productId}")?.0))
        .collect();
    for Route { row: Row { path, .. }, .. } in ROUTES {
        for place in &places {
            let word = path.strip_prefix(place).and_then(|rest| rest.split('/').next());
            if let Some(word) = word.filter(|word| !word.starts_with('{')) {
                assert!(RESERVED_IDS.contains(&word), "{path}: a product may be called {word}");
            }
        }
    }
}
