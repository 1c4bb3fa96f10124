//! Command sequences on the engine and on the plain reference of the model test, with restarts
//! between them: the two agree after every step.
#![no_main]

#[path = "../../tests/driver/mod.rs"]
mod driver;
#[path = "../../tests/reference/mod.rs"]
mod reference;

use libfuzzer_sys::fuzz_target;
use stockhold::command::Deadline;

use self::driver::Run;
use self::driver::plan::{Return, Revival, Step, WINDOWS, Wish, accounts};
use self::reference::{Ask, Place};

/// The bytes of the input as choices; zeros when there are no more.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    /// A number below `end`.
    fn below(&mut self, end: u8) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        first % end
    }

    fn place(&mut self) -> Place {
        usize::from(self.below(accounts().len() as u8))
    }

    fn owner(&mut self) -> Option<Place> {
        (self.below(4) == 0).then(|| self.place())
    }

    fn key(&mut self) -> Option<u8> {
        (self.below(3) == 0).then(|| self.below(60))
    }

    fn quantity(&mut self) -> u64 {
        1 + u64::from(self.below(11))
    }

    fn wish(&mut self) -> Wish {
        match self.below(15) {
            0 | 1 => Wish::Sound(Ask::Receive { account: self.place(), quantity: self.quantity() }),
            2 => {
                let sign = if self.below(2) == 0 { 1 } else { -1 };
                Wish::Sound(Ask::Adjust {
                    account: self.place(),
                    delta: sign * self.quantity() as i64,
                })
            }
            3 => Wish::Sound(Ask::WriteOff { account: self.place(), quantity: self.quantity() }),
            4..8 => Wish::Sound(Ask::Reserve {
                lines: (0..=self.below(3)).map(|_| (self.place(), self.quantity())).collect(),
                ttl_ms: 1 + u64::from(self.below(60)),
                confirm: self.below(4) == 0,
                owner: self.owner(),
            }),
            8 | 9 => {
                let parts = (self.below(2) == 0)
                    .then(|| (0..=self.below(3)).map(|_| self.below(4).into()).collect());
                Wish::Confirm { pick: usize::from(self.below(6)), owner: self.owner(), parts }
            }
            10 | 11 => Wish::Release { pick: usize::from(self.below(6)), owner: self.owner() },
            12 | 13 => Wish::Sound(Ask::Transfer {
                from: self.place(),
                to: self.place(),
                quantity: self.quantity(),
            }),
            _ => Wish::Extend {
                pick: usize::from(self.below(6)),
                deadline: Deadline::After(1 + u64::from(self.below(60))),
                owner: self.owner(),
            },
        }
    }

    fn give_back(&mut self) -> Return {
        Return {
            pick: usize::from(self.below(255)),
            units: self.below(64),
            is_more: self.below(8) == 0,
            written_off: self.below(8),
            owner: self.owner(),
        }
    }

    fn step(&mut self) -> Step {
        match self.below(41) {
            0..12 => Step::Ask { wish: self.wish(), key: self.key(), wait: self.below(2) == 0 },
            12 | 13 => Step::Retry {
                pick: usize::from(self.below(255)),
                is_other: self.below(3) == 0,
            },
            14 | 15 => {
                Step::Batch((0..=self.below(5)).map(|_| (self.wish(), self.key())).collect())
            }
            16 => Step::Open(self.place()),
            17..20 => Step::Tick(1 + u64::from(self.below(30))),
            20 | 21 => Step::Expire,
            22 => Step::Checkpoint,
            23 => Step::SetPolicy {
                // Quotas alone.
                place: 4 + usize::from(self.below(accounts().len() as u8 - 4)),
                limit: 1 + u64::from(self.below(7)),
                window: usize::from(self.below(WINDOWS.len() as u8)),
                key: self.key(),
            },
            24 | 25 => Step::Together {
                wishes: (0..=self.below(5)).map(|_| self.wish()).collect(),
                key: self.key(),
            },
            26..29 => Step::Return { wish: self.give_back(), key: self.key() },
            29 => Step::Close(self.place()),
            30 => Step::Document {
                name: self.below(3),
                bytes: (self.below(4) > 0).then(|| usize::from(self.below(200))),
                key: self.key(),
            },
            31..34 => {
                let wish = Revival { pick: usize::from(self.below(255)), owner: self.owner() };
                Step::Revive { wish, key: self.key() }
            }
            34 | 35 => Step::Join {
                place: self.place(),
                owner: self.place(),
                places_max: 1 + usize::from(self.below(3)),
            },
            36 => {
                Step::Leave { place: self.place(), owner: self.place(), is_first: self.below(4) == 0 }
            }
            37 | 38 => Step::Grant {
                place: self.place(),
                units: 1 + u64::from(self.below(2)),
                ttl_ms: 1 + u64::from(self.below(60)),
                is_last: self.below(8) == 0,
            },
            _ => Step::Reopen { close: self.below(2) == 0, checkpoint: self.below(2) == 0 },
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let mut choices = Choices(input);
    let mut run = Run::new();
    while !choices.0.is_empty() {
        run.step(choices.step());
    }
    run.reopen(false, false);
    run.compare();
});
