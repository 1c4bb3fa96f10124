//! `docs/api.md` and `docs/openapi.json` say what the table says.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::doc_tables;

#[test]
fn every_code_is_in_the_api_document_and_no_other() {
    let (success, message) = SUCCESS;
    let success = format!("| `{success}` | 200 | {message} | as asked | no | |");
    let rows = CODES.iter().map(|code| {
        let Row { name, status, message, effect, again, when, .. } = code.row();
        let effect = match effect {
            Effect::Nothing => "nothing",
            Effect::Unknown => "not known",
        };
        let again = match again {
            Again::No => "no".to_owned(),
            Again::Yes => "yes".to_owned(),
            Again::In(seconds) => format!("`Retry-After: {seconds}`"),
            Again::WhenTold => "`Retry-After`".to_owned(),
        };
        format!("| `{name}` | {} | {message} | {effect} | {again} | {when} |", status.as_u16())
    });
    let rows: Vec<String> = std::iter::once(success).chain(rows).collect();
    doc_tables::check("docs/api.md", include_str!("../../../docs/api.md"), "## Codes", &rows);
}

/// The codes that a documented answer may have.
fn codes(answer: &Value) -> Vec<Code> {
    let of_schema = |schema: &Value| -> Vec<Code> {
        let names = schema["properties"]["code"]["enum"].as_array().into_iter().flatten();
        let named = |name: &Value| CODES.iter().find(|code| Some(code.row().name) == name.as_str());
        names
            .map(|name| *named(name).unwrap_or_else(|| panic!("there is no code {name}")))
            .collect()
    };
    let schema = &answer["content"]["application/json"]["schema"];
    let any_of = schema["oneOf"].as_array().or(schema["anyOf"].as_array());
    any_of.map_or_else(|| of_schema(schema), |all| all.iter().flat_map(of_schema).collect())
}

#[test]
fn the_openapi_document_has_every_code_under_its_status_and_with_its_headers() {
    let document: Value = serde_json::from_str(include_str!("../../../docs/openapi.json"))
        .expect("the document is JSON");
    let operations = document["paths"].as_object().expect("paths").values();
    let operations =
        operations.flat_map(|methods| methods.as_object().expect("operations").values());
    let mut seen = BTreeSet::new();
    for operation in operations {
        for (status, answer) in operation["responses"].as_object().expect("responses") {
            let answer = match answer["$ref"].as_str() {
                Some(place) => document.pointer(&place[1..]).expect("what is referred to is there"),
                None => answer,
            };
            let codes = codes(answer);
            let problem = &answer["content"]["application/problem+json"]["schema"]["$ref"];
            let is_problem = problem == "#/components/schemas/Problem";
            let told = format!("docs/openapi.json: {status} of {}", operation["operationId"]);
            assert_eq!(is_problem, !codes.is_empty(), "{told} as application/problem+json");
            for code in codes {
                let Row { name, status: expected, again, besides, .. } = code.row();
                let told = format!("docs/openapi.json: {name} in {}", operation["operationId"]);
                seen.insert(*name);
                assert_eq!(status.as_str(), expected.as_str(), "{told}");
                let has = |header: &str| answer["headers"].get(header).is_some();
                let waits = matches!(again, Again::In(_) | Again::WhenTold);
                assert_eq!(has("Retry-After"), waits, "{told}: Retry-After");
                assert_eq!(has("Allow"), *besides == Besides::Methods, "{told}: Allow");
                let challenges = *besides == Besides::Challenge;
                assert_eq!(has("WWW-Authenticate"), challenges, "{told}: WWW-Authenticate");
            }
        }
    }
    let all: BTreeSet<_> = CODES.iter().map(|code| code.row().name).collect();
    assert_eq!(seen, all, "docs/openapi.json has other codes than the table");
}

#[test]
fn a_code_has_one_row() {
    let names: BTreeSet<_> = CODES.iter().map(|code| code.row().name).collect();
    assert_eq!(names.len(), CODES.len(), "a name is given twice");
}
