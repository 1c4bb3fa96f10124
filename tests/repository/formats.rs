//! Would catch a version that is raised without a word in `docs/format.md`, and a document that names
//! another version than is written.

#![allow(clippy::disallowed_methods, reason = "a test reads the sources and the documents")]

use std::fs;
use std::path::Path;

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of a table's first `columns` columns, without its head.
fn rows(document: &str, heading: &str) -> Vec<Vec<String>> {
    let chapter = document.split(heading).nth(1).expect("the chapter is there");
    let lines = chapter.lines().skip_while(|line| !line.starts_with('|'));
    let table = lines.take_while(|line| line.starts_with('|')).skip(2);
    table
        .map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().into()).collect())
        .collect()
}

/// The value of an integer constant.
fn constant(source: &str, name: &str) -> Option<u64> {
    let definition = source.lines().find(|line| line.contains(&format!("const {name}: u")))?;
    definition.rsplit('=').next()?.trim().trim_end_matches(';').parse().ok()
}

#[test]
fn the_document_names_the_versions_that_are_written() {
    let rows = rows(&text("docs/format.md"), "\n## Versions\n");
    assert_eq!(
        rows.len(),
        8,
        "segment, events, identity, manifest, claim, kept, checkpoint, backup: {rows:?}"
    );
    for row in rows {
        let quoted: Vec<&str> = row[3].split('`').skip(1).step_by(2).collect();
        let [name, path] = quoted[..] else { panic!("a constant and a file: {row:?}") };
        let written = constant(&text(path), name);
        assert!(written.is_some(), "{path} has no constant {name}");
        // The kinds of events are several numbers, the last of which is named.
        let documented = row[1].rsplit(' ').next().and_then(|number| number.parse().ok());
        assert_eq!(documented, written, "{}: {path}", row[0]);
        assert!(row[2].ends_with(&row[1]) || row[2] == "all of them", "{row:?}");
    }
}
