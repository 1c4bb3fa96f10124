//! What a user has over all accounts of points: those that are good for ever, and those that end. An
//! event tells what one of them has; what the others have is remembered here, and the first time it
//! is asked for.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::error::Result;
use crate::base::{AccountId, AccountKey, AccountKind, Seq};
use crate::engine::Engine;
use crate::event::effects::Effects;
use crate::event::{ChangeKind, Event, Fact};
use crate::mall::views::{Change, Changes, Movement};
use crate::reader::{DirectoryReader, LedgerView};

/// So many users with points that end are remembered; then the table begins anew.
const USERS_MAX: usize = 1 << 16;
/// How many changes of an account are read at once.
const PIECE: usize = 64;

/// Where accounts are looked up.
pub(super) trait Accounts: Send {
    fn find(&self, key: &AccountKey) -> Option<AccountId>;

    /// What an account had available before an event.
    fn available_before(&self, account: AccountId, seq: Seq) -> Result<i64>;
}

/// The balances of users that have points with an end.
pub(super) struct Balances {
    accounts: Box<dyn Accounts>,
    /// All accounts of their points, by user.
    of_user: HashMap<Arc<str>, Vec<AccountId>, foldhash::fast::RandomState>,
    /// What each of them has after the last event.
    known: HashMap<Arc<str>, HashMap<AccountId, i64>, foldhash::fast::RandomState>,
}

impl Balances {
    /// `keys` are those of the accounts that no event will tell of as opened.
    pub(super) fn new(
        accounts: Box<dyn Accounts>,
        keys: impl Iterator<Item = (AccountKey, AccountId)>,
    ) -> Self {
        let (of_user, known) = (HashMap::default(), HashMap::default());
        let mut balances = Self { accounts, of_user, known };
        keys.for_each(|(key, account)| balances.learn(&key, account));
        balances
    }

    /// Forgets what accounts have: the events begin at another place.
    pub(super) fn begin_anew(&mut self) {
        self.known.clear();
    }

    /// Gives the changes of points of an event the balances over all accounts, and leaves out what
    /// only moves from one account of a user to another.
    pub(super) fn over_all(
        &mut self,
        seq: Seq,
        event: &Event<'_>,
        changes: &mut Changes<'_>,
    ) -> Result<()> {
        for fact in event.facts() {
            if let Fact::AccountOpened { account, key, .. } = fact {
                self.learn(key, *account);
            }
        }
        if self.of_user.is_empty() {
            return Ok(());
        }
        if self.known.len() >= USERS_MAX {
            self.known.clear();
        }
        // Records of one event are told apart, and sorted, by their accounts.
        changes.sort_by_key(|change| match change {
            Change::Points(movement) => Some(movement.change.account),
            _ => None,
        });
        let moves: Vec<bool> = (0..changes.len()).map(|at| is_move(changes, at)).collect();
        for change in changes.iter_mut() {
            if let Change::Points(movement) = change {
                movement.change.available = self.sum(seq, movement)?;
            }
        }
        let mut moves = moves.into_iter();
        changes.retain(|_| !moves.next().unwrap_or(false));
        Ok(())
    }

    fn learn(&mut self, key: &AccountKey, account: AccountId) {
        if key.until().is_none() {
            return;
        }
        let accounts = self.of_user.entry(key.owner().into()).or_default();
        if accounts.is_empty() {
            let forever = AccountKey::points(key.owner()).ok();
            accounts.extend(forever.and_then(|key| self.accounts.find(&key)));
        }
        if !accounts.contains(&account) {
            accounts.push(account);
        }
    }

    fn sum(&mut self, seq: Seq, Movement { owner, change, .. }: &Movement<'_>) -> Result<i64> {
        let Some(accounts) = self.of_user.get(owner) else {
            return Ok(change.available);
        };
        if !self.known.contains_key(owner) {
            let before = |account| Ok((account, self.accounts.available_before(account, seq)?));
            let before = accounts.iter().copied().map(before).collect::<Result<_>>()?;
            self.known.insert(Arc::clone(owner), before);
        }
        let each = self.known.entry(Arc::clone(owner)).or_default();
        each.insert(change.account, change.available);
        Ok(each.values().copied().fold(0, i64::saturating_add))
    }
}

/// Whether a change is one side of a move from one account of a user to another.
fn is_move(changes: &[Change<'_>], at: usize) -> bool {
    let Change::Points(Movement { owner, change, .. }) = &changes[at] else {
        return false;
    };
    let other = match change.kind {
        ChangeKind::TransferredOut => ChangeKind::TransferredIn,
        ChangeKind::TransferredIn => ChangeKind::TransferredOut,
        _ => return false,
    };
    changes.iter().any(|it| {
        matches!(it, Change::Points(it) if it.owner == *owner && it.change.kind == other
            && it.change.quantity == change.quantity)
    })
}

/// The accounts of an engine, with what they had as its history tells it.
pub(super) struct Live(pub(super) Engine);

impl Live {
    pub(super) fn balances(engine: &Engine) -> Balances {
        let points = engine.accounts_of_kind("points").flatten();
        let keys = points.map(|level| (level.key, level.account));
        Balances::new(Box::new(Self(engine.clone())), keys)
    }
}

impl Accounts for Live {
    fn find(&self, key: &AccountKey) -> Option<AccountId> {
        self.0.account(key)
    }

    fn available_before(&self, account: AccountId, seq: Seq) -> Result<i64> {
        let history = self.0.history();
        if history.seq()? + 1 < seq {
            self.0.catch_up().wait()?;
        }
        if let Some(last) = history.changes_of(account, Some(seq), 1)?.first() {
            return Ok(last.available);
        }
        if history.first_seq()? <= 1 {
            return Ok(0);
        }
        // History does not know that time any more: what the account had then is what it had before
        // the oldest change since.
        self.0.catch_up().wait()?;
        let (mut oldest, mut before) = (None, None);
        loop {
            let piece = history.changes_of(account, before, PIECE)?;
            before = piece.last().map(|change| change.seq);
            let is_last = piece.len() < PIECE;
            oldest = piece.into_iter().last().or(oldest);
            if is_last {
                break;
            }
        }
        match oldest {
            Some(change) => Ok(change.available - change.delta),
            None => Ok(self.0.level(account)?.available),
        }
    }
}

/// The accounts of a ledger of the past, with what they had before the events that led to it.
pub(super) struct Past {
    ledger: Arc<LedgerView>,
    before: HashMap<AccountId, i64>,
}

impl Past {
    /// Before the event `from_seq`, for a ledger that `reader` shows.
    pub(super) fn balances(
        ledger: &Arc<LedgerView>,
        reader: &DirectoryReader,
        from_seq: Seq,
    ) -> Result<Balances> {
        let levels = ledger.levels();
        let of_points = levels.iter().filter(|level| level.key.kind() == AccountKind::Points);
        let keys: Vec<_> = of_points.map(|level| (level.key.clone(), level.account)).collect();
        let mut before = HashMap::new();
        if keys.iter().any(|(key, _)| key.until().is_some()) {
            let points = levels.iter().filter(|level| level.key.kind() == AccountKind::Points);
            before = points.map(|level| (level.account, level.available)).collect();
            undo(&mut before, reader, from_seq, ledger.seq())?;
        }
        Ok(Balances::new(Box::new(Self { ledger: Arc::clone(ledger), before }), keys.into_iter()))
    }
}

/// Takes back what events did to accounts.
fn undo(
    accounts: &mut HashMap<AccountId, i64>,
    reader: &DirectoryReader,
    from_seq: Seq,
    to_seq: Seq,
) -> Result<()> {
    if from_seq > to_seq {
        return Ok(());
    }
    for event in reader.events(from_seq..=to_seq)? {
        let (_, event) = event?;
        for effects in Effects::of(&event)? {
            let opened = effects.opened.map(|opened| (opened.account, opened.units));
            let changed = effects.changes.iter().map(|change| (change.account, change.delta));
            for (account, delta) in opened.into_iter().chain(changed) {
                if let Some(available) = accounts.get_mut(&account) {
                    *available = available.saturating_sub(delta);
                }
            }
        }
    }
    Ok(())
}

impl Accounts for Past {
    fn find(&self, key: &AccountKey) -> Option<AccountId> {
        self.ledger.account(key)
    }

    fn available_before(&self, account: AccountId, _: Seq) -> Result<i64> {
        // Asked for at the first event about the user's points, so nothing has changed since.
        Ok(self.before.get(&account).copied().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::mall::views::Views;

    const FOREVER: u32 = 1;
    const LOT: u32 = 2;
    const GRACE: u32 = 3;

    fn key(account: AccountId) -> Option<AccountKey> {
        match account.number() {
            FOREVER => AccountKey::points("ann").ok(),
            LOT => AccountKey::points_until("ann", 86_400_000).ok(),
            GRACE => AccountKey::points_until("ann", 172_800_000).ok(),
            _ => None,
        }
    }

    /// Ann had ten points for ever before whatever is looked at first.
    struct Ten;

    impl Accounts for Ten {
        fn find(&self, key: &AccountKey) -> Option<AccountId> {
            (key.as_str() == "points/ann").then(|| AccountId::from_number(FOREVER))
        }

        fn available_before(&self, account: AccountId, _: Seq) -> Result<i64> {
            Ok(if account.number() == FOREVER { 10 } else { 0 })
        }
    }

    fn received(account: u32, quantity: u64, available: i64) -> Fact<'static> {
        let account = AccountId::from_number(account);
        Fact::Received { account, quantity, available, note: Cow::Borrowed("") }
    }

    #[test]
    fn a_balance_goes_over_all_accounts_and_a_move_between_them_is_no_change() {
        let mut balances = Balances::new(Box::new(Ten), std::iter::empty());
        let mut views = Views::new(Box::new(key));
        let mut seq = 0;
        let mut told = |fact: Fact<'static>| {
            seq += 1;
            let event = Event { at: seq, request: None, fact };
            let mut changes = views.changes(&event).expect("a true event");
            balances.over_all(seq, &event, &mut changes).expect("it is known");
            let of_points = changes.iter().filter_map(|change| match change {
                Change::Points(movement) => {
                    Some((movement.change.delta, movement.change.available))
                }
                Change::Earned { .. } => None,
                other => panic!("{other:?}"),
            });
            of_points.collect::<Vec<_>>()
        };
        let opened = |account: u32| {
            let account = AccountId::from_number(account);
            let (key, policy) = (key(account).expect("it has one"), crate::event::Policy::strict());
            Fact::AccountOpened { account, key, policy }
        };
        assert_eq!(told(received(FOREVER, 2, 12)), [(2, 12)]);
        assert_eq!(told(opened(LOT)), [(0, 10)], "ten, as the others are looked up now");
        assert_eq!(told(received(LOT, 5, 5)), [(5, 15)]);
        assert_eq!(told(received(FOREVER, 1, 11)), [(1, 16)]);
        assert_eq!(told(opened(GRACE)), [(0, 16)]);
        let moved = Fact::Transferred {
            from: AccountId::from_number(LOT),
            to: AccountId::from_number(GRACE),
            quantity: 5,
            from_available: 0,
            to_available: 5,
            note: Cow::Borrowed(""),
        };
        assert_eq!(told(moved), []);
        assert_eq!(told(received(GRACE, 4, 9)), [(4, 20)]);
    }
}
