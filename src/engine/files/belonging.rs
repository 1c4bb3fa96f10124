//! Whether what a follower knows of a journal belongs to this one: of its own branch, and no more
//! than it has.

use std::fmt;

use crate::base::Seq;
use crate::base::error::{Error, Result};
use crate::history::{Belongs, Shown};
use crate::journal::KeptRecords;

/// Judges history. What another branch shows is another's; what goes beyond the end of this one was
/// acknowledged here, and is gone.
///
/// # Errors
/// `Corrupt` when it proves that acknowledged records are missing, `Unavailable` when the journal
/// cannot be read.
pub(in crate::engine) fn judge(journal: &KeptRecords, shown: &Shown) -> Result<Belongs> {
    let (watermark, last_seq) = (shown.watermark, journal.last_seq());
    if watermark > last_seq {
        return judge_ahead(journal, shown);
    }
    // Nothing is in it, or an earlier release wrote it, which did not say.
    if watermark == 0 || !shown.branch.is_marked(watermark) {
        return Ok(Belongs::Here);
    }
    let mark = journal.mark_of(watermark)?;
    Ok(match mark.and_then(|mark| shown.branch.ends_with(watermark, mark)) {
        Some(true) => Belongs::Here,
        Some(false) => Belongs::Elsewhere(format!(
            "it is of another journal: the event {watermark} that it shows is not the one that is here"
        )),
        None => Belongs::Elsewhere(format!(
            "nobody can say that it is of this journal: the event {watermark}, which it shows last, is no longer kept"
        )),
    })
}

/// Where the branches parted before the journal's end, the rest is another's. Otherwise it is the
/// end of this journal.
fn judge_ahead(journal: &KeptRecords, shown: &Shown) -> Result<Belongs> {
    let last_seq = journal.last_seq();
    if let Some((first, salt)) = shown.branch.segment_by(last_seq)
        && journal.salt_of(first)?.is_some_and(|here| here != salt)
    {
        return Ok(Belongs::Elsewhere(format!(
            "it is of another journal, which parted from this one before event {last_seq}"
        )));
    }
    Err(lost("history", shown.watermark, last_seq))
}

/// What `witness` shows was acknowledged, and the journal does not have it.
pub(in crate::engine) fn lost(witness: impl fmt::Display, shown: Seq, last_seq: Seq) -> Error {
    Error::corrupt(format!(
        "the journal ends at record {last_seq}, but {witness} shows record {shown}: acknowledged records are missing. Put \
         the missing segments back, or restore the directory from a backup. Nothing was changed. To go on without them, \
         `stockhold rebuild DIR --accept-loss` sets aside what shows them"
    ))
}
