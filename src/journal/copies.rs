//! Copies of segments, for backups: what the archive would hold of one, and a segment made of it
//! again in another directory.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use lz4_flex::frame::{FrameDecoder, FrameEncoder};

use super::archive;
use super::scan::{FileKind, JournalFile, JournalScan};
use super::segment::{self, HEADER_BYTES, Header};
use super::{EachRecord, recovery};
use crate::base::Seq;
use crate::base::error::{Error, Result};
use crate::event::branch::Mark;
use crate::vfs::Vfs;

/// The largest segment there can be, with its header.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// Zeros are written in pieces of this size.
const FILL_BYTES: usize = 1 << 20;

/// A segment's header and its records up to one, all of which verify.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SegmentCopy {
    bytes: Vec<u8>,
    header: Header,
    last_seq: Seq,
    /// What tells the last record from others with its number.
    mark: Mark,
}

impl SegmentCopy {
    /// What `bytes`, a header and records behind it, holds up to the record `through`; `None` when
    /// not even the first record is there.
    ///
    /// # Errors
    /// What is wrong with the header, in words.
    fn read(mut bytes: Vec<u8>, through: Seq) -> Result<Option<Self>, &'static str> {
        let header = Header::decode(&bytes)?;
        if header.segment_bytes > SEGMENT_BYTES_MAX {
            return Err("the segment is larger than any can be");
        }
        let mut mark = None;
        let walked = segment::walk(&bytes, &header, through.saturating_add(1), &mut |frame| {
            mark = Some(header.mark(frame));
            Ok(())
        });
        let reach = walked.map_err(|_| "its records cannot be counted")?;
        let Some(mark) = mark else { return Ok(None) };
        bytes.truncate(reach.offset);
        Ok(Some(Self { bytes, header, last_seq: reach.next_seq - 1, mark }))
    }

    /// The first record.
    pub(crate) fn first_seq(&self) -> Seq {
        self.header.first_seq
    }

    /// The last record.
    pub(crate) fn last_seq(&self) -> Seq {
        self.last_seq
    }

    /// What tells the last record from others with its number.
    pub(crate) fn mark(&self) -> Mark {
        self.mark
    }

    /// Compressed, as a file of the archive is.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be compressed.
    pub(crate) fn pack(&self) -> Result<Vec<u8>> {
        let mut encoder = FrameEncoder::with_frame_info(archive::frame_info(), Vec::new());
        encoder
            .write_all(&self.bytes)
            .and_then(|()| encoder.finish().map_err(std::io::Error::other))
            .map_err(|error| Error::io("compressing a segment", error))
    }

    /// What [`Self::pack`] made, which ends with the record `last_seq`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn unpack(packed: &[u8], last_seq: Seq) -> Result<Self, String> {
        let mut bytes = Vec::new();
        // The bound keeps a damaged file from asking for terabytes.
        let mut decoder = FrameDecoder::new(packed).take(SEGMENT_BYTES_MAX + 1);
        decoder.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        let found = Self::read(bytes, last_seq)?;
        // A frame of LZ4 that was cut between two of its blocks is read as if it were whole.
        found.filter(|copy| copy.last_seq == last_seq).ok_or_else(|| "records are missing".into())
    }

    /// Gives each record to `each`.
    ///
    /// # Errors
    /// Those of `each`.
    pub(crate) fn records(&self, each: &mut EachRecord<'_>) -> Result<()> {
        let walked = segment::walk(&self.bytes, &self.header, Seq::MAX, &mut |frame| {
            each(frame.seq, frame.kind, frame.payload)
        });
        walked.map(|_| ())
    }

    /// The same without the records behind `through`; `None` when that is before its first.
    pub(crate) fn cut(self, through: Seq) -> Option<Self> {
        Self::read(self.bytes, through).ok().flatten()
    }

    /// Puts it into the archive of the data directory `dir`.
    ///
    /// # Errors
    /// `Unavailable` when the file system fails.
    pub(crate) fn put_in_archive(&self, vfs: &dyn Vfs, dir: &Path) -> Result<()> {
        let archive_dir = dir.join("archive");
        archive::write(vfs, &archive_dir, &self.bytes, self.first_seq(), self.last_seq).map(|_| ())
    }

    /// Puts it into the journal of the data directory `dir`. Durable on return.
    ///
    /// # Errors
    /// `Unavailable` when the file system fails.
    pub(crate) fn put_in_journal(&self, vfs: &dyn Vfs, dir: &Path) -> Result<()> {
        let journal_dir = dir.join("journal");
        let path = journal_dir.join(segment::segment_name(self.header.index));
        let write = || {
            let file = vfs.create(&path)?;
            file.write_at(&self.bytes, 0)?;
            let zeros = vec![0; FILL_BYTES];
            let mut offset = self.bytes.len() as u64;
            while offset < self.header.segment_bytes {
                let len = (self.header.segment_bytes - offset).min(zeros.len() as u64);
                file.write_at(&zeros[..len as usize], offset)?;
                offset += len;
            }
            file.sync()?;
            vfs.sync_dir(&journal_dir)
        };
        write().map_err(|error| Error::io(format_args!("writing {}", path.display()), error))
    }
}

impl JournalScan {
    /// A copy of the first file whose last record is later than `after`: what it holds, up to the
    /// last record there was when it was looked. Durable where it is read, so that no crash takes
    /// back what is copied. `None` when there is nothing later.
    ///
    /// # Errors
    /// `NotFound` when the record after `after` is no longer kept, or the file was recycled
    /// meanwhile; `Corrupt` when it is damaged, `Unavailable` when it cannot be read.
    pub(crate) fn copy_after(&self, after: Seq) -> Result<Option<SegmentCopy>> {
        if after >= self.last_seq() {
            return Ok(None);
        }
        if after + 1 < self.oldest_seq() {
            return Err(Error::not_found(format!(
                "record {} is no longer kept: the oldest there is has the number {}",
                after + 1,
                self.oldest_seq()
            )));
        }
        let holds = |file: &&JournalFile| file.first_seq <= after + 1 && file.end_seq > after + 1;
        let files = self.files();
        let file = files.iter().find(holds).ok_or_else(|| {
            Error::not_found(format!("record {} is in no file of the journal", after + 1))
        })?;
        let (bytes, path) = (self.bytes_of(file)?, &file.path);
        let last_seq = file.end_seq - 1;
        let damaged = |what: &str| recovery::corrupt(path, HEADER_BYTES, what);
        let copy = SegmentCopy::read(bytes, last_seq).map_err(damaged)?;
        // What was recycled under the reader's hands begins elsewhere.
        let is_whole =
            |copy: &SegmentCopy| (copy.first_seq(), copy.last_seq) == (file.first_seq, last_seq);
        let whole = copy.filter(is_whole);
        whole.ok_or_else(|| damaged("records are missing")).map(Some)
    }

    fn bytes_of(&self, file: &JournalFile) -> Result<Vec<u8>> {
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Error::not_found(format!("{} is gone", file.path.display()))
            }
            _ => Error::io(format_args!("reading {}", file.path.display()), error),
        };
        let opened = self.vfs().open_read(&file.path).map_err(failed)?;
        let bytes = segment::read_all(&*opened, &file.path)?;
        match file.kind {
            FileKind::Archived => {
                let mut unpacked = Vec::new();
                let mut decoder = FrameDecoder::new(&*bytes).take(SEGMENT_BYTES_MAX + 1);
                match decoder.read_to_end(&mut unpacked) {
                    Ok(_) => Ok(unpacked),
                    Err(error) => Err(recovery::corrupt(&file.path, 0, &error.to_string())),
                }
            }
            FileKind::Sealed => Ok(bytes),
            FileKind::Last => {
                // After the look: all that it saw is durable then.
                opened.sync().map_err(failed)?;
                Ok(bytes)
            }
        }
    }
}

/// Makes the directories that segments are put into.
///
/// # Errors
/// `Unavailable` when the file system fails.
pub(crate) fn make_directories(vfs: &dyn Vfs, dir: &Path) -> Result<()> {
    let make = |path: PathBuf| {
        crate::vfs::create_dir_all(vfs, &path)
            .map_err(|error| Error::io(format_args!("creating {}", path.display()), error))
    };
    make(dir.join("journal"))?;
    make(dir.join("archive"))
}
