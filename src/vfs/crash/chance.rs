//! Choices that follow from a seed.

/// splitmix64, <https://prng.di.unimi.it/splitmix64.c>: small, and good enough to choose what
/// happens next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of the numbers below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.number() as usize % end
    }
}
