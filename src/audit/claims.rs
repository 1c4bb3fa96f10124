//! Claims: for whom the journal is kept. One that does not read holds nothing, and one on records
//! that are not there proves that they are gone.

use std::path::{Path, PathBuf};

use super::finding::{Findings, Kind};
use super::frames::{u32_at, u64_at};
use super::journal::{names, read};
use crate::base::Seq;
use crate::base::error::Result;
use crate::vfs::Vfs;

const MAGIC: &[u8] = b"STKHCLAM";
/// By version: the length of a file, its checksum included.
const BYTES: [(u32, usize); 2] = [(1, 40), (2, 56)];
/// Where a claim of version 2, and the directory's identity, keep the number of the directory.
const DIRECTORY_IN_CLAIM: usize = 36;
const DIRECTORY_IN_IDENTITY: usize = 12;
const DIRECTORY_BYTES: usize = 16;

/// The first record that a claim holds, 0 for none.
pub(super) struct Claim {
    path: PathBuf,
    from_seq: Seq,
}

/// The claims of this directory. Those that came with the copy of another one hold nothing here.
///
/// # Errors
/// `Unavailable` when a file cannot be read. Damage is a finding.
pub(super) fn read_all(vfs: &dyn Vfs, dir: &Path, findings: &mut Findings) -> Result<Vec<Claim>> {
    let identity = read(vfs, &dir.join("identity"))?.unwrap_or_default();
    let here = identity.get(DIRECTORY_IN_IDENTITY..DIRECTORY_IN_IDENTITY + DIRECTORY_BYTES);
    let dir = dir.join("claims");
    let mut claims = Vec::new();
    for name in names(vfs, &dir)?.unwrap_or_default().iter().filter(|name| name.ends_with(".claim"))
    {
        let path = dir.join(name);
        // Given up or written anew meanwhile: an engine may be at work.
        let Some(bytes) = read(vfs, &path)? else {
            continue;
        };
        let Some(from_seq) = from_seq(&bytes) else {
            findings.add_in(
                Kind::Checksum,
                &path,
                0,
                "it is no claim: it holds nothing of the journal",
            );
            continue;
        };
        let made_in = bytes.get(DIRECTORY_IN_CLAIM..DIRECTORY_IN_CLAIM + DIRECTORY_BYTES);
        if made_in.is_none() || made_in == here {
            claims.push(Claim { path, from_seq });
        }
    }
    Ok(claims)
}

fn from_seq(bytes: &[u8]) -> Option<Seq> {
    let version = u32_at(bytes, 8)?;
    let known = BYTES.contains(&(version, bytes.len())) && bytes.starts_with(MAGIC);
    let (content, sum) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    (known && u32_at(sum, 0)? == crc32c::crc32c(content)).then(|| u64_at(bytes, 28)).flatten()
}

/// Holds the claims against where the journal ends.
pub(super) fn check(claims: &[Claim], last_seq: Seq, findings: &mut Findings) {
    for claim in claims.iter().filter(|claim| claim.from_seq > last_seq.saturating_add(1)) {
        let what = format!(
            "it is on records from {} on, and the journal ends at record {last_seq}: acknowledged records are missing",
            claim.from_seq
        );
        findings.add_in(Kind::Loss, &claim.path, 0, what);
    }
}
