//! The end of a journal that somebody else writes: read without its lock as records are written, and
//! taken over under the lock, so that nothing but what came last is read once more.
//!
//! A frame that verifies counts as written. The last group may not be synced yet; whoever takes the
//! journal over writes it once more, as every opening does.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::recovery::{self, Recovered, corrupt};
use super::scan::{self, Seen};
use super::segment::{self, HEADER_BYTES, Reach, Segment};
use super::window::Window;
use super::{EachRecord, FoundJournal, JournalConfig, frame};
use crate::base::Seq;
use crate::base::error::{Error, Result};
use crate::event::branch::Mark;
use crate::vfs::Vfs;

/// A place at the end of somebody else's journal.
pub(crate) struct JournalTail {
    vfs: Arc<dyn Vfs>,
    /// The data directory, and that of its segments.
    dir: PathBuf,
    journal_dir: PathBuf,
    /// The segments that were read, oldest first; the last is the one that is read now.
    read: Vec<Seen>,
    open: Segment,
    window: Window,
    /// Where the next frame is to begin, and where the group of the last one began.
    reach: Reach,
    group_offset: usize,
    /// The last record, and what tells it from others with its number.
    marked: Option<(Seq, Mark)>,
}

impl JournalTail {
    /// Reads the journal in `dir` as far as it goes, and gives each record from `from_seq` on.
    ///
    /// # Errors
    /// `NotFound` when there is no journal, or the record is no longer in a segment; `Corrupt` when
    /// the files hold what no crash explains, or changed while they were read; `Unavailable` when
    /// they cannot be read; and those of `each`.
    pub(crate) fn open(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        from_seq: Seq,
        each: &mut EachRecord<'_>,
    ) -> Result<Self> {
        let journal_dir = dir.join("journal");
        let segments = scan::list_segments(&*vfs, &journal_dir)?;
        let holds = segments.partition_point(|seen| seen.header.first_seq <= from_seq.max(1));
        let first = holds.checked_sub(1).and_then(|at| segments.get(at)).ok_or_else(|| {
            Error::not_found(format!("record {from_seq} is in no segment of {}", dir.display()))
        })?;
        let open = open_read(&*vfs, first)?;
        let mut tail = Self {
            reach: start(&open),
            read: segments[..holds].to_vec(),
            vfs,
            dir: dir.to_owned(),
            journal_dir,
            open,
            window: Window::default(),
            group_offset: HEADER_BYTES,
            marked: None,
        };
        tail.follow(&mut |seq, kind, payload| match seq >= from_seq {
            true => each(seq, kind, payload),
            false => Ok(()),
        })?;
        Ok(tail)
    }

    /// The last record that was read; 0 before the first.
    pub(crate) fn last_seq(&self) -> Seq {
        self.reach.next_seq - 1
    }

    /// What tells the last record from others with its number; `None` when it is in none of the
    /// segments that were read.
    pub(crate) fn mark(&self) -> Option<Mark> {
        self.marked.map(|(_, mark)| mark)
    }

    /// Gives the records that were written since; returns how many. After an error of `each` the
    /// next call begins with the record that it was about.
    ///
    /// # Errors
    /// `NotFound` when the journal went on so far that what was read last is gone, and those of
    /// [`JournalTail::open`].
    pub(crate) fn follow(&mut self, each: &mut EachRecord<'_>) -> Result<u64> {
        let before = self.reach.next_seq;
        loop {
            // What stands in it may have been read before it was written.
            self.window.clear();
            self.read_open(each)?;
            let Some(next) = self.next_segment()? else {
                return Ok(self.reach.next_seq - before);
            };
            if next.header.first_seq > self.reach.next_seq {
                // Its writer was at its end before it began the next one: now all of it is there.
                self.window.clear();
                self.read_open(each)?;
            }
            if next.header.first_seq != self.reach.next_seq {
                let seq = self.reach.next_seq;
                let first_seq = next.header.first_seq;
                let what =
                    format!("record {seq} is expected, and the next segment begins at {first_seq}");
                return Err(corrupt(&self.open.path, self.reach.offset, &what));
            }
            self.open = open_read(&*self.vfs, &next)?;
            self.read.push(next);
            (self.reach, self.group_offset) = (start(&self.open), HEADER_BYTES);
        }
    }

    /// Reads the open segment until no frame verifies.
    fn read_open(&mut self, each: &mut EachRecord<'_>) -> Result<()> {
        let header = self.open.header;
        loop {
            let Reach { offset, next_seq } = self.reach;
            let bytes = self.window.frame_at(&self.open, offset as u64)?;
            let found = frame::verify(bytes, header.seed()).filter(|frame| frame.seq == next_seq);
            let Some(frame) = found else { return Ok(()) };
            each(frame.seq, frame.kind, frame.payload)?;
            if frame.group_first == frame.seq {
                self.group_offset = offset;
            }
            self.marked = Some((frame.seq, header.mark(&frame)));
            self.reach = Reach { offset: offset + frame.bytes, next_seq: next_seq + 1 };
        }
    }

    /// The segment after the open one, if it was begun.
    fn next_segment(&self) -> Result<Option<Seen>> {
        let path = self.journal_dir.join(segment::segment_name(self.open.header.index + 1));
        match self.vfs.has(&path) {
            Ok(true) => {
                let header = scan::read_header(&*self.vfs, &path)?;
                Ok(Some(Seen { path, header }))
            }
            // The oldest is recycled first: while the open one is there, the next is not gone.
            Ok(false) => match scan::read_header(&*self.vfs, &self.open.path)? {
                header if header == self.open.header => Ok(None),
                _ => Err(Error::not_found(format!("{} was recycled", self.open.path.display()))),
            },
            Err(error) => Err(reading(&path, error)),
        }
    }

    /// Takes the journal over, to its end. The caller holds the lock of the directory. Segments that
    /// were read are not read again.
    ///
    /// # Errors
    /// As [`FoundJournal::find`], and `Corrupt` when the segments are not those that were read.
    pub(crate) fn take_over(
        mut self,
        config: JournalConfig,
        each: &mut EachRecord<'_>,
    ) -> Result<FoundJournal> {
        self.follow(each)?;
        let segments = self.reopen()?;
        let Reach { offset, next_seq } = self.reach;
        let last = segments.last().expect("the open segment is one of them");
        let read = |from: usize, through: Option<usize>| {
            let length = last.header.segment_bytes as usize;
            let mut bytes = vec![0; through.unwrap_or(length).saturating_sub(from)];
            let got = last.file.read_at(&mut bytes, from as u64);
            let got = got.map_err(|error| reading(&last.path, error))?;
            bytes.truncate(got);
            Ok::<_, Error>(bytes)
        };
        recovery::judge(&last.path, &last.header, &read(offset, None)?, self.reach, None)?;
        let group = read(self.group_offset, Some(offset))?;
        let recovered = Recovered::read_before(segments, next_seq, self.group_offset, group);
        FoundJournal::of(self.vfs, &self.dir, config, recovered)
    }

    /// Opens every segment for writing, and syncs it: see [`recovery::recover`].
    fn reopen(&self) -> Result<Vec<Arc<Segment>>> {
        let listed = scan::list_segments(&*self.vfs, &self.journal_dir)?;
        if listed.is_empty() || !self.read.ends_with(&listed) {
            return Err(Error::corrupt(format!(
                "the segments in {} are not those that were read",
                self.journal_dir.display()
            )));
        }
        self.vfs.sync_dir(&self.journal_dir).map_err(|error| reading(&self.journal_dir, error))?;
        let reopen = |Seen { path, header }: Seen| {
            let opened = self.vfs.open(&path).and_then(|file| file.sync().map(|()| file));
            let file = opened.map_err(|error| reading(&path, error))?;
            Ok(Arc::new(Segment { header, path, file }))
        };
        listed.into_iter().map(reopen).collect()
    }
}

fn start(segment: &Segment) -> Reach {
    Reach { offset: HEADER_BYTES, next_seq: segment.header.first_seq }
}

fn open_read(vfs: &dyn Vfs, seen: &Seen) -> Result<Segment> {
    let file = vfs.open_read(&seen.path).map_err(|error| reading(&seen.path, error))?;
    Ok(Segment { header: seen.header, path: seen.path.clone(), file })
}

fn reading(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::not_found(format!("{} is gone", path.display())),
        _ => Error::io(format_args!("reading {}", path.display()), error),
    }
}
