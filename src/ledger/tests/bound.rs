//! Would catch a table that grows beyond what is promised for it before anything is refused, a bound
//! that says nothing, and a full table that answers something else than `Overloaded`.

use super::super::bound::TableBytes;
use super::*;
use crate::base::{BODY_BYTES_MAX, LINES_MAX};

const LIMITS: Limits = Limits {
    reservations_per_shard_max: 40,
    accounts_per_shard_max: 3,
    keys: KeyLimits { window_ms: 1_000, records_max: 20_000, per_owner_max: 20_000, salt: 5 },
    documents_max: 5,
    places_per_shard_max: 64,
};

fn full() -> Fixture {
    Fixture { ledger: Ledger::new(LIMITS, 0), list: List::default() }
}

/// The longest key there is, so that each account takes as much as it may.
fn long_key(number: usize) -> AccountKey {
    let parts: Vec<String> =
        (0..AccountKey::PARTS_MAX).map(|part| format!("{part}{number:063}")).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    AccountKey::custom(&"k".repeat(AccountKey::KIND_BYTES_MAX), &parts).expect("a valid key")
}

fn is_overloaded<T>(outcome: Result<T>, what: &str) -> bool {
    match outcome {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Overloaded, "{error}");
            assert!(error.to_string().contains(what), "{error}");
            true
        }
    }
}

/// As many accounts in each shard as there may be.
fn fill_accounts(fixture: &Fixture) -> Vec<AccountId> {
    let policy = Policy::quota(1 << 40, Window::Rolling { length_ms: 30 * 24 * 3_600_000 });
    let mut accounts = Vec::new();
    let mut refused = 0;
    for number in 0..10_000 {
        let opened = fixture.ledger.open_account(&long_key(number), policy, 0, &fixture.list);
        match opened {
            Ok((account, _)) => accounts.push(account),
            refusal => refused += usize::from(is_overloaded(refusal, "accounts")),
        }
    }
    assert_eq!(accounts.len(), 3 * SHARD_COUNT);
    assert_eq!(refused, 10_000 - accounts.len());
    accounts.sort_unstable_by_key(|account| (account.shard(), account.index()));
    accounts
}

/// As many reservations in each shard as there may be, with as many lines as there may be.
fn fill_reservations(fixture: &Fixture, accounts: &[AccountId]) {
    for of_shard in accounts.chunks(3) {
        let lines: Vec<Line> = of_shard
            .iter()
            .cycle()
            .take(LINES_MAX)
            .map(|account| Line { account: *account, quantity: 1 })
            .collect();
        for number in 0..40 {
            let taken = fixture.execute(Command::Reserve(Reserve::new(&lines, 1_000 + number)), 0);
            reservation_of(taken);
        }
        let more = Command::Reserve(Reserve::new(&lines, 1_000));
        let refused = fixture.ledger.execute(&more, 0, &fixture.list);
        assert!(is_overloaded(refused, "reservations"));
    }
}

/// As many records of keys as there may be, each for an owner of its own, and then as many for one.
fn fill_keys(fixture: &Fixture, account: AccountId) {
    for (round, owners) in [20_000, 1, 20_000].into_iter().enumerate() {
        let now = 1_000 * round as TimeMs;
        let mut kept = 0;
        for number in 0..25_000 {
            let key = IdempotencyKey::new("scope", &format!("{round}-{number}")).expect("a key");
            let owner = number % owners;
            let key = key.owned_by(&format!("{round}-{owner}"));
            let receive = Receive { account, quantity: 1, note: "", key: Some(key) };
            let done = fixture.ledger.execute(&Command::Receive(receive), now, &fixture.list);
            match done {
                Ok(_) => kept += 1,
                Err(error) if owners == 1 && error.kind() == ErrorKind::Throttled => {}
                refusal => assert!(is_overloaded(refusal, "keyed")),
            }
        }
        // What is old goes when its shard has its turn; until then there may be less room.
        assert!((18_000..=22_000).contains(&kept), "{kept} in round {round}");
    }
}

fn fill_documents(fixture: &Fixture) {
    let body = vec![7; BODY_BYTES_MAX];
    for number in 0..6 {
        let (collection, key) = ("c".repeat(NAME_BYTES_MAX), format!("{number:0128}"));
        let put = fixture.ledger.put_document(
            &PutDocument::new(&collection, &key, &body),
            0,
            &fixture.list,
        );
        assert_eq!(is_overloaded(put, "documents"), number == 5, "{number}");
    }
}

/// An account that was used so often that it keeps as many uses as it can.
fn fill_uses(fixture: &Fixture, account: AccountId) {
    for at in 0..1_200 {
        let lines = [Line { account, quantity: 1 }];
        let used = Reserve::new(&lines, 1).confirmed();
        reservation_of(fixture.execute(Command::Reserve(used), at));
    }
}

#[test]
fn full_tables_take_no_more_than_was_said_and_not_much_less() {
    let fixture = full();
    let bound = LIMITS.bytes_max();
    let accounts = fill_accounts(&fixture);
    fill_reservations(&fixture, &accounts);
    fill_keys(&fixture, accounts[0]);
    fill_documents(&fixture);
    accounts[..6].iter().for_each(|account| fill_uses(&fixture, *account));
    let taken = fixture.ledger.table_bytes();
    // How many times as much the bound may be: one that is far off helps nobody.
    let check = |what: &str, of: fn(&TableBytes) -> u64, factor: u64| {
        let (taken, bound) = (of(&taken), of(&bound));
        assert!(taken <= bound, "{what} take {taken} bytes, and at most {bound} were said");
        assert!(taken > bound / factor, "{what} take {taken} bytes, and {bound} were said");
    };
    check("accounts", |bytes| bytes.accounts, 4);
    check("reservations", |bytes| bytes.reservations, 8);
    check("keys", |bytes| bytes.keys, 8);
    check("documents", |bytes| bytes.documents, 2);
    // Six of all accounts.
    check("uses", |bytes| bytes.uses, (accounts.len() / 6 * 2) as u64);
}

#[test]
fn the_bound_follows_the_limits() {
    let small = LIMITS.bytes_max();
    let twice = Limits {
        reservations_per_shard_max: 2 * 4_096,
        accounts_per_shard_max: 2 * 4_096,
        keys: KeyLimits { records_max: 2 << 20, ..LIMITS.keys },
        documents_max: 2_000,
        places_per_shard_max: 2_000,
    };
    let once = Limits {
        reservations_per_shard_max: 4_096,
        accounts_per_shard_max: 4_096,
        keys: KeyLimits { records_max: 1 << 20, ..LIMITS.keys },
        documents_max: 1_000,
        places_per_shard_max: 1_000,
    };
    for of in [
        |bytes: &TableBytes| bytes.accounts,
        |bytes: &TableBytes| bytes.uses,
        |bytes: &TableBytes| bytes.reservations,
        |bytes: &TableBytes| bytes.keys,
        |bytes: &TableBytes| bytes.documents,
        |bytes: &TableBytes| bytes.places,
    ] {
        let [small, once, twice] = [small, once.bytes_max(), twice.bytes_max()].map(|b| of(&b));
        assert!(small < once, "{small} {once}");
        assert!((once * 18 / 10..=once * 22 / 10).contains(&twice), "{once} {twice}");
    }
    let most = Limits {
        reservations_per_shard_max: usize::MAX,
        accounts_per_shard_max: usize::MAX,
        keys: KeyLimits { records_max: usize::MAX, ..LIMITS.keys },
        documents_max: usize::MAX,
        places_per_shard_max: usize::MAX,
    };
    assert_eq!(most.bytes_max().reservations, u64::MAX, "what cannot be counted");
}
