//! Would catch an account that the mall keeps under a name of its own, and that the generic API lets
//! anybody change: `mall::is_of_mall` knows such names by how they begin.

#![allow(clippy::disallowed_methods, reason = "a test reads the sources")]

use super::sources::texts;

#[test]
fn the_mall_names_its_own_kinds_so_that_they_are_known() {
    let mut seen = 0;
    let all = texts("src/mall");
    for (path, text) in &all {
        // Tests make accounts of others.
        if path.ends_with("tests.rs") {
            continue;
        }
        for rest in text.split("AccountKey::custom(").skip(1) {
            let argument = rest.split(',').next().unwrap_or_default().trim();
            let declared = format!("const {argument}: &str = \"");
            let name = match argument.strip_prefix('"') {
                Some(literal) => literal.trim_end_matches('"'),
                // It may be declared in another file.
                None => all
                    .iter()
                    .find_map(|(_, text)| text.split_once(&declared)?.1.split('"').next())
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
