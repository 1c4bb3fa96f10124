//! Would catch a threshold that is crossed and not told, or told twice: across restarts, after a
//! crash, when the same events are read again, and when nobody knows from where on to read.

use std::path::Path;

use super::*;
use crate::base::AccountKey;
use crate::event::{Fact, Policy};
use crate::ledger::{Adjust, Receive};
use crate::mall::catalogue::tests::{category, editor, product};
use crate::mall::facts::AlertKind;
use crate::mall::{Exchange, MallConfig, Product, User, Wanted};

fn open(dir: &Path) -> Mall {
    let engine = Engine::builder(dir).segment_bytes(256 << 10).open().expect("it opens");
    Mall::open(engine, MallConfig::default()).expect("the catalogue reads")
}

/// A mall with tea, of which operators want to hear when there are no more than ten.
fn mall(dir: &Path) -> Mall {
    let mall = open(dir);
    follow(&mall);
    mall.put_category(&category("c", None)).expect("a valid category");
    mall.put_product(&tea(Some(10))).expect("a valid product");
    mall
}

fn tea(low_stock_threshold: Option<u64>) -> Product {
    Product { low_stock_threshold, ..product("tea") }
}

fn follow(mall: &Mall) {
    mall.follow_alerts_to_now().expect("the disk answers");
}

/// Changes the stock of tea by so many units.
fn change(mall: &Mall, by: i64) {
    let engine = mall.engine();
    let key = AccountKey::stock("tea").expect("a valid key");
    let tea = engine.account(&key).expect("it is on the shelf");
    match u64::try_from(by) {
        Ok(units) => drop(engine.receive(Receive::new(tea, units)).expect("it is accepted").wait()),
        Err(_) => drop(engine.adjust(Adjust::new(tea, by)).expect("it is accepted").wait()),
    }
}

fn told(mall: &Mall) -> Vec<(AlertKind, Option<AlertKind>)> {
    let page = mall.shared.alerts.list(&AlertFilter::default(), None, 100);
    let told = page.alerts.iter().rev();
    told.map(|alert| (alert.condition.begins(), alert.end.map(|end| end.kind))).collect()
}

/// How many events of the journal are about alerts.
fn written(mall: &Mall) -> usize {
    let mut events = mall.engine().subscribe(1).expect("everything is kept");
    let mut count = 0;
    while let Some((_, event)) = events.try_next().expect("it reads") {
        count += usize::from(
            matches!(&event.fact, Fact::Document { collection, .. } if collection == ALERTS),
        );
    }
    count
}

use AlertKind::{BackInStock, Lifted, LowStock, SoldOut, StockRecovered};

#[test]
fn each_crossing_is_told_once_in_its_order_through_restarts_and_crashes() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let mut mall = mall(dir.path());
    let mut expected = Vec::new();
    for (by, now) in [
        (40, vec![]),
        (-29, vec![]),
        (-1, vec![(LowStock, None)]),
        (-3, vec![(LowStock, None)]),
        (-7, vec![(LowStock, None), (SoldOut, None)]),
        (1, vec![(LowStock, None), (SoldOut, Some(BackInStock))]),
        (20, vec![(LowStock, Some(StockRecovered)), (SoldOut, Some(BackInStock))]),
    ] {
        change(&mall, by);
        // Whatever comes first: the one that follows, an orderly end, or a crash.
        for end in 0..3 {
            match end {
                0 => follow(&mall),
                1 => mall.engine().close().expect("it closes"),
                _ => {}
            }
            drop(mall);
            mall = open(dir.path());
            follow(&mall);
            assert_eq!(told(&mall), now, "after {by}");
        }
        expected = now;
    }
    let written_once = written(&mall);
    assert_eq!(written_once, 4, "two beginnings and two ends");
    // Both at once, by one event.
    change(&mall, -21);
    follow(&mall);
    expected.extend([(LowStock, None), (SoldOut, None)]);
    assert_eq!((told(&mall), written(&mall)), (expected, written_once + 2));
}

#[test]
fn what_happens_while_all_are_looked_at_for_the_first_time_is_told_once() {
    for (moves, standing) in [
        (&[12, -12][..], &[(LowStock, None), (SoldOut, None)][..]),
        (&[12, -12, 4], &[(LowStock, None)]),
        (&[12, -12, 40], &[]),
    ] {
        for dies in [false, true] {
            let dir = tempfile::TempDir::new().expect("a directory");
            let mut mall = open(dir.path());
            mall.put_category(&category("c", None)).expect("a valid category");
            mall.put_product(&tea(Some(10))).expect("a valid product");
            let before = mall.engine().durable_seq();
            moves.iter().for_each(|by| change(&mall, *by));
            mall.begin_alerts_after(before).expect("the disk answers");
            if dies {
                drop(mall);
                mall = open(dir.path());
            }
            follow(&mall);
            assert_eq!(told(&mall), standing, "{moves:?} {dies}");
            change(&mall, 60);
            drop(mall);
            let mall = open(dir.path());
            follow(&mall);
            let over = |(begins, _): &(AlertKind, _)| match begins {
                LowStock => (LowStock, Some(StockRecovered)),
                begins => (*begins, Some(BackInStock)),
            };
            let over: Vec<_> = standing.iter().map(over).collect();
            assert_eq!((told(&mall), written(&mall)), (over, 2 * standing.len()), "{moves:?}");
        }
    }
}

#[test]
fn what_went_down_and_up_while_nobody_looked_is_told_when_somebody_does() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let mall = mall(dir.path());
    for by in [12, -12, 12, -2, 3] {
        change(&mall, by);
    }
    assert_eq!(told(&mall), []);
    drop(mall);
    let mall = open(dir.path());
    follow(&mall);
    let seen = told(&mall);
    let both = [(LowStock, Some(StockRecovered)), (SoldOut, Some(BackInStock))];
    assert_eq!(seen, [both[0], both[1], both[0]]);
}

#[test]
fn what_an_operator_has_seen_stays_seen_though_events_are_read_again() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let first = mall(dir.path());
    for by in [12, -2, 5] {
        change(&first, by);
    }
    follow(&first);
    let id = first.shared.alerts.list(&AlertFilter::default(), None, 1).alerts[0].id();
    let seen = first.acknowledge_now(id, "ann".into(), None).expect("there is one");
    let again = first.acknowledge_now(id, "bob".into(), None).expect("there is one");
    assert_eq!((&seen.by, &again), (&"ann".to_owned(), &seen), "the first stays on record");
    let (before, written_before) = (first.engine().documents(ALERTS), written(&first));
    drop(first);
    for _ in 0..2 {
        let mall = open(dir.path());
        follow(&mall);
        assert_eq!(mall.engine().documents(ALERTS), before);
        assert_eq!(written(&mall), written_before, "nothing is written again");
    }
    let mall = open(dir.path());
    let other = AlertId::new(1, Condition::Out, "cup");
    let missing = mall.acknowledge_now(other, "ann".into(), None);
    assert!(matches!(missing, Err(Failure::AlertNotFound)), "{missing:?}");
}

#[test]
fn another_threshold_counts_at_once_and_a_removed_product_has_no_alert() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let mall = mall(dir.path());
    change(&mall, 20);
    mall.put_product(&tea(Some(20))).expect("a valid product");
    follow(&mall);
    assert_eq!(told(&mall), [(LowStock, None)]);
    mall.put_product(&tea(None)).expect("a valid product");
    follow(&mall);
    assert_eq!(told(&mall), [(LowStock, Some(Lifted))]);
    change(&mall, -20);
    follow(&mall);
    assert_eq!(told(&mall)[1], (SoldOut, None));
    let removed = mall.shared.catalogue.remove::<Product>(
        mall.engine(),
        "tea",
        &crate::mall::Seen::Any,
        &editor("ops"),
    );
    removed.expect("nothing is left of it");
    follow(&mall);
    assert_eq!(told(&mall)[1], (SoldOut, Some(Lifted)));
}

/// As in a directory of an earlier release: nothing says from where on to read.
#[test]
fn without_a_place_to_go_on_alerts_are_made_by_how_the_stock_stands() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let mall = open(dir.path());
    mall.put_category(&category("c", None)).expect("a valid category");
    for id in ["tea", "cup"] {
        let product = Product { low_stock_threshold: Some(10), ..product(id) };
        mall.put_product(&product).expect("a valid product");
    }
    change(&mall, 20);
    change(&mall, -20);
    for _ in 0..2 {
        follow(&mall);
        // A cup was never there, so it is not sold out.
        assert_eq!(told(&mall), [(LowStock, None), (SoldOut, None)]);
        assert_eq!(written(&mall), 2);
    }
    change(&mall, 20);
    mall.engine().claim("alerts").expect("a name").give_up().expect("the disk answers");
    drop(mall);
    let mall = open(dir.path());
    follow(&mall);
    assert_eq!(told(&mall), [(LowStock, Some(StockRecovered)), (SoldOut, Some(BackInStock))]);
}

#[test]
fn the_oldest_that_are_over_go_when_there_are_too_many() {
    let mut table = Table::default();
    let alert = |seq: Seq, end| Alert {
        product_id: "tea".into(),
        condition: Condition::Out,
        threshold: None,
        available: 0,
        begun_seq: seq,
        begun_at: 1,
        end,
        acknowledged: None,
    };
    let over = |seq| {
        let kind = AlertKind::BackInStock;
        Some(crate::mall::facts::AlertEnd { kind, available: 1, seq: seq + 1, at: 1 })
    };
    for seq in 0..PAST_MAX as u64 + 3 {
        table.put(alert(2 * seq, over(2 * seq)));
    }
    table.put(alert(1, None));
    let first = |seq| alert(seq, None).id();
    assert_eq!(table.surplus(), [first(0), first(2), first(4)]);
    assert_eq!((table.open_count, table.open("tea", Condition::Low)), (1, None));
    table.put(alert(1, over(1)));
    assert_eq!((table.open_count, table.open.len()), (0, 0));
}

/// Whatever alerts wait for, a sale does not: it ends while nobody can write or read any.
#[test]
fn a_sale_waits_for_nothing_of_alerts() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let mall = mall(dir.path());
    change(&mall, 12);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let alerts = &mall.shared.alerts;
    let (writing, table) = (alerts.writing.lock(), alerts.table.write());
    let key = AccountKey::points("ann").expect("a valid name");
    let points = mall.engine().open_account(&key, Policy::strict()).expect("there is room");
    let given = mall.engine().receive(Receive::new(points, 100)).expect("it is accepted");
    given.wait().expect("it is durable");
    let ann = User::new("ann").expect("a valid name");
    let items = [Wanted { product_id: "tea", quantity: 12 }];
    let exchange =
        Exchange { items: &items, is_basket: false, delivery_info: None, confirm: true, key: None };
    let sold = runtime.block_on(mall.exchange(&ann, &exchange)).expect("there is enough");
    assert_eq!(sold.points_cost, 60);
    drop((writing, table));
    follow(&mall);
    assert_eq!(told(&mall), [(LowStock, None), (SoldOut, None)]);
}

/// A rule is judged by what there was when it came, however late it is looked at.
#[test]
fn a_rule_that_is_looked_at_late_is_judged_by_what_there_was() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let mall = mall(dir.path());
    change(&mall, 30);
    change(&mall, -25);
    mall.put_product(&tea(Some(2))).expect("a valid product");
    mall.put_product(&tea(Some(9))).expect("a valid product");
    change(&mall, 20);
    follow(&mall);
    let as_they_came = [(LowStock, Some(Lifted)), (LowStock, Some(StockRecovered))];
    assert_eq!(told(&mall), as_they_came);
    let before = mall.engine().documents(ALERTS);
    drop(mall);
    let mall = open(dir.path());
    follow(&mall);
    assert_eq!(mall.engine().documents(ALERTS), before);
}
