//! A vector that never moves what is in it: growing costs one chunk, however long it is. A shard
//! that doubled a plain vector of a million reservations would copy a hundred megabytes under its
//! lock, and leave as many behind.

use std::ops::{Index, IndexMut};

use crate::base::sizes::{ALLOCATION_BYTES, times, vec_bytes};

/// Items of a chunk, as a power of two.
const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;

/// Items by index, from 0 on. Only grows.
#[derive(Debug)]
pub(crate) struct Chunks<T> {
    /// All full but the last.
    chunks: Vec<Vec<T>>,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<T> Chunks<T> {
    /// What this many items take at most.
    pub(crate) fn bytes_for(count: u64) -> u64 {
        let chunks = count.div_ceil(CHUNK as u64);
        let of_items = times(chunks, (CHUNK * size_of::<T>()) as u64 + ALLOCATION_BYTES);
        of_items.saturating_add(vec_bytes::<Vec<T>>(chunks))
    }

    /// What it takes.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> u64 {
        let of_chunks: usize =
            self.chunks.iter().map(|chunk| chunk.capacity() * size_of::<T>()).sum();
        (of_chunks + self.chunks.capacity() * size_of::<Vec<T>>()) as u64
    }

    pub(crate) fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    pub(crate) fn push(&mut self, item: T) {
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(item),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(item);
                self.chunks.push(chunk);
            }
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.chunks.get(index >> CHUNK_BITS)?.get(index & (CHUNK - 1))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }
}

impl<T> Index<usize> for Chunks<T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        &self.chunks[index >> CHUNK_BITS][index & (CHUNK - 1)]
    }
}

impl<T> IndexMut<usize> for Chunks<T> {
    fn index_mut(&mut self, index: usize) -> &mut T {
        &mut self.chunks[index >> CHUNK_BITS][index & (CHUNK - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stay_where_they_are() {
        let mut chunks = Chunks::default();
        let count = 3 * CHUNK + 1;
        for item in 0..count {
            assert_eq!(chunks.len(), item);
            chunks.push(item);
        }
        let first: *const usize = &chunks[0];
        chunks.push(count);
        assert!(std::ptr::eq(first, &chunks[0]), "growing moved an item");
        chunks[CHUNK] = 7;
        assert_eq!((chunks[CHUNK - 1], chunks[CHUNK], chunks.get(count + 1)), (CHUNK - 1, 7, None));
        assert_eq!(chunks.iter().count(), chunks.len());
    }
}
