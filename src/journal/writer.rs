//! Writes groups of frames into segments: one write and one sync each.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::frame;
use super::group::{Committed, Sink};
use super::segment::{HEADER_BYTES, Segment};
use super::store::SegmentStore;
use crate::base::Seq;
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};

/// How often a segment is tried for again while the disk has no room for one, or too many files are
/// open.
const RETRY: Duration = Duration::from_millis(50);

/// The end of the journal that grows.
pub(super) struct SegmentWriter {
    store: Arc<SegmentStore>,
    /// `None` when the disk had no room for a segment at the opening: the first group waits for it.
    segment: Option<Arc<Segment>>,
    offset: usize,
}

impl SegmentWriter {
    /// A writer into `segment`, which has no frames yet.
    pub(super) fn new(store: Arc<SegmentStore>, segment: Option<Arc<Segment>>) -> Self {
        Self { store, segment, offset: HEADER_BYTES }
    }

    /// Goes on in a new segment. As long as the disk has no room, or too many files are open, this
    /// waits: nothing is written of what comes next, so the try can be repeated, and what passes
    /// must not end the journal. What waits for it is told what the matter is by
    /// [`SegmentStore::check_disk`].
    fn roll_over(&mut self, first_seq: Seq) -> Result<()> {
        let mut told = false;
        let segment = loop {
            match self.store.start_segment(first_seq) {
                Err(error) if error.is_no_room() && self.store.may_wait_for_room(&error) => {}
                Err(error) if error.lacks_descriptors() => {
                    if !told {
                        tracing::error!(%error, "the journal waits until files can be opened again");
                    }
                    told = true;
                }
                outcome => break outcome,
            }
            thread::sleep(RETRY);
        };
        self.store.has_room();
        self.offset = HEADER_BYTES;
        self.segment = Some(segment?);
        Ok(())
    }

    /// Seals the frames that still fit the segment; returns their bytes and how many they are.
    fn seal_fitting(&self, frames: &mut [u8]) -> Result<(usize, u64)> {
        let Some(segment) = &self.segment else {
            return Ok((0, 0));
        };
        let (room, seed) =
            (segment.header.segment_bytes as usize - self.offset, segment.header.seed());
        let (mut bytes, mut count) = (0, 0);
        while bytes < frames.len() {
            let rest = &mut frames[bytes..];
            let len = frame::next_len(rest).filter(|&len| len <= rest.len());
            let len =
                len.ok_or_else(|| Error::unavailable("a record is longer than a frame can be"))?;
            if bytes + len > room {
                break;
            }
            let group_offset =
                u32::try_from(count).expect("a group is far shorter than 2^32 frames of 24 bytes");
            frame::seal(&mut rest[..len], seed, group_offset);
            bytes += len;
            count += 1;
        }
        Ok((bytes, count))
    }
}

impl Sink for SegmentWriter {
    fn commit(&mut self, frames: &mut [u8], first_seq: Seq) -> Result<Committed> {
        self.store.check_process()?;
        let store = Arc::clone(&self.store);
        let _under_way = store.stopwatch.start();
        let (mut bytes, mut count) = self.seal_fitting(frames)?;
        if bytes == 0 {
            self.roll_over(first_seq)?;
            (bytes, count) = self.seal_fitting(frames)?;
        }
        let Some(segment) = self.segment.as_ref().filter(|_| bytes > 0) else {
            return Err(Error::unavailable(format!(
                "record {first_seq} is longer than a journal segment"
            )));
        };
        let file = &segment.file;
        file.write_at(&frames[..bytes], self.offset as u64)
            .and_then(
                |()| {
                    if flaw::is_made(Flaw::AcknowledgesUnsynced) { Ok(()) } else { file.sync() }
                },
            )
            .map_err(|error| {
                Error::io(format_args!("writing {}", segment.path.display()), error)
            })?;
        // Behind the sync: whoever began a segment before it may not have read these frames.
        self.store.check_successor(segment)?;
        self.store.count_sync(bytes);
        self.offset += bytes;
        Ok(Committed { bytes, last_seq: first_seq + count - 1 })
    }
}
