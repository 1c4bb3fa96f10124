//! Would catch an import that points up, or sideways between what may not know each other: the
//! levels are those of `docs/architecture.md`, "Modules and the direction of imports".

#![allow(clippy::disallowed_methods, reason = "a test reads the sources")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use super::sources::paths;

/// The level whose modules know events, and never each other.
const SIBLINGS: u8 = 2;
/// What the auditor must not share a line with.
const JUDGED: [&str; 3] = ["ledger", "journal", "engine"];

/// Each module of the crate's root with its level, as the document's table has them.
static LEVELS: LazyLock<BTreeMap<String, u8>> = LazyLock::new(|| {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let text = fs::read_to_string(document).expect("the document reads");
    let (_, table) =
        text.split_once("\n## Modules").expect("the document has a chapter of modules");
    let (table, _) = table.split_once("\n## ").expect("another follows it");
    // The module's name is the text of a link.
    let row = |line: &str| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        let (level, module) = (cells.next()?.parse().ok()?, cells.next()?);
        Some((module.split('`').nth(1)?.to_owned(), level))
    };
    table.lines().filter_map(row).collect()
});

fn level(module: &str) -> Option<u8> {
    LEVELS.get(module).copied()
}

/// Why `from` must not import `to`; `None` when it may.
fn objection(from: &str, to: &str) -> Option<String> {
    let Some(from_level) = level(from) else {
        return Some(format!("module `{from}` has no level"));
    };
    let Some(to_level) = level(to) else {
        // The root re-exports every level: what is imported through it cannot be held to the table.
        return Some(format!(
            "`crate::{to}` is no module with a level; name the module it lives in"
        ));
    };
    if from == to {
        None
    } else if to_level > from_level {
        Some(format!(
            "`{from}` (level {from_level}) imports upwards from `{to}` (level {to_level})"
        ))
    } else if from_level == SIBLINGS && to_level == SIBLINGS {
        Some(format!("`{from}` imports `{to}` beside it: these know events, and never each other"))
    } else if from == "audit" && JUDGED.contains(&to) {
        Some(format!("`{from}` imports `{to}`, which it is to judge"))
    } else {
        None
    }
}

/// The first path segments after every `crate::` in a source text, comments apart.
fn imports(source: &str) -> Vec<String> {
    let code: Vec<&str> =
        source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let after = code.split("crate::").skip(1);
    after
        .flat_map(|rest| {
            if let Some(group) = rest.strip_prefix('{') {
                group_heads(group)
            } else {
                vec![head(rest)]
            }
        })
        .collect()
}

fn head(path: &str) -> String {
    let path = path.trim_start();
    if path.starts_with('*') {
        return "*".to_owned();
    }
    path.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// The heads of `a::b, c::{d, e}}...`, up to the brace that closes the group.
fn group_heads(group: &str) -> Vec<String> {
    let (mut heads, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                heads.push(head(&group[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

/// The module of the crate's root that a file belongs to: the first part of its path.
fn module(file: &Path) -> String {
    let first = file.iter().next().expect("a source has a name").to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn imports_point_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    paths(&root, &mut files);
    files.sort();
    let (mut objections, mut seen) = (Vec::new(), 0);
    for path in files {
        let file = path.strip_prefix(&root).expect("found below the root");
        // The root re-exports every level and is above them all; tests look from above.
        let is_test = file.iter().any(|part| part == "tests") || file.ends_with("tests.rs");
        if file == Path::new("lib.rs") || is_test {
            continue;
        }
        let source = fs::read_to_string(&path).expect("the sources are readable");
        for import in imports(&source) {
            seen += 1;
            let objection = objection(&module(file), &import);
            objections
                .extend(objection.map(|objection| format!("src/{}: {objection}", file.display())));
        }
    }
    assert!(seen > 50, "only {seen} imports were found: the look is broken");
    assert!(objections.is_empty(), "{}", objections.join("\n"));
}

/// Every module of the root has a row, and every row a module.
#[test]
fn the_table_has_the_modules_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let entries = fs::read_dir(root).expect("the sources are readable");
    let names = entries.map(|entry| module(Path::new(&entry.expect("an entry").file_name())));
    let modules: BTreeSet<String> = names.filter(|name| name != "lib").collect();
    assert_eq!(modules, LEVELS.keys().cloned().collect());
}

#[test]
fn the_look_finds_what_it_should() {
    let source = "use crate::{base::{A, B}, vfs};\n// crate::http\nlet x = crate::event::Event;\nuse crate::*;";
    assert_eq!(imports(source), ["base", "vfs", "event", "*"]);
    for (from, to, allowed) in [
        ("ledger", "event", true),
        ("event", "ledger", false),
        ("ledger", "journal", false),
        ("journal", "event", true),
        ("journal", "ledger", false),
        ("history", "journal", false),
        ("sink", "mall", true),
        ("mall", "sink", false),
        ("engine", "sink", false),
        ("http", "sink", true),
        ("engine", "mall", false),
        ("audit", "event", true),
        ("audit", "ledger", false),
        ("audit", "journal", false),
        ("http", "mall", true),
        ("engine", "trials", false),
        ("http", "trials", false),
        ("trials", "cli", false),
        ("cli", "trials", true),
        ("base", "event", false),
        ("engine", "Outcome", false),
        ("surprise", "base", false),
    ] {
        assert_eq!(objection(from, to).is_none(), allowed, "{from} imports {to}");
    }
}
