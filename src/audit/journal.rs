//! Which files hold which records, and the records in their order. The directory may be in use:
//! what its owner recycled meanwhile is looked for again.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::finding::{Findings, Kind};
use super::frames::{self, End, Frame, HEADER_BYTES, Header, Why};
use crate::base::Seq;
use crate::base::error::{Error, Result};
use crate::event::branch::Mark;
use crate::vfs::{Vfs, read_start};

/// How often files that changed meanwhile are looked for again.
const TRIES_MAX: usize = 20;

/// What the walk found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Walked {
    pub(super) archived: usize,
    pub(super) segments: usize,
    /// The last record that was read.
    pub(super) last_seq: Seq,
    /// The journal ends in a write that was never acknowledged.
    pub(super) torn: bool,
}

/// Takes a record that verified: number, kind, payload.
pub(super) type Each<'a> = dyn FnMut(Seq, u16, &[u8], &mut Findings) + 'a;

pub(super) struct Journal<'a> {
    vfs: &'a dyn Vfs,
    dir: PathBuf,
    archive_dir: PathBuf,
    segments: Vec<Segment>,
    archived: Vec<(Seq, Seq, PathBuf)>,
    /// What tells some records from others with their numbers, as far as they were read.
    marks: Marks,
}

/// Records by which a journal is known, and what was found of them.
pub(super) type Marks = BTreeMap<Seq, Option<Mark>>;

fn note(marks: &mut Marks, header: &Header, frame: &Frame<'_>) {
    if let Some(mark) = marks.get_mut(&frame.seq) {
        *mark = Some(Mark { salt: header.salt, crc: frame.crc, segment_first: header.first_seq });
    }
}

#[derive(Clone, Debug)]
struct Segment {
    index: u64,
    path: PathBuf,
    /// `None` when it does not read.
    header: Option<Header>,
}

/// What became of reading a file.
enum Read {
    Done(End),
    /// It is not what it was when the directory was listed.
    Changed,
}

impl<'a> Journal<'a> {
    /// # Errors
    /// `NotFound` when there is no journal, `Unavailable` when the directory cannot be read.
    pub(super) fn list(vfs: &'a dyn Vfs, dir: &Path) -> Result<Self> {
        let (dir, archive_dir) = (dir.join("journal"), dir.join("archive"));
        let mut journal = Self {
            vfs,
            dir,
            archive_dir,
            segments: Vec::new(),
            archived: Vec::new(),
            marks: Marks::new(),
        };
        journal.relist()?;
        Ok(journal)
    }

    /// Notes what tells these records from others with their numbers, when they are read.
    pub(super) fn watch(&mut self, seqs: impl Iterator<Item = Seq>) {
        self.marks.extend(seqs.map(|seq| (seq, None)));
    }

    /// What was noted.
    pub(super) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Segments first: one that is archived and recycled in between is then found in the archive.
    fn relist(&mut self) -> Result<()> {
        self.segments = self.list_segments()?;
        self.archived.clear();
        for name in names(self.vfs, &self.archive_dir)?.unwrap_or_default() {
            if let Some((first, last)) = archive_range(&name) {
                self.archived.push((first, last, self.archive_dir.join(&name)));
            }
        }
        Ok(())
    }

    fn list_segments(&self) -> Result<Vec<Segment>> {
        let missing = || {
            Error::not_found(format!(
                "{} is no directory: there is nothing to verify",
                self.dir.display()
            ))
        };
        let names = names(self.vfs, &self.dir)?.ok_or_else(missing)?;
        let mut segments = Vec::new();
        for (index, path) in
            names.iter().filter_map(|name| Some((segment_index(name)?, self.dir.join(name))))
        {
            match self.vfs.open_read(&path).and_then(|file| read_start(&*file, HEADER_BYTES)) {
                Ok(block) => {
                    segments.push(Segment { index, path, header: Header::read(&block).ok() })
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(Error::io(format_args!("reading {}", path.display()), error));
                }
            }
        }
        Ok(segments)
    }

    /// The oldest record from which the files go on without a hole, as their names and headers
    /// tell.
    pub(super) fn oldest_seq(&self) -> Seq {
        let live = self
            .segments
            .iter()
            .find_map(|segment| segment.header)
            .map_or(Seq::MAX, |header| header.first_seq);
        let mut oldest = live;
        for (first, last, _) in self.archived.iter().rev() {
            if oldest == Seq::MAX || last.saturating_add(1) >= oldest {
                oldest = oldest.min(*first);
            }
        }
        if oldest == Seq::MAX { 1 } else { oldest }
    }

    /// How many files of the archive are cut off by a hole, and of no use.
    pub(super) fn cut_off(&self) -> usize {
        let oldest = self.oldest_seq();
        self.archived.iter().filter(|(_, last, _)| *last < oldest).count()
    }

    /// The last record that the names and headers tell of: a guess at how much there is to do.
    pub(super) fn expected_seq(&self) -> Seq {
        let live = self
            .segments
            .iter()
            .filter_map(|segment| segment.header)
            .map(|header| header.first_seq)
            .max();
        self.archived.last().map_or(0, |file| file.1).max(live.unwrap_or(0))
    }

    /// Gives every record from `from_seq` on to `each`, verified, each once and in order. What is
    /// missing is a finding, and the walk goes on behind it.
    ///
    /// # Errors
    /// `Unavailable` when a file cannot be read, or is recycled faster than it can be.
    pub(super) fn walk(
        &mut self,
        from_seq: Seq,
        findings: &mut Findings,
        each: &mut Each<'_>,
    ) -> Result<Walked> {
        self.check_indices(findings);
        let mut walked = Walked { last_seq: from_seq.saturating_sub(1), ..Walked::default() };
        let mut next = from_seq;
        let mut tries = 0;
        let mut stopped_at = None;
        let mut read = BTreeSet::new();
        loop {
            if let Some((first, last, path)) =
                self.archived.iter().find(|file| file.0 <= next && next <= file.1).cloned()
            {
                match self.walk_archived(first, last, &path, next, findings, each)? {
                    true => {
                        (next, tries, walked.archived) = (last + 1, 0, walked.archived + 1);
                        walked.last_seq = walked.last_seq.max(last);
                    }
                    false => self.look_again(&mut tries)?,
                }
                continue;
            }
            let Some(at) = self.segment_of(next) else {
                let Some(first) = self.first_after(next) else {
                    break;
                };
                findings.add(
                    Kind::Sequence,
                    next,
                    format!("records {next} to {} are missing", first - 1),
                );
                next = first;
                continue;
            };
            let following = self
                .segments
                .get(at + 1)
                .and_then(|segment| segment.header)
                .map(|header| header.first_seq);
            let segment = self.segments[at].clone();
            let end = match self.walk_segment(&segment, following, next, findings, each)? {
                Read::Done(end) => end,
                Read::Changed => {
                    self.look_again(&mut tries)?;
                    continue;
                }
            };
            let is_last = at + 1 == self.segments.len();
            if is_last
                && end.why == Why::Damaged
                && stopped_at != Some(end.seq)
                && tries < TRIES_MAX
            {
                // Read while it was written, perhaps: damage stands still.
                stopped_at = Some(end.seq);
                next = next.max(end.seq);
                self.look_again(&mut tries)?;
                continue;
            }
            (tries, walked.segments) = (0, walked.segments + 1);
            read.insert(segment.index);
            self.judge(&segment, following, &end, findings);
            walked.last_seq = walked.last_seq.max(end.seq.saturating_sub(1));
            walked.torn = is_last && end.why == Why::Torn;
            match following {
                Some(following) => next = following.max(next),
                None if is_last => break,
                // The header of the next one does not read, which was told.
                None => next = self.first_after(end.seq).unwrap_or(Seq::MAX),
            }
            if next == Seq::MAX {
                break;
            }
        }
        self.check_unread(&read, findings)?;
        Ok(walked)
    }

    /// Verifies the segments whose records the archive had already, and those without records.
    fn check_unread(&mut self, read: &BTreeSet<u64>, findings: &mut Findings) -> Result<()> {
        for (at, segment) in self
            .segments
            .clone()
            .iter()
            .enumerate()
            .filter(|(_, segment)| !read.contains(&segment.index))
        {
            let following = self
                .segments
                .get(at + 1)
                .and_then(|segment| segment.header)
                .map(|header| header.first_seq);
            if let Read::Done(end) =
                self.walk_segment(segment, following, Seq::MAX, findings, &mut |_, _, _, _| ())?
            {
                self.judge(segment, following, &end, findings);
            }
        }
        Ok(())
    }

    fn look_again(&mut self, tries: &mut usize) -> Result<()> {
        *tries += 1;
        if *tries > TRIES_MAX {
            return Err(Error::unavailable(
                "files are recycled faster than they can be read: verify a copy, or try again when less goes on",
            ));
        }
        self.relist()
    }

    fn check_indices(&self, findings: &mut Findings) {
        for segment in self.segments.iter().filter(|segment| segment.header.is_none()) {
            findings.add_in(Kind::Checksum, &segment.path, 0, "it has no header of a segment");
        }
        for pair in self.segments.windows(2) {
            if pair[0].index + 1 != pair[1].index {
                let what = format!("segment {} is missing before it", pair[0].index + 1);
                findings.add_in(Kind::Sequence, &pair[1].path, 0, what);
            }
        }
        for segment in &self.segments {
            if let Some(header) = segment.header.filter(|header| header.index != segment.index) {
                let what = format!("its header is that of segment {}", header.index);
                findings.add_in(Kind::Sequence, &segment.path, 0, what);
            }
        }
    }

    /// Segments without records share their first number with the next: the last that fits is the
    /// one.
    fn segment_of(&self, seq: Seq) -> Option<usize> {
        let fits = |segment: &Segment| segment.header.is_some_and(|header| header.first_seq <= seq);
        self.segments.iter().rposition(fits)
    }

    fn first_after(&self, seq: Seq) -> Option<Seq> {
        let live = self
            .segments
            .iter()
            .filter_map(|segment| segment.header)
            .map(|header| header.first_seq);
        let archived = self.archived.iter().map(|file| file.0);
        live.chain(archived).filter(|first| *first > seq).min()
    }

    fn walk_archived(
        &mut self,
        first: Seq,
        last: Seq,
        path: &Path,
        next: Seq,
        findings: &mut Findings,
        each: &mut Each<'_>,
    ) -> Result<bool> {
        let Some(compressed) = read(self.vfs, path)? else {
            return Ok(false);
        };
        let (header, bytes) = match frames::unpack(&compressed) {
            Ok(unpacked) => unpacked,
            Err(what) => {
                findings.add_in(Kind::Checksum, path, 0, what);
                return Ok(true);
            }
        };
        if header.first_seq != first {
            let what = format!(
                "its name says that it begins with record {first}, and its header {}",
                header.first_seq
            );
            findings.add_in(Kind::Sequence, path, 0, what);
            return Ok(true);
        }
        let marks = &mut self.marks;
        let end = frames::walk(&bytes, &header, last + 1, &mut |frame| {
            note(marks, &header, frame);
            if frame.seq >= next {
                each(frame.seq, frame.kind, frame.payload, findings);
            }
        });
        if end.why != Why::Reached {
            let what = format!(
                "record {} is damaged, counted in the unpacked bytes; records to {last} follow",
                end.seq
            );
            findings.add_in(Kind::Checksum, path, end.offset as u64, what);
        }
        Ok(true)
    }

    fn walk_segment(
        &mut self,
        segment: &Segment,
        following: Option<Seq>,
        next: Seq,
        findings: &mut Findings,
        each: &mut Each<'_>,
    ) -> Result<Read> {
        let (Some(header), Some(bytes)) = (segment.header, read(self.vfs, &segment.path)?) else {
            return Ok(Read::Changed);
        };
        // Looked at again behind the rest: when it is still the same, nothing was recycled while it
        // was read.
        let again = match self
            .vfs
            .open_read(&segment.path)
            .and_then(|file| read_start(&*file, HEADER_BYTES))
        {
            Ok(block) => Header::read(&block).ok(),
            Err(_) => None,
        };
        if Header::read(&bytes) != Ok(header) || again != Some(header) {
            return Ok(Read::Changed);
        }
        if bytes.len() as u64 != header.segment_bytes {
            let what = format!(
                "it has {} bytes, and its header says {}",
                bytes.len(),
                header.segment_bytes
            );
            findings.add_in(Kind::Checksum, &segment.path, bytes.len() as u64, what);
        }
        let end_seq = following.unwrap_or(Seq::MAX);
        let marks = &mut self.marks;
        Ok(Read::Done(frames::walk(&bytes, &header, end_seq, &mut |frame| {
            note(marks, &header, frame);
            if frame.seq >= next {
                each(frame.seq, frame.kind, frame.payload, findings);
            }
        })))
    }

    /// What the end of a segment's frames means.
    fn judge(&self, segment: &Segment, following: Option<Seq>, end: &End, findings: &mut Findings) {
        let seq = end.seq;
        let (kind, what) = match (end.why, following) {
            (Why::Reached, _) | (Why::Nothing | Why::Torn, None) => return,
            (Why::OtherNumber(other), _) => {
                (Kind::Sequence, format!("record {seq} should be here, and record {other} is"))
            }
            (Why::Damaged, None) => (
                Kind::Checksum,
                format!("record {seq} is damaged, though records after it were written later"),
            ),
            (_, Some(following)) => (
                Kind::Checksum,
                format!(
                    "record {seq} is damaged, and the next segment begins with record {following}"
                ),
            ),
        };
        findings.add_in(kind, &segment.path, end.offset as u64, what);
    }
}

pub(super) fn names(vfs: &dyn Vfs, dir: &Path) -> Result<Option<Vec<String>>> {
    match vfs.list(dir) {
        Ok(names) => Ok(Some(names)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(format_args!("reading {}", dir.display()), error)),
    }
}

/// All of a file; `None` when it is gone.
pub(super) fn read(vfs: &dyn Vfs, path: &Path) -> Result<Option<Vec<u8>>> {
    match vfs.open_read(path).and_then(|file| read_start(&*file, usize::MAX)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(format_args!("reading {}", path.display()), error)),
    }
}

fn segment_index(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("segment-")?.strip_suffix(".log")?;
    (digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

fn archive_range(name: &str) -> Option<(Seq, Seq)> {
    let (first, last) = name.strip_suffix(".lz4")?.split_once('-')?;
    let number = |digits: &str| (digits.len() == 20).then(|| digits.parse().ok()).flatten();
    Some((number(first)?, number(last)?))
}
