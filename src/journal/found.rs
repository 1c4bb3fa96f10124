//! A journal as it was found: read, judged, and not written to yet. What belongs to it can be
//! looked at before it goes on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive::ArchiveReader;
use super::recovery::{self, Recovered};
use super::segment::{self, Header};
use super::store::{Files, SegmentStore};
use super::{EachRecord, Journal, JournalConfig, archive};
use crate::base::Seq;
use crate::base::error::{Error, ErrorKind, Result};
use crate::event::branch::Mark;
use crate::vfs::directory::Directory;
use crate::vfs::{self, Vfs};

/// A journal that can go on.
pub(crate) struct FoundJournal {
    journal_dir: PathBuf,
    config: JournalConfig,
    recovered: Recovered,
    records: KeptRecords,
}

/// The records that a journal was found with. Whoever keeps this keeps their segments from being
/// recycled once the journal goes on.
#[derive(Clone)]
pub(crate) struct KeptRecords {
    vfs: Arc<dyn Vfs>,
    archive_dir: PathBuf,
    files: Files,
    next_seq: Seq,
}

impl FoundJournal {
    /// Reads the journal in `dir` (directories `journal` and `archive`), and calls `replay` with
    /// each record from `from_seq` on. No record is written.
    ///
    /// # Errors
    /// `Corrupt` when the files hold what no crash explains, or do not reach `from_seq`; `Invalid`
    /// for a segment size that is not allowed; `Unavailable` when the file system fails; and those
    /// of `replay`.
    pub(crate) fn find(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        config: JournalConfig,
        from_seq: Seq,
        replay: &mut EachRecord<'_>,
    ) -> Result<Self> {
        config.check()?;
        let from_seq = from_seq.max(1);
        let (journal_dir, archive_dir) = (dir.join("journal"), dir.join("archive"));
        for dir in [&journal_dir, &archive_dir] {
            vfs::create_dir_all(&*vfs, dir)
                .map_err(|error| Error::io(format_args!("creating {}", dir.display()), error))?;
        }
        let recovered = recovery::recover(&*vfs, &journal_dir, from_seq, replay)?;
        let next_seq = check_end(&journal_dir, recovered.next_seq, from_seq, config.restored)?;
        Self::with(vfs, dir, config, recovered, next_seq)
    }

    /// The journal in `dir`, whose segments were read.
    ///
    /// # Errors
    /// `Invalid` for a segment size that is not allowed; `Unavailable` when the file system fails.
    #[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
    pub(super) fn of(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        config: JournalConfig,
        recovered: Recovered,
    ) -> Result<Self> {
        config.check()?;
        let next_seq = recovered.next_seq.unwrap_or(1);
        Self::with(vfs, dir, config, recovered, next_seq)
    }

    fn with(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        config: JournalConfig,
        recovered: Recovered,
        next_seq: Seq,
    ) -> Result<Self> {
        let (journal_dir, archive_dir) = (dir.join("journal"), dir.join("archive"));
        let archived = archive::list(&*vfs, &archive_dir)?;
        let live = recovered.segments.iter().map(Arc::clone).collect();
        let files = Files { live, archived: archived.into(), ..Files::default() };
        let records = KeptRecords { vfs, archive_dir, files, next_seq };
        Ok(Self { journal_dir, config, recovered, records })
    }

    /// What is kept.
    pub(crate) fn records(&self) -> &KeptRecords {
        &self.records
    }

    /// The last record.
    pub(crate) fn last_seq(&self) -> Seq {
        self.records.last_seq()
    }

    /// Starts a fresh segment: what a torn write left behind can never meet new frames. The journal
    /// notices when `directory` is no longer its own.
    ///
    /// # Errors
    /// `Unavailable` when the file system fails.
    pub(crate) fn start(mut self, directory: Option<Arc<Directory>>) -> Result<Arc<Journal>> {
        self.recovered.rewrite_last_group()?;
        let KeptRecords { vfs, archive_dir, files, next_seq } = self.records;
        archive::remove_unfinished(&*vfs, &archive_dir)?;
        let store =
            SegmentStore::new(vfs, self.journal_dir, archive_dir, self.config, files, directory);
        // No segment is held back by what recovery had of it.
        drop(self.recovered);
        store.find_spares()?;
        Journal::begin(store, next_seq)
    }
}

impl KeptRecords {
    /// The last record.
    pub(crate) fn last_seq(&self) -> Seq {
        self.next_seq - 1
    }

    /// The oldest record from which everything up to the last can be read.
    pub(crate) fn oldest_seq(&self) -> Seq {
        if self.files.live.is_empty() { self.next_seq } else { self.files.oldest_seq() }
    }

    /// What tells a record from others with its number; `None` when the record is not kept, or
    /// cannot be read any more.
    ///
    /// # Errors
    /// `Unavailable` when the file system fails.
    pub(crate) fn mark_of(&self, seq: Seq) -> Result<Option<Mark>> {
        if seq > self.last_seq() {
            return Ok(None);
        }
        let mut mark = None;
        if let Some((segment, _)) = self.files.segment_of(seq) {
            let bytes = segment::read_all(&*segment.file, &segment.path)?;
            segment::walk(&bytes, &segment.header, seq + 1, &mut |frame| {
                mark = Some(segment.header.mark(frame)).filter(|_| frame.seq == seq);
                Ok(())
            })?;
            return Ok(mark);
        }
        let Some(mut archive) = self.archived(seq)? else {
            return Ok(None);
        };
        let header = archive.header;
        while archive.next_seq() <= seq {
            match archive.next_frame() {
                Ok(frame) => mark = Some(header.mark(&frame)),
                Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(mark)
    }

    /// The salt of the segment that holds a record; `None` as with [`KeptRecords::mark_of`].
    ///
    /// # Errors
    /// As [`KeptRecords::mark_of`].
    pub(crate) fn salt_of(&self, seq: Seq) -> Result<Option<u64>> {
        let salt = |header: Header| header.salt;
        match self.files.segment_of(seq).filter(|_| seq <= self.last_seq()) {
            Some((segment, _)) => Ok(Some(salt(segment.header))),
            None => Ok(self.archived(seq)?.map(|archive| salt(archive.header))),
        }
    }

    fn archived(&self, seq: Seq) -> Result<Option<ArchiveReader>> {
        let holds = |file: &&archive::Archived| (file.first_seq..=file.last_seq).contains(&seq);
        let Some(archived) = self.files.archived.iter().find(holds) else {
            return Ok(None);
        };
        match ArchiveReader::open(&*self.vfs, &self.archive_dir, archived) {
            Ok(archive) => Ok(Some(archive)),
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Where the new segment starts. A journal that ends before the record asked for has lost records
/// that were durable when the checkpoint was taken.
fn check_end(dir: &Path, next_seq: Option<Seq>, from_seq: Seq, restored: bool) -> Result<Seq> {
    match next_seq {
        Some(next_seq) if next_seq >= from_seq => Ok(next_seq),
        None if from_seq == 1 || restored => Ok(from_seq),
        _ => Err(Error::corrupt(format!(
            "the journal in {} ends before record {from_seq}, which the checkpoint expects next: acknowledged records are \
             missing. Put the missing segments back, or restore the directory from a backup. Nothing was changed. To go on \
             without them, `stockhold rebuild DIR --accept-loss` sets aside what shows them",
            dir.display()
        ))),
    }
}
