//! Follows the journal by sequence number: live segments first to last, before them the archive.

use std::sync::Arc;

use super::archive::{ArchiveReader, Archived};
use super::frame::{self, Frame};
use super::segment::{HEADER_BYTES, Segment};
use super::store::SegmentStore;
use super::window::Window;
use super::{Commit, EachRecord, Journal};
use crate::base::Seq;
use crate::base::error::{Error, ErrorKind, Result};
use crate::event::branch::Mark;

/// A place in the journal. Between calls it holds no segment back: who must not miss anything sets
/// a pin.
pub(crate) struct Reader {
    commit: Arc<Commit>,
    store: Arc<SegmentStore>,
    /// The next record to deliver.
    next_seq: Seq,
    live: Position,
    window: Window,
    archive: Option<ArchiveReader>,
    /// The last record that was delivered.
    marked: Option<(Seq, Mark)>,
    /// The last record of a file of the archive that turned out to be damaged.
    damaged_through: Option<Seq>,
}

/// The start of frame `seq` in segment `index`.
#[derive(Clone, Copy, Default)]
struct Position {
    index: u64,
    offset: u64,
    seq: Seq,
}

impl Reader {
    pub(super) fn new(journal: &Journal, from_seq: Seq) -> Result<Self> {
        let reader = Self {
            commit: Arc::clone(&journal.commit),
            store: Arc::clone(&journal.store),
            next_seq: from_seq.max(1),
            live: Position::default(),
            window: Window::default(),
            archive: None,
            marked: None,
            damaged_through: None,
        };
        let oldest_seq = reader.store.files.lock().oldest_seq();
        if reader.next_seq < oldest_seq {
            Err(gone(reader.next_seq, oldest_seq))
        } else {
            Ok(reader)
        }
    }

    /// The next record this reader delivers.
    pub(crate) fn next_seq(&self) -> Seq {
        self.next_seq
    }

    /// The last record that was delivered, and what tells it from others with its number.
    pub(crate) fn marked(&self) -> Option<(Seq, Mark)> {
        self.marked
    }

    /// Where the next record is in a file of the archive that is damaged: the last record of that
    /// file.
    pub(crate) fn damaged_through(&self) -> Option<Seq> {
        self.damaged_through
    }

    /// Delivers durable records in order until `bytes_max` of them are reached, at least one if
    /// there is one; returns how many. Never waits: 0 means that all that is durable was delivered.
    /// After an error the next call starts with the record that was not delivered.
    ///
    /// # Errors
    /// `NotFound` naming the oldest record there is when the next one is gone, `Corrupt` when it is
    /// damaged, `Unavailable` when it cannot be read, and those of `each`.
    pub(crate) fn next_batch(
        &mut self,
        bytes_max: usize,
        each: &mut EachRecord<'_>,
    ) -> Result<usize> {
        // Taken once, before anything is read: a frame below it is whole in whatever is read from
        // now on.
        let durable = self.commit.durable_seq();
        // What stands in it was read when less was durable.
        self.window.clear();
        let mut batch = Batch { bytes_left: bytes_max.max(1), count: 0, each };
        while self.next_seq <= durable && batch.bytes_left > 0 {
            let found = self.store.files.lock().segment_of(self.next_seq);
            match found {
                Some((segment, end_seq)) => {
                    self.read_live(&segment, end_seq.min(durable + 1), &mut batch)?
                }
                None => self.read_archive(durable, &mut batch)?,
            }
        }
        Ok(batch.count)
    }

    fn read_live(&mut self, segment: &Segment, end_seq: Seq, batch: &mut Batch<'_>) -> Result<()> {
        self.archive = None;
        if self.live.index != segment.header.index
            || self.live.seq > self.next_seq
            || self.live.seq == 0
        {
            let (index, seq) = (segment.header.index, segment.header.first_seq);
            self.live = Position { index, offset: HEADER_BYTES as u64, seq };
            self.window.clear();
        }
        let seed = segment.header.seed();
        while self.live.seq < end_seq && batch.bytes_left > 0 {
            let Position { offset, seq, .. } = self.live;
            let frame = frame::verify(self.window.frame_at(segment, offset)?, seed)
                .filter(|frame| frame.seq == seq);
            let frame = frame.ok_or_else(|| SegmentStore::damaged(segment, offset, seq))?;
            if seq >= self.next_seq {
                batch.deliver(&frame)?;
                self.marked = Some((seq, segment.header.mark(&frame)));
                self.next_seq = seq + 1;
            }
            self.live.offset += frame.bytes as u64;
            self.live.seq += 1;
        }
        Ok(())
    }

    fn read_archive(&mut self, durable: Seq, batch: &mut Batch<'_>) -> Result<()> {
        let mut archive = match self.archive.take() {
            Some(archive) if (archive.next_seq()..=archive.last_seq).contains(&self.next_seq) => {
                archive
            }
            _ => self.open_archive()?,
        };
        let last_seq = archive.last_seq;
        let end_seq = archive.last_seq.min(durable) + 1;
        let header = archive.header;
        while archive.next_seq() < end_seq && batch.bytes_left > 0 {
            let frame = archive.next_frame().inspect_err(|error| {
                self.damaged_through =
                    Some(last_seq).filter(|_| error.kind() == ErrorKind::Corrupt);
            })?;
            if frame.seq >= self.next_seq {
                // On an error the archive is dropped, and the next call opens it anew at this
                // record.
                batch.deliver(&frame)?;
                self.marked = Some((frame.seq, header.mark(&frame)));
                self.next_seq = frame.seq + 1;
            }
        }
        self.archive = Some(archive);
        Ok(())
    }

    fn open_archive(&mut self) -> Result<ArchiveReader> {
        let (found, oldest_seq) = {
            let files = self.store.files.lock();
            let holds =
                |file: &&Archived| (file.first_seq..=file.last_seq).contains(&self.next_seq);
            (files.archived.iter().find(holds).cloned(), files.oldest_seq())
        };
        let archived = found.ok_or_else(|| gone(self.next_seq, oldest_seq))?;
        ArchiveReader::open(&*self.store.vfs, &self.store.archive_dir, &archived).inspect_err(
            |error| {
                self.damaged_through =
                    Some(archived.last_seq).filter(|_| error.kind() == ErrorKind::Corrupt);
            },
        )
    }
}

fn gone(seq: Seq, oldest_seq: Seq) -> Error {
    Error::not_found(format!(
        "record {seq} is no longer in the journal; the oldest there is has the number {oldest_seq}"
    ))
}

struct Batch<'a> {
    bytes_left: usize,
    count: usize,
    each: &'a mut EachRecord<'a>,
}

impl Batch<'_> {
    fn deliver(&mut self, frame: &Frame<'_>) -> Result<()> {
        (self.each)(frame.seq, frame.kind, frame.payload)?;
        self.bytes_left = self.bytes_left.saturating_sub(frame.bytes);
        self.count += 1;
        Ok(())
    }
}
