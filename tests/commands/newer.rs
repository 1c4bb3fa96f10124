//! Would catch an older program that takes what a newer one wrote for damage: that sets it aside, makes
//! it anew or goes around it, or refuses it without a word of what it cannot read and what to do.
#![allow(clippy::disallowed_methods, reason = "the test copies and changes files")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::{SECRET, run, stockhold};

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Every file with its bytes, but for the one that is only locked.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => dirs.push(path),
                false if path.ends_with("lock") => {}
                false => drop(all.insert(path.clone(), std::fs::read(path).expect("it is read"))),
            }
        }
    }
    all
}

/// A directory that this program has had open and closed, with a file of each kind.
fn directory() -> TempDir {
    let dir = TempDir::new().expect("a directory");
    crate::fixture_v1::copy(&crate::fixture_v1::fixture().join("data"), dir.path());
    crate::fixture_v1::open(dir.path()).close().expect("it closes");
    let kept = dir.path().join("kept");
    std::fs::create_dir_all(&kept).expect("a directory");
    let mut bytes = [b"STKHKEPT", &1_u32.to_le_bytes()[..], &[7; 16], b"content"].concat();
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    std::fs::write(kept.join("somebody.kept"), bytes).expect("it is written");
    dir
}

/// The last file of a folder whose name begins so.
fn last(dir: &Path, folder: &str, begins: &str) -> PathBuf {
    let mut names: Vec<_> = std::fs::read_dir(dir.join(folder)).expect("a directory").collect();
    names.sort_by_key(|entry| entry.as_ref().expect("an entry").file_name());
    let path = names.into_iter().map(|entry| entry.expect("an entry").path()).rfind(|path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(begins))
    });
    path.expect("there is one")
}

/// Raises the version behind the magic of a file, as a newer program would write it: with a checksum
/// that holds.
fn raise(path: &Path, magic_bytes: usize, sealed: Option<usize>, version: u32) {
    let mut bytes = std::fs::read(path).expect("it is read");
    bytes[magic_bytes] = version as u8;
    let end = sealed.unwrap_or(bytes.len()) - 4;
    let crc = crc32c::crc32c(&bytes[..end]);
    bytes[end..end + 4].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(path, bytes).expect("it is written");
}

#[test]
fn a_directory_of_a_newer_program_is_refused_by_name_and_left_as_it_is() {
    let dir = directory();
    let at = dir.path();
    let kinds = [
        ("the identity of a directory", at.join("identity"), 8, None, 2),
        ("a segment of the journal", last(at, "journal", "segment-"), 8, Some(4096), 2),
        ("a snapshot", last(at, "checkpoint", "snapshot-"), 8, Some(40), 3),
        ("a claim", at.join("claims/mirror.claim"), 8, None, 3),
        ("what a follower keeps", at.join("kept/somebody.kept"), 8, None, 2),
        ("the manifest of history", at.join("store.manifest"), 7, None, 5),
    ];
    let target = at.join("../backup-of-newer");
    for (what, path, magic_bytes, sealed, version) in kinds {
        let before = std::fs::read(&path).expect("it is read");
        raise(&path, magic_bytes, sealed, version);
        let left = files(at);
        let data = ["--data-dir", text(at)];
        for (args, by) in [
            (vec!["serve", "--check-config"], "the check of settings"),
            (vec!["serve", "--listen", "127.0.0.1:0"], "serve"),
            (vec!["points", "import", "/dev/null", "--batch", "none"], "an import"),
        ] {
            let mut command = stockhold(&args);
            let (code, printed, log) = run(command.args(data).env("STOCKHOLD_AUTH_SECRET", SECRET));
            assert_eq!(code, 1, "{by}, {what}: {printed}{log}");
            check_told(&log, what, &path, version);
        }
        for args in [
            vec!["verify", text(at)],
            vec!["inspect", text(at)],
            vec!["state", text(at)],
            vec!["backup", text(at), "--to", text(&target)],
        ] {
            let (code, printed, log) = run(&mut stockhold(&args));
            assert_eq!(code, 1, "{args:?}, {what}: {printed}{log}");
            check_told(&log, what, &path, version);
        }
        assert!(files(at) == left, "{what}: something was changed");
        std::fs::write(&path, before).expect("it is written");
    }
    // Everything is there still, and goes on.
    assert!(!target.exists());
    let (code, printed, log) = run(&mut stockhold(&["verify", text(at)]));
    assert_eq!(code, 0, "{printed}{log}");
    crate::fixture_v1::open(at).close().expect("it opens");
}

#[track_caller]
fn check_told(log: &str, what: &str, path: &Path, version: u32) {
    let reads =
        format!("of version {version}, and this program reads up to version {}", version - 1);
    for part in [text(path), what, &reads, "a newer program wrote it", "Nothing was changed"] {
        assert!(log.contains(part), "{part}: {log}");
    }
}

#[test]
fn a_backup_of_a_newer_program_is_refused_and_left_as_it_is() {
    let dir = directory();
    let outside = TempDir::new().expect("a directory");
    let (to, restored) = (outside.path().join("backup"), outside.path().join("restored"));
    let (code, printed, log) =
        run(&mut stockhold(&["backup", text(dir.path()), "--to", text(&to)]));
    assert_eq!(code, 0, "{printed}{log}");
    let head = to.join("backup.json");
    let now = std::fs::read_to_string(&head).expect("it is read");
    let newer = now.replace("\"version\": 1", "\"version\": 2");
    assert_ne!(now, newer);
    std::fs::write(&head, newer).expect("it is written");
    let left = files(&to);
    for args in [
        vec!["backup", text(dir.path()), "--to", text(&to)],
        vec!["backup", "--to", text(&to), "--list"],
        vec!["backup", "--to", text(&to), "--check"],
        vec!["restore", text(&restored), "--from", text(&to)],
    ] {
        let (code, printed, log) = run(&mut stockhold(&args));
        assert_eq!(code, 1, "{args:?}: {printed}{log}");
        for part in ["of version 2", "knows version 1", "a newer program wrote it"] {
            assert!(log.contains(part), "{args:?}: {log}");
        }
    }
    assert!(files(&to) == left && !restored.exists(), "something was changed");
}
