//! Would catch a copy of a data directory that is taken for its original, by whoever follows it.

#![allow(clippy::disallowed_methods, reason = "the tests copy files")]

use std::fs;
use std::path::Path;

use super::*;
use crate::reader::DirectoryReader;

/// Copies a directory as people do.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it is made");
    for entry in fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it reads");
        if entry.file_type().expect("it reads").is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("it is copied");
        }
    }
}

#[test]
fn the_claims_of_a_copy_are_not_those_of_the_original() {
    let (original, copied) = (Fixture::new(), Fixture::new());
    let engine = original.open();
    stock(&engine, 10);
    let claim = engine.claim("mirror").expect("the disk works");
    claim.hold_from(1).expect("the disk works");
    let (id, identity) = (claim.id(), engine.identity());
    drop(claim);
    engine.close().expect("it closes");
    copy(original.dir.path(), copied.dir.path());

    let reader = DirectoryReader::open(copied.dir.path()).expect("it reads");
    assert_eq!(reader.claim_id("mirror").expect("it reads"), None, "nobody has opened the copy");
    assert_eq!(reader.identity().expect("it reads"), None);

    let engine = copied.open();
    assert!(engine.identity().directory != identity.directory, "it has an identity of its own");
    assert!(
        engine.claims().is_empty(),
        "whom the original keeps its journal for follows the original"
    );
    let claim = engine.claim("mirror").expect("the disk works");
    assert!(claim.id() != id && claim.from_seq().is_none(), "the mirror of the copy starts anew");
    let (copied_id, copied_identity) = (claim.id(), engine.identity());
    drop((claim, engine));
    let engine = copied.open();
    assert_eq!(
        engine.claim("mirror").expect("the disk works").id(),
        copied_id,
        "and goes on as itself"
    );
    assert_eq!(engine.identity().directory, copied_identity.directory);
    assert_eq!(engine.identity().epoch, copied_identity.epoch + 1);

    let engine = original.open();
    let claim = engine.claim("mirror").expect("the disk works");
    assert_eq!((claim.id(), claim.from_seq()), (id, Some(1)), "the original is as it was");
    assert_eq!(engine.identity().directory, identity.directory);
    let reader = DirectoryReader::open(original.dir.path()).expect("it reads");
    assert_eq!(reader.claim_id("mirror").expect("it reads"), Some(id));
    assert_eq!(reader.identity().expect("it reads"), Some(engine.identity()));
}

/// A claim on events that nobody can have seen would look like a journal that lost its end.
#[test]
fn a_claim_is_on_what_there_is() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    stock(&engine, 10);
    let claim = engine.claim("mirror").expect("the disk works");
    let durable_seq = engine.durable_seq();
    claim.hold_from(durable_seq + 1).expect("all of it was seen");
    let error = claim.hold_from(durable_seq + 2).expect_err("it is not there");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(claim.from_seq(), Some(durable_seq + 1));
}
