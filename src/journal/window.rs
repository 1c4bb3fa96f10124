//! A piece of a segment in memory, from which frames are read one after the other.

use super::frame::{self, FRAME_HEADER_BYTES};
use super::segment::Segment;
use crate::base::error::{Error, Result};

/// How much is read at once from a segment.
const READ_BYTES: usize = 256 << 10;

/// A piece of a segment in memory.
#[derive(Default)]
pub(super) struct Window {
    bytes: Vec<u8>,
    /// Where the piece starts in the file.
    start: u64,
}

impl Window {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// The bytes from `offset` on: a whole frame if the file has one there.
    pub(super) fn frame_at(&mut self, segment: &Segment, offset: u64) -> Result<&[u8]> {
        let mut wanted = FRAME_HEADER_BYTES;
        // Twice at most: for the header, then for what the header says.
        while self.at(offset).len() < wanted && self.fill(segment, offset, wanted)? {
            wanted = frame::next_len(self.at(offset)).unwrap_or(wanted);
        }
        if let Some(len) =
            frame::next_len(self.at(offset)).filter(|&len| len > self.at(offset).len())
        {
            self.fill(segment, offset, len)?;
        }
        Ok(self.at(offset))
    }

    fn at(&self, offset: u64) -> &[u8] {
        let at = offset.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.bytes.get(at..)).unwrap_or_default()
    }

    /// Reads the piece that starts at `offset`; false when the file ends before `wanted` bytes of
    /// it.
    fn fill(&mut self, segment: &Segment, offset: u64, wanted: usize) -> Result<bool> {
        let bound = segment.header.segment_bytes.saturating_sub(offset) as usize;
        self.start = offset;
        self.bytes.resize(wanted.max(READ_BYTES).min(bound), 0);
        let read = segment.file.read_at(&mut self.bytes, offset);
        let read = read.map_err(|error| {
            Error::io(format_args!("reading {}", segment.path.display()), error)
        })?;
        self.bytes.truncate(read);
        Ok(read >= wanted)
    }
}
