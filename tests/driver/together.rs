//! Commands that happen together, or not at all.

use stockhold::command::Atomic;
use stockhold::test_util::oracle::{self, numbers_of, said_together};

use super::{Asked, DETAILS, Run, key_of};
use crate::reference::Ask;

impl Run {
    pub(super) fn together(&mut self, asks: Vec<Ask>, key: Option<u8>) {
        let requests: Vec<oracle::Ask> =
            asks.iter().map(|ask| ask.with(|place| self.id(place), DETAILS)).collect();
        let commands: Vec<_> = requests.iter().map(|request| request.command(None)).collect();
        let atomic = Atomic::new(&commands).key(key.map(key_of));
        let said = self.engine().atomic(atomic).and_then(|ticket| ticket.wait());
        let said = said.map(said_together).map_err(|error| error.kind());
        if let Err(why) = self.reference.hear_together(&requests, key, &said) {
            panic!("{asks:?} together, with key {key:?}: {why}");
        }
        self.made.extend(numbers_of(&said).into_iter().flatten());
        self.asked.extend(key.map(|key| (Asked::Together(asks), key)));
    }
}
