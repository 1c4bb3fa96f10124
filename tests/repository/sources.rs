//! The sources, for the tests that read them.

#![allow(clippy::disallowed_methods, reason = "a test reads the sources")]

use std::fs;
use std::path::{Path, PathBuf};

/// The sources below a directory.
pub(super) fn paths(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("the sources are readable") {
        let path = entry.expect("the sources are readable").path();
        if path.is_dir() {
            paths(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The sources below a directory of the repository, with their text.
pub(super) fn texts(dir: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    paths(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), &mut found);
    assert!(found.len() > 20, "only {} sources in {dir}: the look is broken", found.len());
    let text = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a source is UTF-8");
        (path, text)
    };
    found.into_iter().map(text).collect()
}
