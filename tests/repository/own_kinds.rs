//! Would catch an account that the mall keeps under a name of its own, and that the generic API lets
//! anybody change: `mall::is_of_mall` knows such names by how they begin.

#![allow(clippy::disallowed_methods, reason = "a test reads the sources")]

use std::fs;
use std::path::{Path, PathBuf};

fn collect(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(dir).expect("the sources are readable") {
        let path = entry.expect("the sources are readable").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source is UTF-8");
            found.push((path, text));
        }
    }
}

#[test]
fn the_mall_names_its_own_kinds_so_that_they_are_known() {
    let mut sources = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/mall"), &mut sources);
    let mut seen = 0;
    for (path, text) in &sources {
        // Tests make accounts of others.
        if path.ends_with("tests.rs") {
            continue;
        }
        for rest in text.split("AccountKey::custom(").skip(1) {
            let argument = rest.split(',').next().unwrap_or_default().trim();
            let declared = format!("const {argument}: &str = \"");
            let name = match argument.strip_prefix('"') {
                Some(literal) => literal.trim_end_matches('"'),
                None => text
                    .split_once(&declared)
                    .and_then(|(_, rest)| rest.split('"').next())
                    .unwrap_or_else(|| panic!("{}: what is {argument}?", path.display())),
            };
            let first = name.split_once('-').map(|(first, _)| first);
            assert!(
                matches!(first, Some("stock" | "points" | "quota" | "mall")),
                "{}: the kind {name} is the mall's, and nobody can see that",
                path.display()
            );
            seen += 1;
        }
    }
    assert!(seen >= 2, "only {seen} kinds were found: the look is broken");
}
