//! Would catch a test that `docs/safety.md` names as a guard, and that was renamed or is gone.

#![allow(clippy::disallowed_methods, reason = "a test reads the sources and the documents")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The module or function of the crate with this path.
fn is_in_the_crate(path: &str) -> bool {
    let (mut dir, mut source) = (root().join("src"), String::new());
    path.split("::").all(|name| {
        let (file, below) = (dir.join(format!("{name}.rs")), dir.join(name));
        if file.is_file() || below.is_dir() {
            source = text(&file) + &text(&below.join("mod.rs"));
            dir = below;
            return true;
        }
        source.contains(&format!("mod {name} {{")) || source.contains(&format!("fn {name}("))
    })
}

/// Whether any source below `dir` has a function with this name.
fn has_function(dir: &Path, name: &str) -> bool {
    let entries = fs::read_dir(dir).expect("the directory is there");
    entries.map(|entry| entry.expect("an entry reads").path()).any(|path| match path.is_dir() {
        true => has_function(&path, name),
        false => text(&path).contains(&format!("fn {name}(")),
    })
}

fn is_a_name(quoted: &str) -> bool {
    quoted.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_:".contains(&b))
}

#[test]
fn every_guard_is_there() {
    let document = text(&root().join("docs/safety.md"));
    let (mut guards, mut gone) = (0, Vec::new());
    for quoted in document.split('`').skip(1).step_by(2) {
        let there = if quoted.starts_with("tests/") {
            root().join(quoted).exists()
        } else if is_a_name(quoted) && quoted.contains("::") {
            is_in_the_crate(quoted)
        } else if is_a_name(quoted) && quoted.matches('_').count() > 3 {
            has_function(&root().join("src"), quoted) || has_function(&root().join("tests"), quoted)
        } else {
            continue;
        };
        guards += 1;
        if !there {
            gone.push(quoted);
        }
    }
    assert!(guards > 80, "only {guards} guards were found: the look is broken");
    assert!(gone.is_empty(), "docs/safety.md names what is not there: {gone:#?}");
}
