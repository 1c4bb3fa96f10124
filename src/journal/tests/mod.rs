//! What the tests of the journal share.

#![allow(clippy::disallowed_methods, reason = "the tests damage files")]

mod bit_rot;
mod commit;
mod reading;
mod recovery;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Journal, JournalConfig};
use crate::base::Seq;
use crate::base::error::{Error, Result};
use crate::vfs::RealVfs;

const SEGMENT_BYTES: u64 = 16 << 10;

type Record = (Seq, u16, Vec<u8>);

fn config() -> JournalConfig {
    JournalConfig { segment_bytes: SEGMENT_BYTES, ..JournalConfig::default() }
}

fn open_from(
    dir: &Path,
    config: JournalConfig,
    from_seq: Seq,
) -> Result<(Arc<Journal>, Vec<Record>)> {
    let mut records = Vec::new();
    let journal =
        Journal::open(Arc::new(RealVfs), dir, config, from_seq, &mut |seq, kind, payload| {
            records.push((seq, kind, payload.to_vec()));
            Ok(())
        })?;
    Ok((journal, records))
}

fn open(dir: &Path) -> (Arc<Journal>, Vec<Record>) {
    open_from(dir, config(), 1).unwrap()
}

fn refused(dir: &Path) -> Error {
    open_from(dir, config(), 1).err().expect("the journal must not open")
}

/// A record that is different for each `seq`, and of another length than its neighbours.
fn record(seq: Seq) -> Record {
    let len = 20 + (seq * 7 % 90) as usize;
    (seq, (seq % 5) as u16, (0..len).map(|at| (seq as usize * 31 + at) as u8).collect())
}

fn records(seqs: std::ops::RangeInclusive<Seq>) -> Vec<Record> {
    seqs.map(record).collect()
}

fn append(journal: &Journal, seq: Seq) {
    let (_, kind, payload) = record(seq);
    journal.admit().unwrap();
    assert_eq!(journal.append(kind, |out| out.extend_from_slice(&payload)), seq);
}

/// Appends records as one group.
fn append_group(journal: &Journal, seqs: std::ops::RangeInclusive<Seq>) {
    let last = *seqs.end();
    seqs.for_each(|seq| append(journal, seq));
    journal.wait(last).unwrap();
}

fn append_singly(journal: &Journal, seqs: std::ops::RangeInclusive<Seq>) {
    seqs.for_each(|seq| append_group(journal, seq..=seq));
}

fn segment_path(dir: &Path, index: u64) -> PathBuf {
    dir.join("journal").join(super::segment::segment_name(index))
}

/// Waits for the recycler, which nobody else can wait for.
fn until(what: &str, reached: impl Fn() -> bool) {
    for _ in 0..20_000_000 {
        if reached() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("never came: {what}");
}
