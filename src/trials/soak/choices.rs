//! Choices that a seed repeats.

use crate::vfs::crash::Chance;

/// The choices of one of those who share a seed.
pub(super) struct Choices(Chance);

impl Choices {
    /// The choices number `stream` of this seed.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let first = Chance::new(seed).number();
        Self(Chance::new(first ^ stream.wrapping_mul(0xd134_2543_de82_ef95)))
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0.number() % end.max(1)
    }

    /// A number from `first` to `last`.
    pub(super) fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// An index into something of this length; `None` when it is empty.
    pub(super) fn index(&mut self, length: usize) -> Option<usize> {
        (length > 0).then(|| self.below(length as u64) as usize)
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_choices_and_streams_differ() {
        let numbers = |seed, stream| {
            let mut choices = Choices::new(seed, stream);
            (0..8).map(|_| choices.below(1_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(7, 1), numbers(7, 1));
        assert_ne!(numbers(7, 1), numbers(7, 2));
        assert_ne!(numbers(7, 1), numbers(8, 1));
    }
}
