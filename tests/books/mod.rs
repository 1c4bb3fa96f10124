//! The oracle's books, kept from the journal of an engine: every prefix of it is held to the rules.
#![allow(missing_docs, dead_code, reason = "each test uses its part of this module")]

use std::ops::Deref;

use stockhold::Engine;
use stockhold::event::Event;
use stockhold::test_util::oracle;

/// What the events from the first one on come to.
#[derive(Debug, Default)]
pub struct Books(oracle::Books);

impl Deref for Books {
    type Target = oracle::Books;

    fn deref(&self) -> &oracle::Books {
        &self.0
    }
}

impl Books {
    /// Reads the whole journal.
    pub fn of(engine: &Engine) -> Self {
        let mut books = Self::default();
        books.follow(engine, |_| {});
        books
    }

    /// Reads on from where it stands, and shows each event.
    pub fn follow(&mut self, engine: &Engine, mut each: impl FnMut(&Event<'static>)) {
        let mut events = engine.subscribe(self.seq + 1).expect("the journal is kept from there on");
        while self.seq < engine.durable_seq() {
            let (seq, event) =
                events.next_event().expect("the journal reads").expect("the engine is open");
            assert_eq!(seq, self.seq + 1, "events come without a gap");
            each(&event);
            self.0.enter(&event).unwrap_or_else(|why| panic!("{why}: {event:?}"));
        }
    }

    /// Holds the engine's own state to the books.
    pub fn assert_matches(&self, engine: &Engine) {
        if let Err(why) = self.0.compare(engine) {
            panic!("the engine's state, and what its events come to: {why}");
        }
    }
}
