//! Catches any difference between the store and plain maps, whatever the order of events, flushes
//! and reopenings.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Reserve { reservation: u64, owner: Option<u32>, confirmed: bool, quantity: u64 },
    End { reservation: u64, state: ReservationState },
    Return { reservation: u64, units: u64 },
    Revive { reservation: u64 },
    Note { reservation: u64 },
    Flush { budget: usize },
    FlushAll,
    Merge { budget: usize },
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let states = prop_oneof![
        Just(ReservationState::Confirmed),
        Just(ReservationState::Released),
        Just(ReservationState::Expired),
        Just(ReservationState::Returned)
    ];
    let reserve = (0..40u64, proptest::option::of(0..3u32), any::<bool>(), 1..1_000u64);
    let step = prop_oneof![
        6 => reserve.prop_map(|(reservation, owner, confirmed, quantity)| Step::Reserve {
            reservation, owner, confirmed, quantity
        }),
        6 => (0..40u64, states).prop_map(|(reservation, state)| Step::End { reservation, state }),
        3 => (0..40u64, 1..400u64).prop_map(|(reservation, units)| Step::Return { reservation, units }),
        3 => (0..40u64).prop_map(|reservation| Step::Revive { reservation }),
        2 => (0..40u64).prop_map(|reservation| Step::Note { reservation }),
        2 => (1..30usize).prop_map(|budget| Step::Flush { budget }),
        3 => Just(Step::FlushAll),
        3 => (1..60usize).prop_map(|budget| Step::Merge { budget }),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..120)
}

/// What history should be, after every event.
#[derive(Clone, Debug, Default)]
struct Model {
    records: BTreeMap<u64, ReservationRecord>,
    changes: BTreeMap<Seq, ChangeRecord>,
}

const ACCOUNT: AccountId = STOCK;

impl Model {
    /// The event of a step, applied here too; `None` when the ledger could not have said so.
    fn apply(&mut self, seq: Seq, step: &Step) -> Option<Fact<'static>> {
        match *step {
            Step::Reserve { reservation, owner, confirmed, quantity } => self.reserve(
                seq,
                reservation,
                owner.map(AccountId::from_number),
                confirmed,
                quantity,
            ),
            Step::End { reservation, state: ReservationState::Returned } => {
                self.give_back(seq, reservation, u64::MAX)
            }
            Step::End { reservation, state } => self.end(seq, reservation, state),
            Step::Return { reservation, units } => self.give_back(seq, reservation, units),
            Step::Revive { reservation } => self.revive(seq, reservation),
            Step::Note { reservation } => {
                let record = self.records.get_mut(&reservation)?;
                let body = seq.to_string().into_bytes();
                record
                    .notes
                    .push(crate::history::record::NoteRecord { at: seq, body: body.clone() });
                Some(Fact::Noted { reservation: id(reservation), body: body.into() })
            }
            _ => None,
        }
    }

    fn reserve(
        &mut self,
        seq: Seq,
        reservation: u64,
        owner: Option<AccountId>,
        confirmed: bool,
        quantity: u64,
    ) -> Option<Fact<'static>> {
        if self.records.contains_key(&reservation) {
            return None;
        }
        let consumed = u64::from(confirmed) * quantity;
        let record = ReservationRecord {
            reservation: id(reservation),
            owner,
            state: if confirmed { ReservationState::Confirmed } else { ReservationState::Pending },
            lines: vec![RecordLine { account: ACCOUNT, quantity, consumed, returned: 0 }],
            created_at: seq,
            expires_at: seq + 100,
            ended_at: confirmed.then_some(seq),
            returned_at: None,
            details: vec![1; quantity as usize % 50],
            notes: vec![],
            events: vec![seq],
        };
        let kind = if confirmed { ChangeKind::Bought } else { ChangeKind::Reserved };
        self.change(seq, kind, -(quantity as i64), quantity, reservation);
        let fact = Fact::Reserved {
            reservation: id(reservation),
            owner,
            expires_at: seq + 100,
            confirmed,
            lines: [line(ACCOUNT, quantity, consumed, seq as i64)].into_iter().collect(),
            details: record.details.clone().into(),
        };
        self.records.insert(reservation, record);
        Some(fact)
    }

    fn end(
        &mut self,
        seq: Seq,
        reservation: u64,
        state: ReservationState,
    ) -> Option<Fact<'static>> {
        let record = self.records.get_mut(&reservation)?;
        if record.state != ReservationState::Pending {
            return None;
        }
        record.state = state;
        let quantity = record.lines[0].quantity;
        // A confirm in part, so that some goes back.
        let consumed = u64::from(state == ReservationState::Confirmed) * quantity.div_ceil(2);
        record.ended_at = Some(seq);
        record.lines[0].consumed = consumed;
        record.events.push(seq);
        let lines = [line(ACCOUNT, quantity, consumed, seq as i64)].into_iter().collect();
        let end = End { reservation: id(reservation), expires_at: record.expires_at, lines };
        let back = (quantity - consumed) as i64;
        let (kind, about, fact) = match state {
            ReservationState::Confirmed => (ChangeKind::Confirmed, consumed, Fact::Confirmed(end)),
            ReservationState::Released => (ChangeKind::Released, quantity, Fact::Released(end)),
            _ => (ChangeKind::Expired, quantity, Fact::Expired(end)),
        };
        self.change(seq, kind, back, about, reservation);
        Some(fact)
    }

    /// At most so many units of a confirmed reservation go back.
    fn give_back(&mut self, seq: Seq, reservation: u64, units: u64) -> Option<Fact<'static>> {
        let record = self.records.get_mut(&reservation)?;
        let RecordLine { account, consumed, returned, .. } = record.lines[0];
        if record.state != ReservationState::Confirmed {
            return None;
        }
        let units = units.min(consumed - returned);
        let returned = returned + units;
        record.lines[0].returned = returned;
        record.events.push(seq);
        if returned == consumed {
            (record.state, record.returned_at) = (ReservationState::Returned, Some(seq));
        }
        self.change(seq, ChangeKind::Returned, units as i64, units, reservation);
        let part =
            Part { lines: vec![PartLine { account, consumed, returned }], written_off: vec![] };
        Some(Fact::Returned {
            reservation: id(reservation),
            lines: [line(ACCOUNT, units, 0, seq as i64)].into_iter().collect(),
            note: "".into(),
            consumed_at: None,
            expires_at: 0,
            part: (units < consumed).then(|| Box::new(part)),
        })
    }

    /// What expired is confirmed after all.
    fn revive(&mut self, seq: Seq, reservation: u64) -> Option<Fact<'static>> {
        let record = self.records.get_mut(&reservation)?;
        if record.state != ReservationState::Expired {
            return None;
        }
        let quantity = record.lines[0].quantity;
        record.lines[0].consumed = quantity;
        (record.state, record.ended_at) = (ReservationState::Confirmed, Some(seq));
        record.events.push(seq);
        let (owner, expires_at) = (record.owner, record.expires_at);
        self.change(seq, ChangeKind::Bought, -(quantity as i64), quantity, reservation);
        let lines = [line(ACCOUNT, quantity, quantity, seq as i64)].into_iter().collect();
        Some(Fact::Revived { reservation: id(reservation), owner, expires_at, lines })
    }

    fn change(&mut self, seq: Seq, kind: ChangeKind, delta: i64, quantity: u64, reservation: u64) {
        let change = ChangeRecord {
            seq,
            account: ACCOUNT,
            kind,
            delta,
            available: seq as i64,
            quantity,
            reservation: Some(id(reservation)),
            at: seq,
            note: String::new(),
        };
        self.changes.insert(seq, change);
    }

    fn compare(&self, store: &Store) {
        for number in 0..40 {
            let found = store.reservation(id(number)).expect("a read");
            assert_eq!(found.as_ref(), self.records.get(&number));
        }
        for owner in (0..3).map(AccountId::from_number) {
            let owned = self.records.values().rev().filter(|record| record.owner == Some(owner));
            let found = store.reservations_of(owner, None, 100).expect("a read");
            assert!(found.iter().eq(owned));
        }
        let found = store.changes_of(ACCOUNT, None, 1_000).expect("a read");
        assert!(found.iter().eq(self.changes.values().rev()));
        for course in Course::BOTH {
            let found = store.touched(course, None, 1_000).expect("a read");
            let found: Vec<_> = found.into_iter().map(|it| (it.seq, it.accounts)).collect();
            let changes = self.changes.values().rev();
            let of_course = changes.filter(|change| Course::of(change.kind) == course);
            let want: Vec<_> = of_course.map(|it| (it.seq, vec![(it.account, it.kind)])).collect();
            assert_eq!(found, want, "{course:?}");
        }
        for record in self.records.values() {
            let mut events = self.changes.values();
            let of = events.by_ref().filter(|it| it.reservation == Some(record.reservation));
            assert!(of.map(|it| it.seq).eq(record.events.iter().copied()), "{record:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_agrees_with_plain_maps(steps in steps()) {
        let home = Home::new();
        let mut store = home.open();
        let mut model = Model::default();
        // The journal: what is replayed after a reopening that lost what was not flushed.
        let mut journal: Vec<Event<'static>> = Vec::new();
        for step in &steps {
            match step {
                Step::Flush { budget } => drop(store.flush(*budget).expect("a flush")),
                Step::FlushAll => store.flush_all().expect("a flush"),
                Step::Merge { budget } => store.merge(*budget).expect("a merge"),
                Step::Reopen => {
                    drop(store);
                    store = home.reopen();
                    for (event, seq) in journal.iter().zip(1..).skip(store.watermark() as usize) {
                        store.project(seq, event).expect("a replay");
                    }
                }
                step => {
                    let seq = journal.len() as Seq + 1;
                    let Some(fact) = model.apply(seq, step) else { continue };
                    journal.push(event(seq, fact));
                    store.project(seq, &journal[journal.len() - 1]).expect("a projection");
                }
            }
        }
        model.compare(&store);
        merge_all(&store);
        model.compare(&store);
        store.close().expect("a close");
        drop(store);
        model.compare(&home.reopen());
    }
}
