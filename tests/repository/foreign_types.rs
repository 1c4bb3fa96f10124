//! Would catch another crate's type in the public face that `docs/stability.md` does not list: its
//! next major version would break callers, and nobody would have decided that. And a row of that
//! list whose type is gone.
//!
//! It reads the sources: the signatures of `pub` items, the `pub` fields of structs, the bodies of
//! `pub` enums and traits, and which foreign traits are implemented for them.

#![allow(clippy::disallowed_methods, reason = "a test reads the sources")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::circles::{code, expand};
use super::sources::paths;

/// The rooms of which nothing is promised: what is in them is not public, or for tests alone.
const NOT_COVERED: &[&str] =
    &["audit", "cli", "doc_tables", "main", "process", "settings", "sink", "test_util", "trials"];

/// Names of a file that come from other crates, as `crate::Name`.
type Foreign = BTreeMap<String, String>;

/// The dependencies by the names that code gives them.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let (_, table) = manifest.split_once("\n[dependencies]\n").expect("there are dependencies");
    let table = table.split("\n[").next().unwrap_or_default();
    let names = table.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name);
    names.filter(|name| !name.starts_with('#')).map(|name| name.replace('-', "_")).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// A name that a `use` declaration gives.
struct Use {
    path: String,
    name: String,
    /// Whether others of the crate may have it from here.
    is_handed_on: bool,
}

impl Use {
    fn head(&self) -> &str {
        self.path.split("::").next().unwrap_or_default()
    }

    fn last(&self) -> &str {
        self.path.rsplit("::").next().unwrap_or_default()
    }
}

fn uses(code: &str) -> Vec<Use> {
    let declarations = code.split(';').filter_map(|statement| {
        let at = statement.rfind("use ")?;
        let before = statement[..at].trim_end();
        let is_handed_on = before.ends_with("pub") || before.ends_with(')');
        let begins = before.is_empty() || before.ends_with(['}', ']', '{']);
        (begins || is_handed_on).then(|| (&statement[at + 4..], is_handed_on))
    });
    let declared = declarations.flat_map(|(tree, is_handed_on)| {
        expand(tree).into_iter().map(move |path| {
            let (path, name) = path.split_once(" as ").unwrap_or((&path, ""));
            let last = path.rsplit("::").next().unwrap_or_default();
            let name = if name.is_empty() { last } else { name };
            Use { path: path.trim().to_owned(), name: name.trim().to_owned(), is_handed_on }
        })
    });
    declared.collect()
}

/// The foreign names of a file; what the crate hands on from others counts, whoever imports it.
fn foreign(code: &str, crates: &BTreeSet<String>, handed_on: &Foreign) -> Foreign {
    let origin = |found: Use| {
        let (head, last) = (found.head(), found.last());
        let origin = match head {
            "crate" | "super" | "self" => handed_on.get(last)?.clone(),
            _ if crates.contains(head) => format!("{head}::{last}"),
            _ => return None,
        };
        Some((found.name, origin))
    };
    uses(code).into_iter().filter_map(origin).collect()
}

/// What files hand on of other crates.
fn handed_on(texts: &[String], crates: &BTreeSet<String>) -> Foreign {
    let found = texts.iter().flat_map(|text| uses(text));
    let found = found.filter(|found| found.is_handed_on && crates.contains(found.head()));
    found.map(|found| (found.name.clone(), format!("{}::{}", found.head(), found.last()))).collect()
}

/// The text up to the first of `ends` that is in no bracket.
fn until<'a>(text: &'a str, ends: &[char]) -> &'a str {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            _ if depth == 0 && ends.contains(&c) => return &text[..at],
            '(' | '[' | '<' | '{' => depth += 1,
            '>' if text[..at].ends_with('-') => {}
            ')' | ']' | '>' | '}' => depth -= 1,
            _ => {}
        }
    }
    text
}

/// What of an item somebody outside can name: all of it but bodies and what is private.
fn face(item: &str) -> String {
    let mut words = words(item).filter(|word| !["async", "const", "unsafe"].contains(word));
    let (kind, head) = (words.next().unwrap_or_default(), until(item, &['{', ';', '=']));
    let block = item[head.len()..].strip_prefix('{').map_or("", |rest| until(rest, &['}']));
    match kind {
        "enum" | "trait" => format!("{head} {block}"),
        // An alias is what it stands for.
        "type" => until(item, &[';']).to_owned(),
        "struct" => match head.split_once('(') {
            Some((name, fields)) => format!("{name} {}", public_fields(until(fields, &[')']))),
            None => format!("{head} {}", public_fields(block)),
        },
        "fn" | "static" => head.to_owned(),
        // A constant: the first word left is its name.
        _ if item.starts_with("const ") => head.to_owned(),
        // A field, which is looked at with its struct; a module, a declaration.
        _ => String::new(),
    }
}

fn public_fields(mut fields: &str) -> String {
    let mut public = String::new();
    while !fields.is_empty() {
        let field = until(fields, &[',']);
        fields = fields.get(field.len() + 1..).unwrap_or_default();
        // Attributes may stand before it.
        if field.lines().any(|line| line.trim_start().starts_with("pub ")) {
            public.push_str(field);
            public.push(' ');
        }
    }
    public
}

/// The public items of a file, from `pub` on without it, with the attributes before them.
fn public_items(code: &str) -> impl Iterator<Item = (&str, &str)> {
    let starts = code.match_indices("pub ").filter(|(at, _)| {
        let line = code[..*at].rsplit('\n').next().unwrap_or_default();
        line.trim().is_empty()
    });
    starts.map(|(at, _)| {
        let before = code[..at].rfind(['}', ';', '{']).map_or(0, |end| end + 1);
        (&code[before..at], &code[at + 4..])
    })
}

/// The names of the types that a file declares as public.
fn public_types(code: &str) -> BTreeSet<String> {
    let items = public_items(code).filter_map(|(_, item)| {
        let mut words = words(item);
        let kind = words.next()?;
        ["struct", "enum"].contains(&kind).then(|| words.next().map(str::to_owned))?
    });
    items.collect()
}

/// Every foreign type or trait in the public face of a file.
fn found_in(
    code: &str,
    crates: &BTreeSet<String>,
    handed_on: &Foreign,
    types: &BTreeSet<String>,
) -> BTreeSet<String> {
    let names = foreign(code, crates, handed_on);
    let mut found = BTreeSet::new();
    let mut look = |text: &str| {
        found.extend(words(text).filter_map(|word| names.get(word).cloned()));
        // And what is named by its path in place.
        for path in text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':') {
            let (head, last) =
                (path.split("::").next().unwrap_or_default(), path.rsplit("::").next());
            if path.contains("::") && crates.contains(head) {
                found.insert(format!("{head}::{}", last.unwrap_or_default()));
            }
        }
    };
    for (attributes, item) in public_items(code) {
        look(&face(item));
        let derived = attributes.split("derive(").skip(1);
        derived.for_each(|list| look(until(list, &[')'])));
    }
    for (at, _) in code.match_indices("impl") {
        let header = until(&code[at..], &['{', ';']);
        let Some((of, whom)) = header.split_once(" for ") else { continue };
        let begins = code[..at].rsplit('\n').next().unwrap_or_default().is_empty();
        if begins && words(whom).any(|word| types.contains(word)) {
            look(of);
        }
    }
    found
}

/// The types of the table in docs/stability.md. A name without a crate is of the one before it.
fn listed(document: &str) -> BTreeSet<String> {
    let (_, table) = document.split_once("### Types of other crates").expect("there is a table");
    let table = table.split("\n#").next().unwrap_or_default();
    let mut listed = BTreeSet::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cell = row.split('|').nth(1).unwrap_or_default();
        let mut of = "";
        for name in cell.split('`').skip(1).step_by(2) {
            of = name.split_once("::").map_or(of, |(head, _)| head);
            listed.insert(format!("{of}::{}", name.rsplit("::").next().unwrap_or_default()));
        }
    }
    listed
}

#[test]
fn no_other_crates_type_is_public_unless_it_is_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| fs::read_to_string(path).expect("it reads");
    let crates = dependencies(&read(&root.join("Cargo.toml")));
    assert!(crates.len() > 20 && crates.contains("futures_core"), "{crates:?}");
    let library = read(&root.join("src/lib.rs"));
    let public_rooms = library.lines().filter_map(|line| line.strip_prefix("pub mod "));
    let uncovered = public_rooms.filter_map(|name| name.split([';', ' ']).next());
    let uncovered: Vec<&str> = uncovered.filter(|name| NOT_COVERED.contains(name)).collect();
    assert_eq!(uncovered, ["test_util"], "what is public is promised");

    let mut files = Vec::new();
    paths(&root.join("src"), &mut files);
    let texts = files.iter().filter_map(|path| {
        let inside = path.strip_prefix(root.join("src")).expect("found below it");
        let room = inside.iter().next()?.to_str()?.trim_end_matches(".rs");
        let is_test = inside.iter().any(|part| part == "tests" || part == "tests.rs");
        (!is_test && !NOT_COVERED.contains(&room)).then(|| code(&read(path)))
    });
    let texts: Vec<String> = texts.collect();
    let handed_on = handed_on(&texts, &crates);
    let types: BTreeSet<String> = texts.iter().flat_map(|text| public_types(text)).collect();
    assert!(types.len() > 60, "only {} public types were found: the look is broken", types.len());
    let found: BTreeSet<String> =
        texts.iter().flat_map(|text| found_in(text, &crates, &handed_on, &types)).collect();
    let listed = listed(&read(&root.join("docs/stability.md")));
    let missing: Vec<&String> = found.difference(&listed).collect();
    assert!(missing.is_empty(), "public, and not in docs/stability.md: {missing:?}");
    let gone: Vec<&String> = listed.difference(&found).collect();
    assert!(gone.is_empty(), "in docs/stability.md, and not public: {gone:?}");
}

#[test]
fn the_look_finds_what_is_public_and_nothing_else() {
    let crates = ["tokio", "serde", "bytes", "smallvec", "hyper"].map(str::to_owned).into();
    let handed_on = Foreign::from([("Mutex".to_owned(), "parking_lot::Mutex".to_owned())]);
    for (text, expected) in [
        ("use bytes::Bytes;\npub fn a(b: &[Bytes; 2]) -> u8 { 0 }", &["bytes::Bytes"][..]),
        ("use bytes::Bytes;\npub fn a() {\n    let b: Bytes;\n}\nfn c(b: Bytes) {}", &[]),
        (
            "use bytes::{Buf, Bytes as B};\npub(crate) fn a(b: B) {}\npub fn c(b: impl Buf) {}",
            &["bytes::Buf"],
        ),
        ("pub async fn a(\n    b: tokio::net::TcpListener,\n) {\n}", &["tokio::TcpListener"]),
        ("use bytes::Bytes;\npub struct A {\n    pub b: u8,\n    c: Bytes,\n}", &[]),
        (
            "use bytes::Bytes;\npub struct A {\n    b: u8,\n    pub c: Vec<Bytes>,\n}",
            &["bytes::Bytes"],
        ),
        ("use smallvec::SmallVec;\npub struct A(SmallVec<[u8; 4]>);", &[]),
        ("use smallvec::SmallVec;\npub struct A(pub SmallVec<[u8; 4]>);", &["smallvec::SmallVec"]),
        ("use smallvec::SmallVec;\npub type A = SmallVec<[u8; 4]>;", &["smallvec::SmallVec"]),
        ("use bytes::Bytes;\npub enum A {\n    B { c: Bytes },\n}", &["bytes::Bytes"]),
        ("use bytes::Bytes;\npub trait A {\n    fn b(&self) -> Bytes;\n}", &["bytes::Bytes"]),
        (
            "use serde::Serialize;\n#[derive(Debug, Serialize)]\npub struct A;",
            &["serde::Serialize"],
        ),
        ("use serde::Serialize;\n#[derive(Debug, Serialize)]\nstruct A;", &[]),
        ("use hyper::body::Body;\npub struct A;\nimpl Body for A {\n}", &["hyper::Body"]),
        ("use hyper::body::Body;\nstruct A;\nimpl Body for A {\n}", &[]),
        ("use crate::base::sync::Mutex;\npub fn a(b: Mutex<u8>) {}", &["parking_lot::Mutex"]),
        ("use bytes::Bytes;\npub const A: Bytes = b();", &["bytes::Bytes"]),
        ("use std::sync::Mutex;\npub fn a(b: Mutex<u8>) {}", &[]),
    ] {
        let found = found_in(text, &crates, &handed_on, &public_types(text));
        assert_eq!(found.iter().collect::<Vec<_>>(), expected.to_vec(), "{text}");
    }
}
