//! The changes of several accounts as those of one: of a user's points with one end, and of those that
//! are good for ever.

use crate::base::error::Result;
use crate::base::{AccountId, Seq};
use crate::engine::Engine;
use crate::event::ChangeKind;
use crate::history::record::ChangeRecord;

/// The newest changes of these accounts, of events before `before`: `count` and the rest of the last
/// one's event, fewer where there are no more. What is available after each is the sum over all
/// accounts, and what moves from one of them to another changes nothing.
pub(super) fn piece(
    engine: &Engine,
    accounts: &[AccountId],
    before: Option<Seq>,
    count: usize,
) -> Result<Vec<ChangeRecord>> {
    let of_each =
        accounts.iter().map(|account| engine.history().changes_of(*account, before, count));
    Ok(merge(of_each.collect::<Result<Vec<_>>>()?, count))
}

/// Merges the changes of each account, newest first, of which the first is the last before a moment.
fn merge(of_each: Vec<Vec<ChangeRecord>>, count: usize) -> Vec<ChangeRecord> {
    let newest = of_each.iter().filter_map(|changes| changes.first());
    let mut balance = newest.fold(0_i64, |sum, newest| sum.saturating_add(newest.available));
    let mut all: Vec<ChangeRecord> = of_each.into_iter().flatten().collect();
    // Stable: changes of one account stay in their order.
    all.sort_by_key(|change| std::cmp::Reverse((change.seq, change.account)));
    if let Some(last) = count.checked_sub(1).and_then(|last| all.get(last)).map(|last| last.seq) {
        all.truncate(all.partition_point(|change| change.seq >= last));
    }
    for at in 0..all.len() {
        if is_moved(&all, at) {
            all[at].delta = 0;
        }
        all[at].available = balance;
        balance = balance.saturating_sub(all[at].delta);
    }
    all
}

/// Whether a change is one side of a move between two of the accounts.
fn is_moved(all: &[ChangeRecord], at: usize) -> bool {
    let change = &all[at];
    let other = match change.kind {
        ChangeKind::TransferredOut => ChangeKind::TransferredIn,
        ChangeKind::TransferredIn => ChangeKind::TransferredOut,
        _ => return false,
    };
    let first = all.partition_point(|it| it.seq > change.seq);
    let mut of_event = all[first..].iter().take_while(|it| it.seq == change.seq);
    of_event.any(|it| it.kind == other && it.quantity == change.quantity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(
        account: u32,
        seq: Seq,
        kind: ChangeKind,
        delta: i64,
        available: i64,
    ) -> ChangeRecord {
        ChangeRecord {
            seq,
            account: AccountId::from_number(account),
            kind,
            delta,
            available,
            quantity: delta.unsigned_abs(),
            reservation: None,
            at: seq,
            note: String::new(),
        }
    }

    #[test]
    fn balances_go_over_all_accounts_and_a_move_between_them_is_none() {
        use ChangeKind::{Bought, Received, Returned, TransferredIn, TransferredOut};
        let forever = vec![change(1, 4, Bought, -2, 8), change(1, 1, Received, 10, 10)];
        let lot = vec![
            change(2, 6, TransferredOut, -5, 0),
            change(2, 5, Returned, 5, 5),
            change(2, 4, Bought, -5, 0),
            change(2, 2, Received, 5, 5),
        ];
        let grace = vec![change(3, 6, TransferredIn, 5, 5)];
        let told = |count| {
            let all = merge(vec![forever.clone(), lot.clone(), grace.clone()], count);
            all.iter().map(|it| (it.seq, it.delta, it.available)).collect::<Vec<_>>()
        };
        let all =
            [(6, 0, 13), (6, 0, 13), (5, 5, 13), (4, -5, 8), (4, -2, 13), (2, 5, 15), (1, 10, 10)];
        assert_eq!(told(64), all);
        assert_eq!(told(1), all[..2], "no event is cut");
        assert_eq!(told(4), all[..5]);
        assert_eq!(told(7), all);
    }
}
