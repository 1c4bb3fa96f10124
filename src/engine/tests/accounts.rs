//! Would catch a look at several accounts that is not of one moment, a page that leaves out or
//! doubles what was there all along, and a kind of one's own that is treated as a quota.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;
use crate::history::record::ChangeKind;

fn in_memory() -> Engine {
    Engine::in_memory().open().expect("there is memory")
}

fn open(engine: &Engine, key: &str) -> AccountId {
    let key = key.parse().expect("a valid key");
    engine.open_account(&key, Policy::strict()).expect("there is room")
}

/// Two stocks that live in two shards, the later shard first.
fn two_apart(engine: &Engine) -> [AccountId; 2] {
    let first = open(engine, "stock/first");
    let others = (0..100).map(|number| open(engine, &format!("stock/other-{number}")));
    let other = others.into_iter().find(|other| other.shard() != first.shard());
    let mut both = [first, other.expect("a hundred names are spread over the shards")];
    both.sort_unstable_by_key(|account| std::cmp::Reverse(account.shard()));
    both
}

#[test]
fn levels_of_several_accounts_are_of_one_moment() {
    let engine = in_memory();
    let both = two_apart(&engine);
    for account in both {
        drop(engine.receive(Receive::new(account, 1_000)).expect("it is received"));
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        let lines = both.map(|account| Line { account, quantity: 3 });
                        let taken = engine.reserve(Reserve::new(&lines, 1_000_000));
                        taken.and_then(|taken| taken.wait()).expect("there is enough");
                        let page = engine.pending_pages().next().expect("one is pending");
                        // The other thread may have ended it.
                        drop(engine.release(page[0].reservation).expect("it is decided"));
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let mut looks = 0;
            while !done.load(Ordering::SeqCst) || looks < 100 {
                let levels = engine.levels_of(&both).expect("both are there");
                assert_eq!(
                    [levels[0].account, levels[1].account],
                    both,
                    "in the order they are asked for"
                );
                assert_eq!(levels[0].reserved, levels[1].reserved, "each takes and gives both");
                assert_eq!(levels[0].available, levels[1].available);
                looks += 1;
            }
        });
        let outcomes: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        done.store(true, Ordering::SeqCst);
        outcomes.into_iter().for_each(|outcome| outcome.expect("a writer goes through"));
    });
}

#[test]
fn levels_of_nobody_too_many_and_unknown() {
    let engine = in_memory();
    let tea = open(&engine, "stock/tea");
    assert_eq!(engine.levels_of(&[]).expect("it is allowed"), []);
    let same = vec![tea; Engine::LEVELS_OF_MAX];
    assert_eq!(engine.levels_of(&same).expect("it is allowed").len(), same.len());
    let one_more = vec![tea; Engine::LEVELS_OF_MAX + 1];
    let kind = |accounts: &[AccountId]| engine.levels_of(accounts).expect_err("refused").kind();
    assert_eq!(kind(&one_more), ErrorKind::Invalid);
    assert_eq!(kind(&[tea, AccountId::from_number(u32::MAX)]), ErrorKind::NotFound);
    assert_eq!(engine.key_of(tea).map(String::from).as_deref(), Some("stock/tea"));
    assert_eq!(engine.key_of(AccountId::from_number(u32::MAX)), None);
    engine.close().expect("it closes");
    assert_eq!(kind(&[tea]), ErrorKind::Closed);
}

#[test]
fn accounts_are_found_by_kind_and_by_prefix() {
    let engine = in_memory();
    let mut all = BTreeSet::new();
    // More of one user than one page looks at, in one shard; others around them.
    for number in 0..600 {
        all.insert(format!("quota/ann/p{number}"));
    }
    for key in ["quota/ann", "quota/anna/p1", "points/ann", "stock/ann", "seat/ann/1", "seat/b"] {
        all.insert(key.to_owned());
    }
    for number in 0..200 {
        all.insert(format!("stock/tea-{number}"));
    }
    for key in &all {
        open(&engine, key);
    }
    let check = |pages: AccountPages, prefix: &str| {
        let mut found = Vec::new();
        for page in pages {
            assert!((1..=256).contains(&page.len()), "{prefix}: {}", page.len());
            found.extend(page.into_iter().map(|level| level.key.to_string()));
        }
        found.sort();
        let wanted: Vec<_> = all.iter().filter(|key| key.starts_with(prefix)).cloned().collect();
        assert_eq!(found, wanted, "{prefix:?}");
    };
    for prefix in
        ["", "q", "quota/", "quota/ann", "quota/ann/", "quota/ann/p1", "seat/ann/", "none/", "s"]
    {
        check(engine.accounts_with_prefix(prefix), prefix);
    }
    for kind in ["stock", "points", "quota", "seat", "sea"] {
        check(engine.accounts_of_kind(kind), &format!("{kind}/"));
    }
    check(engine.level_pages(), "");
}

#[test]
fn what_is_pending_all_along_is_told_once_whatever_comes_and_goes() {
    let engine = in_memory();
    let tea = open(&engine, "stock/tea");
    let [ann, bob] = ["points/ann", "points/bob"].map(|key| open(&engine, key));
    drop(engine.receive(Receive::new(tea, 10_000)).expect("it is received"));
    let take = |owner| {
        let lines = [Line { account: tea, quantity: 1 }];
        let taken = engine.reserve(Reserve::new(&lines, 1_000_000).owner(owner));
        drop(taken.expect("there is enough"));
    };
    for number in 0..4_000 {
        take(if number % 500 == 0 { ann } else { bob });
    }
    let annes: BTreeSet<_> =
        engine.pending_of(ann).flatten().map(|held| held.reservation).collect();
    assert_eq!((annes.len(), engine.pending_of(tea).count()), (8, 0));
    assert_eq!(engine.pending_pages().flatten().count(), 4_000);
    // All live in the stock's shard, so that there are several pages; between two of them many of
    // the others end, and new ones take their places.
    let mut told = Vec::new();
    for page in engine.pending_of(ann) {
        assert!(page.len() <= 1_024 && page.iter().all(|held| held.owner == Some(ann)));
        told.extend(page.into_iter().map(|held| held.reservation));
        let page = engine.pending_of(bob).next().expect("there are more");
        page.iter().for_each(|held| drop(engine.release(held.reservation).expect("it is decided")));
        (0..100).for_each(|_| take(bob));
    }
    told.sort();
    assert_eq!(told, annes.into_iter().collect::<Vec<_>>());
}

#[test]
fn a_kind_of_ones_own_is_kept_like_a_stock() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let seats = AccountKey::custom("seat", &["hall-1", "row-3"]).expect("a valid key");
    let account = engine.open_account(&seats, Policy::strict()).expect("there is room");
    drop(engine.receive(Receive::new(account, 5).note("the hall opens")).expect("it is received"));
    let taken = reserve(&engine, account, 2);
    drop(engine.confirm(taken).expect("it is decided"));
    engine.catch_up().wait().expect("history follows");
    let changes = engine.history().changes_of(account, None, 10).expect("history reads");
    let kinds: Vec<_> = changes.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::Confirmed, ChangeKind::Reserved, ChangeKind::Received]);
    let level = engine.level(account).expect("it is there");
    assert_eq!((level.available, level.consumed, &level.key), (3, 2, &seats));
    // By the journal, then by the checkpoint.
    drop(engine);
    for _ in 0..2 {
        let engine = fixture.open();
        assert_eq!(engine.account(&seats), Some(account));
        assert_eq!(engine.level(account).expect("it is there"), level);
        engine.close().expect("it closes");
    }
}
