//! What both tables of records have in common: a change of what a product or a user has.

use std::sync::Arc;

use super::Record;
use crate::base::{ReservationId, Seq, TimeMs};
use crate::event::ChangeKind;
use crate::mall::facts::Note;
use crate::mall::model::order_id;
use crate::mall::views::Movement;

/// A change of what a product or a user has.
#[derive(Debug)]
pub(in crate::sink::mysql) struct RecordRow {
    pub(in crate::sink::mysql) seq: Seq,
    pub(in crate::sink::mysql) account: u32,
    /// The product, or the user.
    pub(in crate::sink::mysql) owner: Arc<str>,
    pub(in crate::sink::mysql) kind: ChangeKind,
    /// By how much what is available changed, and what it was after.
    pub(in crate::sink::mysql) delta: i64,
    pub(in crate::sink::mysql) available: i64,
    /// How many units the event is about.
    pub(in crate::sink::mysql) quantity: u64,
    pub(in crate::sink::mysql) reservation: Option<ReservationId>,
    pub(in crate::sink::mysql) note: String,
    pub(in crate::sink::mysql) at: TimeMs,
}

impl Record for RecordRow {
    type Write = ();

    fn seq(&self) -> Seq {
        self.seq
    }
}

impl RecordRow {
    pub(in crate::sink::mysql) fn of(seq: Seq, at: TimeMs, movement: &Movement<'_>) -> Self {
        let change = &movement.change;
        Self {
            seq,
            account: change.account.number(),
            owner: Arc::clone(&movement.owner),
            kind: change.kind,
            delta: change.delta,
            available: change.available,
            quantity: change.quantity,
            reservation: change.reservation,
            note: change.note.to_owned(),
            at,
        }
    }

    /// Its id: records sort by it as their events happened.
    pub(super) fn id(&self, prefix: &str) -> String {
        format!("{prefix}{:016x}_{:08x}", self.seq, self.account)
    }

    pub(super) fn before(&self) -> i64 {
        self.available.saturating_sub(self.delta)
    }

    pub(super) fn order(&self) -> Option<String> {
        self.reservation.map(order_id)
    }

    /// Who made the change, where somebody did.
    pub(super) fn operator(&self) -> Option<&str> {
        Note::read(&self.note).operator
    }

    pub(super) fn reason(&self) -> &str {
        Note::read(&self.note).reason
    }
}
