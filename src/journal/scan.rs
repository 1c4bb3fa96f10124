//! Journal and archive from outside: without the directory's lock, without changing anything, and
//! while their owner may go on writing, archiving and recycling.
//!
//! Files that change under the reader's hands are looked for again; what stays wrong is damage. A
//! frame that verifies counts as written. Of a journal whose owner runs, the last group may not be
//! synced yet.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::EachRecord;
use super::archive::{self, ArchiveReader, Archived};
use super::frame;
use super::recovery::{self, corrupt};
use super::segment::{self, HEADER_BYTES, Header};
use crate::base::Seq;
use crate::base::error::{Error, ErrorKind, Result};
use crate::event::branch::Mark;
use crate::vfs::{Vfs, read_start};

/// How often files that changed meanwhile are looked for again before what they show counts as
/// damage.
const TRIES_MAX: usize = 10;

/// What a file of the journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// In the archive, compressed.
    Archived,
    /// A segment that another follows.
    Sealed,
    /// The segment that is or was written last.
    Last,
}

/// A file of the journal or the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JournalFile {
    pub(crate) path: PathBuf,
    pub(crate) kind: FileKind,
    pub(crate) first_seq: Seq,
    /// The first number that is not in it: `first_seq` when it has no records.
    pub(crate) end_seq: Seq,
    /// The size of the file.
    pub(crate) bytes: u64,
}

/// A look at the journal of a directory.
pub(crate) struct JournalScan {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    archive_dir: PathBuf,
    archived: Vec<Archived>,
    segments: Vec<Seen>,
    last_seq: Seq,
}

/// A segment as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) path: PathBuf,
    pub(super) header: Header,
}

impl JournalScan {
    /// Looks at the journal in `dir` (directories `journal` and `archive`), and how far it goes.
    ///
    /// # Errors
    /// `NotFound` when there is no journal, `Corrupt` when the files hold what no crash explains,
    /// `Unavailable` when they cannot be read.
    pub(crate) fn open(vfs: Arc<dyn Vfs>, dir: &Path) -> Result<Self> {
        let mut look = Self {
            vfs,
            dir: dir.join("journal"),
            archive_dir: dir.join("archive"),
            archived: Vec::new(),
            segments: Vec::new(),
            last_seq: 0,
        };
        look.list()?;
        look.find_end()?;
        Ok(look)
    }

    #[cfg(feature = "bin")]
    pub(super) fn vfs(&self) -> &dyn Vfs {
        &*self.vfs
    }

    /// The last record there was when it was looked.
    pub(crate) fn last_seq(&self) -> Seq {
        self.last_seq
    }

    /// The oldest record from which everything up to the last can be read; one more than the last
    /// when there is none.
    pub(crate) fn oldest_seq(&self) -> Seq {
        let oldest_live =
            self.segments.first().map_or(self.last_seq + 1, |segment| segment.header.first_seq);
        archive::oldest_seq(self.archived.iter(), oldest_live)
    }

    /// Every file, oldest first, those of the archive before the segments.
    pub(crate) fn files(&self) -> Vec<JournalFile> {
        let archived = self.archived.iter().map(|file| JournalFile {
            path: file.path(&self.archive_dir),
            kind: FileKind::Archived,
            first_seq: file.first_seq,
            end_seq: file.last_seq + 1,
            bytes: file.bytes,
        });
        let segments = self.segments.iter().enumerate().map(|(at, segment)| {
            let next = self.segments.get(at + 1).map(|next| next.header.first_seq);
            JournalFile {
                path: segment.path.clone(),
                kind: if next.is_some() { FileKind::Sealed } else { FileKind::Last },
                first_seq: segment.header.first_seq,
                end_seq: next.unwrap_or(self.last_seq + 1),
                bytes: segment.header.segment_bytes,
            }
        });
        archived.chain(segments).collect()
    }

    /// The records from `from_seq` to `through`, or to the last there was when it was looked.
    ///
    /// # Errors
    /// `NotFound` when `from_seq` is older than what is kept, naming the oldest record, or beyond
    /// the end.
    pub(crate) fn records(&self, from_seq: Seq, through: Seq) -> Result<ScannedRecords> {
        let (from_seq, oldest_seq, last_seq) = (from_seq.max(1), self.oldest_seq(), self.last_seq);
        if from_seq < oldest_seq {
            return Err(gone(from_seq, oldest_seq, last_seq));
        }
        if from_seq > last_seq + 1 {
            return Err(Error::not_found(format!(
                "record {from_seq} is not written yet: the journal ends at record {last_seq}"
            )));
        }
        let look = Self { vfs: Arc::clone(&self.vfs), ..self.copy() };
        Ok(ScannedRecords {
            look,
            next_seq: from_seq,
            through: through.min(last_seq),
            open: None,
            tries: 0,
            marked: None,
            damaged_through: None,
        })
    }

    fn copy(&self) -> Self {
        Self {
            vfs: Arc::clone(&self.vfs),
            dir: self.dir.clone(),
            archive_dir: self.archive_dir.clone(),
            archived: self.archived.clone(),
            segments: self.segments.clone(),
            last_seq: self.last_seq,
        }
    }

    /// Lists both directories. The segments first: one that is archived and recycled in between is
    /// then in the archive, or missing from neither.
    fn list(&mut self) -> Result<()> {
        let mut tries = 0;
        loop {
            let listed = list_segments(&*self.vfs, &self.dir);
            tries += 1;
            match listed {
                // A segment was recycled between the look at its name and the look into it.
                Err(error) if tries < TRIES_MAX && is_fleeting(&error) => {}
                Err(error) => return Err(error),
                Ok(segments) => {
                    self.archived = archive::list(&*self.vfs, &self.archive_dir)?;
                    self.segments = segments;
                    return Ok(());
                }
            }
        }
    }

    /// Reads the last segment to its end. What is being written while it is read can look like
    /// damage; damage stands still.
    fn find_end(&mut self) -> Result<()> {
        let mut reached = None;
        let mut tries = 0;
        loop {
            let Some(last) = self.segments.last() else {
                self.last_seq = self.archived.last().map_or(0, |file| file.last_seq);
                return Ok(());
            };
            tries += 1;
            let failed = match self.read_segment(last) {
                Ok(bytes) => {
                    let reach = segment::walk(&bytes, &last.header, Seq::MAX, &mut |_| Ok(()))?;
                    let seen = Some((last.header.index, reach.next_seq));
                    let rest = bytes.get(reach.offset..).unwrap_or_default();
                    match recovery::judge(&last.path, &last.header, rest, reach, None) {
                        Ok(()) => {
                            self.last_seq = reach.next_seq - 1;
                            return Ok(());
                        }
                        Err(error) if reached == seen || tries >= TRIES_MAX => return Err(error),
                        Err(_) => reached = seen,
                    }
                    continue;
                }
                Err(error) => error,
            };
            if tries >= TRIES_MAX || !is_fleeting(&failed) {
                return Err(failed);
            }
            self.list()?;
        }
    }

    /// All of a segment. Its header is looked at again behind the rest: when it is still the same,
    /// nothing of the file was recycled before it was read.
    fn read_segment(&self, seen: &Seen) -> Result<Vec<u8>> {
        let file = self.vfs.open_read(&seen.path).map_err(|error| opening(&seen.path, error))?;
        let bytes = segment::read_all(&*file, &seen.path)?;
        for block in [
            bytes.get(..HEADER_BYTES).unwrap_or_default(),
            &read_start(&*file, HEADER_BYTES).unwrap_or_default(),
        ] {
            if Header::decode(block) != Ok(seen.header) {
                return Err(corrupt(&seen.path, 0, "the segment is another one than it was"));
            }
        }
        Ok(bytes)
    }

    fn open_file(&self, seq: Seq) -> Result<Source> {
        let next = self.segments.partition_point(|segment| segment.header.first_seq <= seq);
        if let Some(seen) = next.checked_sub(1).and_then(|at| self.segments.get(at)) {
            let bytes = self.read_segment(seen)?;
            let end_seq = self.segments.get(next).map_or(Seq::MAX, |next| next.header.first_seq);
            let at = FramePosition { offset: HEADER_BYTES, seq: seen.header.first_seq };
            return Ok(Source::Segment { seen: seen.clone(), bytes, at, end_seq });
        }
        let holds = |file: &&Archived| (file.first_seq..=file.last_seq).contains(&seq);
        match self.archived.iter().find(holds) {
            Some(archived) => {
                Ok(Source::Archive(ArchiveReader::open(&*self.vfs, &self.archive_dir, archived)?))
            }
            None => Err(gone(seq, self.oldest_seq(), self.last_seq)),
        }
    }
}

/// Records in their order, from segments and archive.
pub(crate) struct ScannedRecords {
    look: JournalScan,
    next_seq: Seq,
    through: Seq,
    open: Option<Source>,
    /// How often files were looked for again since the last record.
    tries: usize,
    marked: Option<(Seq, Mark)>,
    /// The last record of a file of the archive that turned out to be damaged.
    #[cfg_attr(not(feature = "bin"), allow(dead_code, reason = "who makes history anew needs it"))]
    damaged_through: Option<Seq>,
}

#[allow(clippy::large_enum_variant, reason = "a reader has one of them")]
enum Source {
    Segment { seen: Seen, bytes: Vec<u8>, at: FramePosition, end_seq: Seq },
    Archive(ArchiveReader),
}

/// The start of the frame `seq`.
#[derive(Clone, Copy)]
struct FramePosition {
    offset: usize,
    seq: Seq,
}

impl ScannedRecords {
    /// How many records are left.
    pub(crate) fn left(&self) -> u64 {
        (self.through + 1).saturating_sub(self.next_seq)
    }

    /// The last record that was given, and what tells it from others with its number.
    #[cfg(feature = "bin")]
    pub(crate) fn marked(&self) -> Option<(Seq, Mark)> {
        self.marked
    }

    /// Where the next record is in a file of the archive that is damaged: the last record of that
    /// file.
    #[cfg(feature = "bin")]
    pub(crate) fn damaged_through(&self) -> Option<Seq> {
        self.damaged_through
    }

    /// Gives the next record to `each`; false when there is none.
    ///
    /// # Errors
    /// `NotFound` when the record is gone meanwhile, `Corrupt` when it is damaged, `Unavailable`
    /// when it cannot be read, and those of `each`.
    pub(crate) fn next(&mut self, each: &mut EachRecord<'_>) -> Result<bool> {
        while self.next_seq <= self.through {
            let Some(source) = &mut self.open else {
                self.open()?;
                continue;
            };
            if source.is_over(self.next_seq) {
                self.open = None;
                continue;
            }
            let archived = match source {
                Source::Archive(archive) => Some(archive.last_seq),
                Source::Segment { .. } => None,
            };
            let (seq, mark) = source.next(self.next_seq, each).inspect_err(|error| {
                self.damaged_through = archived.filter(|_| error.kind() == ErrorKind::Corrupt);
            })?;
            self.tries = 0;
            if seq == self.next_seq {
                self.marked = Some((seq, mark));
                self.next_seq += 1;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Opens the file of the next record, and looks for it again when it went elsewhere.
    fn open(&mut self) -> Result<()> {
        match self.look.open_file(self.next_seq) {
            Ok(source) => self.open = Some(source),
            Err(error) if self.tries < TRIES_MAX && is_fleeting(&error) => {
                self.tries += 1;
                self.look.list()?;
            }
            Err(error) => {
                let seq = self.next_seq;
                let archived = self
                    .look
                    .archived
                    .iter()
                    .find(|file| (file.first_seq..=file.last_seq).contains(&seq));
                self.damaged_through = archived
                    .map(|file| file.last_seq)
                    .filter(|_| error.kind() == ErrorKind::Corrupt);
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Source {
    fn is_over(&self, seq: Seq) -> bool {
        match self {
            Self::Segment { end_seq, .. } => seq >= *end_seq,
            Self::Archive(archive) => seq > archive.last_seq,
        }
    }

    /// Reads one record, and gives it to `each` when it is the wanted one. Returns its number, and
    /// what marks it.
    fn next(&mut self, wanted: Seq, each: &mut EachRecord<'_>) -> Result<(Seq, Mark)> {
        let mut deliver = |frame: &frame::Frame<'_>| match frame.seq == wanted {
            true => each(frame.seq, frame.kind, frame.payload),
            false => Ok(()),
        };
        match self {
            Self::Segment { seen, bytes, at, .. } => {
                let rest = bytes.get(at.offset..).unwrap_or_default();
                let frame =
                    frame::verify(rest, seen.header.seed()).filter(|frame| frame.seq == at.seq);
                let what = || format!("record {} is damaged", at.seq);
                let frame = frame.ok_or_else(|| corrupt(&seen.path, at.offset, &what()))?;
                deliver(&frame)?;
                *at = FramePosition { offset: at.offset + frame.bytes, seq: at.seq + 1 };
                Ok((frame.seq, seen.header.mark(&frame)))
            }
            Self::Archive(archive) => {
                let header = archive.header;
                let frame = archive.next_frame()?;
                deliver(&frame)?;
                Ok((frame.seq, header.mark(&frame)))
            }
        }
    }
}

/// The segments in the directory of a journal, oldest first.
///
/// # Errors
/// `NotFound` when there is no directory, or a segment is gone meanwhile; `Corrupt` when one is missing
/// between others or its header does not verify; `Unavailable` when they cannot be read.
pub(super) fn list_segments(vfs: &dyn Vfs, dir: &Path) -> Result<Vec<Seen>> {
    let names = vfs.list(dir).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::not_found(format!(
            "{} is no directory: there is no journal to read",
            dir.display()
        )),
        _ => Error::io(format_args!("reading {}", dir.display()), error),
    })?;
    let mut segments: Vec<Seen> = Vec::new();
    for index in names.iter().filter_map(|name| segment::parse_segment_name(name)) {
        if let Some(previous) =
            segments.last().filter(|previous| previous.header.index + 1 != index)
        {
            let missing = dir.join(segment::segment_name(previous.header.index + 1));
            return Err(corrupt(
                &missing,
                0,
                "the segment is missing, though later ones are there",
            ));
        }
        let path = dir.join(segment::segment_name(index));
        let header = read_header(vfs, &path)?;
        if header.index != index {
            return Err(corrupt(&path, 0, "the header belongs to a segment of another number"));
        }
        segments.push(Seen { path, header });
    }
    Ok(segments)
}

/// The header of a segment, whose file has its whole length.
///
/// # Errors
/// As [`list_segments`].
pub(super) fn read_header(vfs: &dyn Vfs, path: &Path) -> Result<Header> {
    let read = || {
        let file = vfs.open_read(path)?;
        Ok((read_start(&*file, HEADER_BYTES)?, file.len()?))
    };
    let (block, bytes) = read().map_err(|error| opening(path, error))?;
    let header = Header::decode(&block).map_err(|what| corrupt(path, 0, what))?;
    if header.segment_bytes != bytes {
        let what =
            format!("the file has {bytes} bytes, but its header says {}", header.segment_bytes);
        return Err(corrupt(path, bytes as usize, &what));
    }
    Ok(header)
}

fn opening(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::not_found(format!("{} is gone", path.display())),
        _ => Error::io(format_args!("opening {}", path.display()), error),
    }
}

/// Whether the owner's recycling may be the reason: another look tells.
fn is_fleeting(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt)
}

fn gone(seq: Seq, oldest_seq: Seq, last_seq: Seq) -> Error {
    Error::not_found(match oldest_seq > last_seq {
        true => format!("record {seq} is not kept: the journal and the archive have no records"),
        false => format!(
            "record {seq} is no longer kept; the oldest there is has the number {oldest_seq}"
        ),
    })
}
