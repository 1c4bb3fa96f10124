//! What is done to the server, in an order that a seed repeats.

use super::choices::Choices;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// SIGKILL.
    Kill,
    /// SIGKILL, and another while it starts again.
    KillTwice,
    /// SIGSTOP, then SIGKILL.
    KillStopped,
    /// SIGSTOP, and SIGCONT after a while.
    Stop,
    /// The clock is set forwards.
    Forwards,
    /// The clock is set backwards.
    Backwards,
    /// Clients that begin to ask, or ask and do not read.
    Stall,
    /// No room is left on the disk.
    FullDisk,
    /// No file may grow beyond a limit, so that a write ends in its middle.
    FileLimit,
    /// SIGTERM.
    Terminate,
}

use Trouble::{
    Backwards, FileLimit, Forwards, FullDisk, Kill, KillStopped, KillTwice, Stall, Stop, Terminate,
};

/// Everything that is done, again and again, each time in another order: nothing is left to chance
/// but when it comes.
pub(super) struct Deck {
    cards: Vec<Trouble>,
    next: usize,
    rounds: u64,
    chance: Choices,
}

impl Deck {
    /// Without the kinds that this machine does not allow.
    pub(super) fn new(chance: Choices, allowed: impl Fn(Trouble) -> bool) -> Self {
        let cards = [
            Kill,
            Forwards,
            Stop,
            Kill,
            Backwards,
            Stall,
            KillTwice,
            Forwards,
            FileLimit,
            Stop,
            KillStopped,
            FullDisk,
            Backwards,
            Terminate,
        ];
        let cards: Vec<_> = cards.into_iter().filter(|card| allowed(*card)).collect();
        Self { next: cards.len(), cards, rounds: 0, chance }
    }

    pub(super) fn draw(&mut self) -> Trouble {
        if self.next == self.cards.len() {
            self.chance.shuffle(&mut self.cards);
            self.next = 0;
        }
        self.next += 1;
        if self.next == self.cards.len() {
            self.rounds += 1;
        }
        self.cards[self.next - 1]
    }

    /// How many troubles there are until all were tried.
    pub(super) fn len(&self) -> usize {
        self.cards.len()
    }

    /// How often everything was tried.
    pub(super) fn rounds(&self) -> u64 {
        self.rounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_allowed_is_drawn_in_every_round() {
        let mut deck = Deck::new(Choices::new(1, 1), |trouble| trouble != FullDisk);
        for round in 0..3 {
            assert_eq!(deck.rounds(), round);
            let drawn: Vec<_> = (0..deck.len()).map(|_| deck.draw()).collect();
            for trouble in [
                Kill,
                KillTwice,
                KillStopped,
                Stop,
                Forwards,
                Backwards,
                Stall,
                FileLimit,
                Terminate,
            ] {
                assert!(drawn.contains(&trouble), "{trouble:?} in {drawn:?}");
            }
            assert!(!drawn.contains(&FullDisk));
        }
    }
}
