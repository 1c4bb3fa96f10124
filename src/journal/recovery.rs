//! What the files of a journal mean after a crash: a decision table, and the reading that leads up
//! to it.

use std::path::Path;
use std::sync::Arc;

use super::EachRecord;
use super::frame::{self, FRAME_ALIGN, FRAME_HEADER_BYTES};
use super::segment::{self, Header, Reach, Segment};
use crate::base::Seq;
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::vfs::{Vfs, read_start};

/// Is the segment's header whole?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeaderFound {
    Good,
    Bad,
}

/// Where does the segment stand, and if another follows it, do its frames reach the other's first?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChainPosition {
    Last,
    FollowedReaching,
    FollowedShort,
}

/// What is after the last good frame?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// No frame: a zero length, or the end of the segment.
    Nothing,
    /// Bytes that do not verify: torn, stale or damaged.
    Unreadable,
    /// A frame that verifies with a number it must not have here.
    OutOfSequence,
}

/// Does a frame further on verify?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beyond {
    None,
    /// Of a group that began at or before the stop: the group's write was torn.
    SameGroup,
    /// Of a group that began after the stop, when everything up to the stop had been synced.
    LaterGroup,
}

/// What to do about a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Go on to the next segment; what is behind the last frame is remains.
    Sealed,
    /// The journal ends here, where its last write ended.
    CleanEnd,
    /// The journal ends here, in a group that was never acknowledged.
    TornTail,
    CorruptHeader,
    CorruptGap,
    CorruptSequence,
    CorruptDurable,
}

/// One row of the table; an empty list matches anything.
struct Row {
    header: HeaderFound,
    positions: &'static [ChainPosition],
    stops: &'static [Stop],
    beyonds: &'static [Beyond],
    verdict: Verdict,
}

impl Row {
    fn matches(
        &self,
        header: HeaderFound,
        position: ChainPosition,
        stop: Stop,
        beyond: Beyond,
    ) -> bool {
        fn has<T: PartialEq>(list: &[T], value: &T) -> bool {
            list.is_empty() || list.contains(value)
        }
        self.header == header
            && has(self.positions, &position)
            && has(self.stops, &stop)
            && has(self.beyonds, &beyond)
    }
}

const TABLE: [Row; 8] = {
    use Beyond::{LaterGroup, SameGroup};
    use ChainPosition::{FollowedReaching, FollowedShort, Last};
    use HeaderFound::{Bad, Good};
    use Stop::{Nothing, OutOfSequence, Unreadable};
    const fn row(
        header: HeaderFound,
        positions: &'static [ChainPosition],
        stops: &'static [Stop],
        beyonds: &'static [Beyond],
        verdict: Verdict,
    ) -> Row {
        Row { header, positions, stops, beyonds, verdict }
    }
    [
        // A file gets a segment's name only after its header is synced, so a crash cannot explain
        // this.
        row(Bad, &[], &[], &[], Verdict::CorruptHeader),
        row(Good, &[FollowedReaching], &[], &[], Verdict::Sealed),
        // The next segment began with a later frame, so the missing ones were durable.
        row(Good, &[FollowedShort], &[], &[], Verdict::CorruptGap),
        row(Good, &[Last], &[OutOfSequence], &[], Verdict::CorruptSequence),
        row(Good, &[Last], &[Nothing, Unreadable], &[LaterGroup], Verdict::CorruptDurable),
        row(Good, &[Last], &[Nothing], &[Beyond::None], Verdict::CleanEnd),
        row(Good, &[Last], &[Nothing, Unreadable], &[SameGroup], Verdict::TornTail),
        row(Good, &[Last], &[Unreadable], &[Beyond::None], Verdict::TornTail),
    ]
};

fn decide(header: HeaderFound, position: ChainPosition, stop: Stop, beyond: Beyond) -> Verdict {
    let row = TABLE.iter().find(|row| row.matches(header, position, stop, beyond));
    row.expect("a test shows that every combination matches exactly one row").verdict
}

/// The journal as it was found.
pub(super) struct Recovered {
    pub segments: Vec<Arc<Segment>>,
    /// The number after the last frame; `None` when there is no segment at all.
    pub next_seq: Option<Seq>,
    /// The last group of the last segment, where it has one.
    last_group: Option<LastGroup>,
}

struct LastGroup {
    segment: Arc<Segment>,
    offset: usize,
    bytes: Vec<u8>,
}

impl Recovered {
    /// A journal whose segments were read and judged before. Its last group is `group`, which begins
    /// at `offset` of the last segment.
    #[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
    pub(super) fn read_before(
        segments: Vec<Arc<Segment>>,
        next_seq: Seq,
        offset: usize,
        group: Vec<u8>,
    ) -> Self {
        let last = segments.last().map(Arc::clone);
        let last_group = last.map(|segment| LastGroup { segment, offset, bytes: group });
        Self { segments, next_seq: Some(next_seq), last_group }
    }

    /// Writes the last group once more, and syncs it. It was read, but its own sync may have
    /// failed, and after that the kernel shows pages that are not on the disk and that no sync
    /// writes: records after them would be acknowledged, and a power cut would leave a gap.
    /// Everything before was synced when the group was written. The bytes are those that are there,
    /// so a write that is torn does no harm.
    ///
    /// # Errors
    /// `Unavailable` when the file system fails.
    pub(super) fn rewrite_last_group(&mut self) -> Result<()> {
        let last = self.last_group.take().filter(|_| !flaw::is_made(Flaw::TrustsPages));
        let Some(LastGroup { segment, offset, bytes }) = last else {
            return Ok(());
        };
        let written =
            segment.file.write_at(&bytes, offset as u64).and_then(|()| segment.file.sync());
        written
            .map_err(|error| Error::io(format_args!("writing {}", segment.path.display()), error))
    }
}

/// Opens and checks every segment of `dir`, and calls `replay` for each frame from `from_seq` on.
///
/// # Errors
/// `Corrupt` when the files hold what no crash explains, `Unavailable` when they cannot be read,
/// and those of `replay`.
pub(super) fn recover(
    vfs: &dyn Vfs,
    dir: &Path,
    from_seq: Seq,
    replay: &mut EachRecord<'_>,
) -> Result<Recovered> {
    let segments = open_segments(vfs, dir)?;
    check_start(dir, &segments, from_seq)?;
    let (mut next_seq, mut last_group) = (None, None);
    for (at, segment) in segments.iter().enumerate() {
        let following = segments.get(at + 1).map(|next| next.header.first_seq);
        let bytes = segment::read_all(&*segment.file, &segment.path)?;
        let end_seq = following.unwrap_or(Seq::MAX);
        let (mut group_offset, mut offset) = (segment::HEADER_BYTES, segment::HEADER_BYTES);
        let reach = segment::walk(&bytes, &segment.header, end_seq, &mut |frame| {
            if frame.group_first == frame.seq {
                group_offset = offset;
            }
            offset += frame.bytes;
            if frame.seq >= from_seq {
                replay(frame.seq, frame.kind, frame.payload)
            } else {
                Ok(())
            }
        })?;
        let rest = bytes.get(reach.offset..).unwrap_or_default();
        judge(&segment.path, &segment.header, rest, reach, following)?;
        next_seq = Some(reach.next_seq);
        let group = bytes[group_offset..reach.offset].to_vec();
        last_group =
            Some(LastGroup { segment: Arc::clone(segment), offset: group_offset, bytes: group });
    }
    Ok(Recovered { segments, next_seq, last_group })
}

/// Every file and the directory are synced before anything is read: what a killed process had
/// written but not synced would otherwise be taken for durable, and lost at the next power cut.
fn open_segments(vfs: &dyn Vfs, dir: &Path) -> Result<Vec<Arc<Segment>>> {
    let failed = |path: &Path, error| Error::io(format_args!("opening {}", path.display()), error);
    let names = vfs.list(dir).map_err(|error| failed(dir, error))?;
    vfs.sync_dir(dir).map_err(|error| failed(dir, error))?;
    let mut segments: Vec<Arc<Segment>> = Vec::new();
    for index in names.iter().filter_map(|name| segment::parse_segment_name(name)) {
        let path = dir.join(segment::segment_name(index));
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
        let open = || {
            let file = vfs.open(&path)?;
            file.sync()?;
            let block = read_start(&*file, segment::HEADER_BYTES)?;
            let length = file.len()?;
            Ok((file, block, length))
        };
        let (file, block, length) = open().map_err(|error| failed(&path, error))?;
        let header = check_header(&path, &block, index)?;
        if length != header.segment_bytes {
            // Segments have their whole length before they get their name, so no crash leaves one
            // cut short.
            let what = format!(
                "the file has {length} bytes, but its header says {}",
                header.segment_bytes
            );
            return Err(corrupt(&path, length as usize, &what));
        }
        segments.push(Arc::new(Segment { header, path, file }));
    }
    Ok(segments)
}

fn check_header(path: &Path, block: &[u8], index: u64) -> Result<Header> {
    let decoded = Header::decode(block).and_then(|header| {
        if header.index == index {
            Ok(header)
        } else {
            Err("the header belongs to a segment of another number")
        }
    });
    decoded.map_err(|what| {
        let verdict = decide(HeaderFound::Bad, ChainPosition::Last, Stop::Nothing, Beyond::None);
        debug_assert_eq!(verdict, Verdict::CorruptHeader);
        corrupt(path, 0, what)
    })
}

fn check_start(dir: &Path, segments: &[Arc<Segment>], from_seq: Seq) -> Result<()> {
    match segments.first() {
        Some(first) if first.header.first_seq > from_seq => Err(corrupt(
            &first.path,
            0,
            &format!(
                "record {from_seq} is needed, but the journal in {} starts at record {}",
                dir.display(),
                first.header.first_seq
            ),
        )),
        _ => Ok(()),
    }
}

/// What the end of a segment's frames means, where `rest` is what is behind them.
///
/// # Errors
/// `Corrupt` when no crash explains it.
pub(super) fn judge(
    path: &Path,
    header: &Header,
    rest: &[u8],
    reach: Reach,
    following: Option<Seq>,
) -> Result<()> {
    let position = match following {
        None => ChainPosition::Last,
        Some(first_seq) if first_seq == reach.next_seq => ChainPosition::FollowedReaching,
        Some(_) => ChainPosition::FollowedShort,
    };
    let seed = header.seed();
    let stop = match frame::verify(rest, seed) {
        Some(_) => Stop::OutOfSequence,
        None if rest.iter().take(FRAME_HEADER_BYTES).all(|&byte| byte == 0) => Stop::Nothing,
        None => Stop::Unreadable,
    };
    // Only the last segment's verdict depends on it, and the search is long.
    let beyond = if position == ChainPosition::Last {
        search(rest, seed, reach.next_seq)
    } else {
        Beyond::None
    };
    let seq = reach.next_seq;
    let what = match decide(HeaderFound::Good, position, stop, beyond) {
        Verdict::Sealed | Verdict::CleanEnd => return Ok(()),
        Verdict::TornTail => {
            let (path, offset) = (path.display(), reach.offset);
            tracing::info!(%path, offset, seq, "the journal ends in a write that was never acknowledged");
            return Ok(());
        }
        Verdict::CorruptHeader => unreachable!("the header was decoded"),
        Verdict::CorruptGap => format!(
            "record {seq} cannot be read, though the next segment starts at record {}",
            following.unwrap_or_default()
        ),
        Verdict::CorruptSequence => format!("record {seq} should be here, but another is"),
        Verdict::CorruptDurable if flaw::is_made(Flaw::SkipsDamage) => return Ok(()),
        Verdict::CorruptDurable => {
            format!("record {seq} is damaged, though records after it were written later")
        }
    };
    Err(corrupt(path, reach.offset, &what))
}

/// Looks for a frame behind the stop that verifies. One of a later group settles it, and is looked
/// for to the end. Stale frames of a recycled file fail by their number or by the salt.
fn search(rest: &[u8], seed: u32, bad_seq: Seq) -> Beyond {
    let plausible = bad_seq + 1..=bad_seq + (rest.len() / FRAME_HEADER_BYTES) as Seq;
    let mut beyond = Beyond::None;
    for at in (FRAME_ALIGN..rest.len()).step_by(FRAME_ALIGN) {
        let rest = &rest[at..];
        if !frame::next_seq(rest).is_some_and(|seq| plausible.contains(&seq)) {
            continue;
        }
        match frame::verify(rest, seed) {
            Some(frame) if frame.group_first > bad_seq => return Beyond::LaterGroup,
            Some(_) => beyond = Beyond::SameGroup,
            None => {}
        }
    }
    beyond
}

/// Damage, with the position and what to do about it.
pub(super) fn corrupt(path: &Path, offset: usize, what: &str) -> Error {
    Error::corrupt(format!(
        "{} at offset {offset}: {what}. Nothing was changed. Restore the file from a copy, or the whole directory \
         from a backup; do not delete the file, since acknowledged records are in it",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_matches_exactly_one_row() {
        for header in [HeaderFound::Good, HeaderFound::Bad] {
            for position in
                [ChainPosition::Last, ChainPosition::FollowedReaching, ChainPosition::FollowedShort]
            {
                for stop in [Stop::Nothing, Stop::Unreadable, Stop::OutOfSequence] {
                    for beyond in [Beyond::None, Beyond::SameGroup, Beyond::LaterGroup] {
                        let rows = TABLE
                            .iter()
                            .filter(|row| row.matches(header, position, stop, beyond))
                            .count();
                        assert_eq!(rows, 1, "{header:?} {position:?} {stop:?} {beyond:?}");
                    }
                }
            }
        }
    }
}
