//! What both tables of records have in common: a change of what a product or a user has.

use std::sync::Arc;

use super::Record;
use crate::base::{ReservationId, Seq, TimeMs};
use crate::event::ChangeKind;
use crate::mall::facts::{Note, PointsNote};
use crate::mall::model::{RecordPlace, order_id};
use crate::mall::views::Movement;

/// A change of what a product or a user has.
#[derive(Debug)]
pub(in crate::sink::mysql) struct RecordRow {
    pub(in crate::sink::mysql) seq: Seq,
    pub(in crate::sink::mysql) account: u32,
    /// How many records of the account the same event made before it.
    pub(in crate::sink::mysql) earlier: u16,
    /// The product, or the user.
    pub(in crate::sink::mysql) owner: Arc<str>,
    /// Where units are that are not for sale.
    pub(in crate::sink::mysql) location: Option<Arc<str>>,
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
    /// The record that follows those `before` it.
    pub(in crate::sink::mysql) fn of(
        seq: Seq,
        at: TimeMs,
        movement: &Movement<'_>,
        before: &[Self],
    ) -> Self {
        let change = &movement.change;
        let account = change.account.number();
        let of_event = before.iter().rev().take_while(|row| row.seq == seq);
        Self {
            seq,
            account,
            // An event has at most some hundred changes of an account.
            earlier: u16::try_from(of_event.filter(|row| row.account == account).count())
                .unwrap_or(u16::MAX),
            owner: Arc::clone(&movement.owner),
            location: movement.location.clone(),
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
    pub(in crate::sink::mysql) fn id(&self, prefix: &str) -> String {
        let (seq, account) = (self.seq, self.account);
        RecordPlace { seq, account, earlier: self.earlier }.id(prefix)
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

    pub(super) fn points_note(&self) -> PointsNote<'_> {
        PointsNote::read(&self.note)
    }

    pub(super) fn reason(&self) -> &str {
        Note::read(&self.note).reason
    }
}
