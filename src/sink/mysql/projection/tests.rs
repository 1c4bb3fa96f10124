use std::borrow::Cow;

use super::*;
use crate::base::{AccountId, AccountKey, ReservationId};
use crate::event::{ChangeKind as Kind, End, EventLine, Part, PartLine, Policy, Window};
use crate::mall::model::OrderStatus;
use crate::mall::views::{Returned, Subject};
use crate::sink::mysql::balances::Accounts;
use crate::sink::mysql::tables::RecordRow;
use crate::sink::mysql::tables::Rows;
use crate::sink::mysql::tables::orders::OrderRow;
use crate::sink::mysql::tables::products::Document;
use crate::sink::mysql::value::text;

const TEA: u32 = 1;
const ANN: u32 = 2;
const QUOTA: u32 = 3;

fn key(account: u32) -> AccountKey {
    match account {
        TEA => AccountKey::stock("tea"),
        ANN => AccountKey::points("ann"),
        _ => AccountKey::quota("ann", "tea"),
    }
    .expect("a valid key")
}

/// Nobody has points that end, so nobody asks.
struct Unknown;

impl Accounts for Unknown {
    fn find(&self, _: &AccountKey) -> Option<AccountId> {
        None
    }

    fn available_before(&self, account: AccountId, _: Seq) -> crate::base::error::Result<i64> {
        panic!("asked for {account:?}")
    }
}

/// A projector that knows the three accounts, and what it made so far.
struct Run {
    projector: Projector,
    batch: Batch,
    seq: Seq,
}

impl Run {
    fn new() -> Self {
        let known = |account: AccountId| (account.number() <= QUOTA).then(|| key(account.number()));
        let balances = Balances::new(Box::new(Unknown), std::iter::empty());
        let projector = Projector::new(Box::new(known), balances);
        Self { projector, batch: Batch::default(), seq: 0 }
    }

    fn take(&mut self, fact: Fact<'static>) -> &mut Self {
        self.seq += 1;
        let event = Event { at: 1_000 * self.seq, request: None, fact };
        self.projector.apply(&mut self.batch, self.seq, &event).expect("a true event");
        self
    }

    /// What was made, and a new batch from here on.
    fn cut(&mut self) -> Batch {
        std::mem::take(&mut self.batch)
    }
}

fn line(account: u32, quantity: u64, consumed: u64, available: i64) -> EventLine {
    EventLine { account, quantity, consumed, available }
}

fn id(number: u64) -> ReservationId {
    ReservationId::from_number(number)
}

fn received(account: u32, quantity: u64, available: i64) -> Fact<'static> {
    let account = AccountId::from_number(account);
    Fact::Received { account, quantity, available, note: Cow::Borrowed("到货") }
}

fn reserved(reservation: u64, confirmed: bool, lines: &[EventLine]) -> Fact<'static> {
    Fact::Reserved {
        reservation: id(reservation),
        owner: Some(AccountId::from_number(ANN)),
        expires_at: 900_000,
        confirmed,
        lines: lines.into(),
        details: Cow::Borrowed(&[]),
    }
}

fn end(reservation: u64, lines: &[EventLine]) -> End {
    End { reservation: id(reservation), expires_at: 900_000, lines: lines.into() }
}

fn document(
    collection: &'static str,
    key: &'static str,
    body: Option<&'static str>,
) -> Fact<'static> {
    Fact::Document {
        collection: collection.into(),
        key: key.into(),
        body: body.map(|it| it.as_bytes().into()),
    }
}

const PRODUCT: &str =
    r#"{"id":"tea","name":"Tea","categoryId":"food","pointsPrice":5,"active":true}"#;
const CATEGORY: &str = r#"{"id":"food","name":"Food","level":1,"active":true}"#;

const LIKES: &str = r#"{"userId":"ann","categoryWeights":{"food":80},"priceSensitivity":35,
    "favourites":[{"productId":"tea","addedAt":7},{"productId":"cup","addedAt":8}]}"#;
const LOOKS: &str = r#"{"userId":"ann","products":[{"id":"tea","at":7},{"id":"cup","at":8}]}"#;

const LEVELS: &str = r#"{"id":"levels","levels":[{"level":1,"name":"L1","earnedPoints":0},{"level":3,"name":"L3","earnedPoints":9}]}"#;

/// A batch with a row for every table.
pub(in crate::sink::mysql) fn one_of_everything() -> Batch {
    let mut run = Run::new();
    run.take(document("category", "food", Some(CATEGORY)))
        .take(document("product", "tea", Some(PRODUCT)))
        .take(document("product", "coffee", None))
        .take(document("preference", "ann", Some(LIKES)))
        .take(document("browsed", "ann", Some(LOOKS)))
        .take(document("level", "levels", Some(LEVELS)))
        .take(received(TEA, 10, 10))
        .take(received(ANN, 100, 100))
        .take(reserved(64, false, &[line(ANN, 5, 0, 95), line(TEA, 1, 0, 9)]))
        .take(Fact::Released(end(128, &[line(ANN, 5, 0, 100), line(TEA, 1, 0, 10)])));
    run.cut()
}

/// The only order of a batch, with what it is about.
fn only_order(batch: &Batch) -> (&OrderRow, &Subject) {
    let orders: Vec<_> = batch.orders.iter().collect();
    let [order] = orders[..] else { panic!("one order: {orders:?}") };
    (order, order.subject.as_ref().expect("it is about something"))
}

/// Kind, change, after, quantity.
fn told(records: &[RecordRow]) -> Vec<(Kind, i64, i64, u64)> {
    records.iter().map(|it| (it.kind, it.delta, it.available, it.quantity)).collect()
}

#[test]
fn an_exchange_is_an_order_two_records_and_its_user_and_product() {
    let mut run = Run::new();
    let quota = line(QUOTA, 1, 1, 0);
    run.take(received(TEA, 10, 10)).take(received(ANN, 100, 100));
    run.take(reserved(64, true, &[line(ANN, 10, 10, 90), quota, line(TEA, 2, 2, 8)]));
    let batch = run.cut();
    assert_eq!(told(&batch.inventory), [(Kind::Received, 10, 10, 10), (Kind::Bought, -2, 8, 2)]);
    assert_eq!(told(&batch.points), [(Kind::Received, 100, 100, 100), (Kind::Bought, -10, 90, 10)]);
    let (order, subject) = only_order(&batch);
    assert_eq!(
        (&*subject.user, &*subject.product, subject.quantity, subject.points_cost),
        ("ann", "tea", 2, 10)
    );
    assert_eq!(
        (order.state.status(), order.state.exchanged_at, order.is_new),
        (Some(OrderStatus::Confirmed), Some(3_000), true)
    );
    let product = &batch.products["tea"];
    assert_eq!((product.stock, product.sales), (Some(8), 2));
    let user = &batch.users["ann"];
    assert_eq!((user.balance, user.reserved, user.exchanges), (Some(90), 0, 1));
    assert_eq!(user.last_exchange_at, Some(3_000));
    assert_eq!(
        (batch.first_seq, batch.last_seq, batch.event_count(), batch.row_count()),
        (1, 3, 3, 7)
    );
}

#[test]
fn an_order_that_lives_within_a_batch_is_one_row_and_all_its_records() {
    let mut run = Run::new();
    let lines = [line(ANN, 10, 0, 90), line(TEA, 2, 0, 8)];
    run.take(reserved(64, false, &lines));
    run.take(Fact::Confirmed(end(64, &[line(ANN, 10, 10, 90), line(TEA, 2, 2, 8)])));
    let back = [line(ANN, 10, 0, 100), line(TEA, 2, 0, 10)];
    run.take(Fact::Returned {
        reservation: id(64),
        lines: back.as_slice().into(),
        note: "订单取消".into(),
        consumed_at: None,
        expires_at: 0,
        part: None,
    });
    let batch = run.cut();
    let (order, _) = only_order(&batch);
    assert_eq!((order.state.status(), order.is_new), (Some(OrderStatus::Cancelled), true));
    assert_eq!(
        (order.state.exchanged_at, order.state.cancelled_at, order.state.seq),
        (Some(2_000), Some(3_000), 3)
    );
    let stock =
        [(Kind::Reserved, -2, 8, 2), (Kind::Confirmed, 0, 8, 2), (Kind::Returned, 2, 10, 2)];
    assert_eq!(told(&batch.inventory), stock);
    assert_eq!(told(&batch.points), [(Kind::Reserved, -10, 90, 10), (Kind::Returned, 10, 100, 10)]);
    assert_eq!((batch.products["tea"].sales, batch.users["ann"].exchanges), (0, 0));
}

fn id_of(account: u32) -> AccountId {
    AccountId::from_number(account)
}

#[test]
fn an_order_of_which_some_went_back_stays_confirmed_until_all_of_it_has() {
    let bought = [line(ANN, 20, 20, 80), line(TEA, 2, 2, 8)];
    let returned = |points: u64, units: u64, lines: &[EventLine], written_off| Fact::Returned {
        reservation: id(64),
        lines: lines.into(),
        note: "破损".into(),
        consumed_at: Some(1_000),
        expires_at: 9_000,
        part: Some(Box::new(Part {
            lines: vec![
                PartLine { account: id_of(ANN), consumed: 20, returned: points },
                PartLine { account: id_of(TEA), consumed: 2, returned: units },
            ],
            written_off,
        })),
    };
    let first = returned(10, 1, &[line(ANN, 10, 0, 90), line(TEA, 1, 0, 8)], vec![id_of(TEA)]);
    // The last one moves points alone.
    let last = returned(20, 2, &[line(ANN, 10, 0, 100)], vec![]);
    for made_before in [true, false] {
        let mut run = Run::new();
        run.take(reserved(64, true, &bought));
        if made_before {
            run.cut();
        }
        run.take(first.clone());
        let batch = run.cut();
        let order = batch.orders.iter().next().expect("its order");
        let standing = (!made_before).then_some(OrderStatus::Confirmed);
        assert_eq!((order.state.status(), order.state.cancelled_at), (standing, None));
        assert_eq!(order.state.returned, Some(Returned { quantity: 1, points: 10 }));
        let broken = (Kind::Discarded, 0, 8, 1);
        assert_eq!(told(&batch.inventory).last(), Some(&broken));
        assert_eq!(told(&batch.points).last(), Some(&(Kind::Returned, 10, 90, 10)));
        assert_eq!(batch.products["tea"].sales, if made_before { -1 } else { 1 });
        assert_eq!(batch.users["ann"].exchanges, i64::from(!made_before));
        run.take(last.clone());
        let batch = run.cut();
        let (order, _) = only_order(&batch);
        assert_eq!(order.state.status(), Some(OrderStatus::Cancelled));
        assert!(order.state.cancelled_at.is_some(), "it is over");
        assert_eq!(order.state.returned, Some(Returned { quantity: 2, points: 20 }));
        assert_eq!(batch.users["ann"].exchanges, -1);
    }
}

#[test]
fn another_deadline_is_the_orders_wherever_it_was_made() {
    let lines = [line(ANN, 10, 0, 90), line(TEA, 2, 0, 8)];
    let extended = |was: u64, expires_at| Fact::Extended {
        reservation: id(64),
        was,
        expires_at,
        lines: lines.as_slice().into(),
    };
    for made_before in [true, false] {
        let mut run = Run::new();
        run.take(reserved(64, false, &lines));
        if made_before {
            run.cut();
        }
        run.take(extended(9_000, 50_000)).take(extended(50_000, 40_000));
        let batch = run.cut();
        let (order, _) = only_order(&batch);
        let pending = Some(OrderStatus::Pending);
        assert_eq!((order.state.status(), order.is_new), (pending, !made_before));
        assert_eq!((order.state.expires_at, order.state.seq), (Some(40_000), 3));
        assert!(batch.points.is_empty() == made_before, "no points move");
    }
}

#[test]
fn an_order_that_expired_and_is_paid_late_is_confirmed_wherever_it_expired() {
    let revived = Fact::Revived {
        reservation: id(64),
        owner: Some(id_of(ANN)),
        expires_at: 900_000,
        lines: [line(ANN, 10, 10, 90), line(TEA, 2, 2, 8)].as_slice().into(),
    };
    for expired_before in [true, false] {
        let mut run = Run::new();
        run.take(reserved(64, false, &[line(ANN, 10, 0, 90), line(TEA, 2, 0, 8)]));
        run.take(Fact::Expired(end(64, &[line(ANN, 10, 0, 100), line(TEA, 2, 0, 10)])));
        if expired_before {
            run.cut();
        }
        let batch = run.take(revived.clone()).cut();
        let (order, subject) = only_order(&batch);
        assert_eq!((&*subject.user, &*subject.product), ("ann", "tea"));
        let state = &order.state;
        assert_eq!((state.status(), state.seq), (Some(OrderStatus::Confirmed), 3));
        assert_eq!((state.exchanged_at, state.cancelled_at), (Some(3_000), None));
        assert_eq!(state.expires_at, Some(900_000));
        assert_eq!(told(&batch.inventory).last(), Some(&(Kind::Bought, -2, 8, 2)));
        assert_eq!(told(&batch.points).last(), Some(&(Kind::Bought, -10, 90, 10)));
        assert_eq!((batch.products["tea"].sales, batch.users["ann"].exchanges), (2, 1));
    }
}

#[test]
fn the_end_of_an_order_of_an_earlier_batch_is_a_change() {
    for (fact, state, sales, exchanges) in [
        (
            Fact::Confirmed(end(64, &[line(ANN, 10, 10, 90), line(TEA, 2, 2, 8)])),
            OrderStatus::Confirmed,
            2,
            1,
        ),
        (
            Fact::Released(end(64, &[line(ANN, 10, 0, 100), line(TEA, 2, 0, 10)])),
            OrderStatus::Cancelled,
            0,
            0,
        ),
        (
            Fact::Expired(end(64, &[line(ANN, 10, 0, 100), line(TEA, 2, 0, 10)])),
            OrderStatus::Expired,
            0,
            0,
        ),
    ] {
        let mut run = Run::new();
        run.take(reserved(64, false, &[line(ANN, 10, 0, 90), line(TEA, 2, 0, 8)]));
        run.cut();
        let batch = run.take(fact).cut();
        let (order, subject) = only_order(&batch);
        assert_eq!(
            (order.is_new, order.state.status(), &*subject.user, &*subject.product),
            (false, Some(state), "ann", "tea")
        );
        assert_eq!(
            (subject.quantity, subject.points_cost, order.state.expires_at),
            (2, 10, Some(900_000))
        );
        assert_eq!((batch.products["tea"].sales, batch.users["ann"].exchanges), (sales, exchanges));
    }
}

#[test]
fn a_confirm_in_part_gives_the_rest_back() {
    let mut run = Run::new();
    run.take(Fact::Confirmed(end(64, &[line(ANN, 10, 5, 95), line(TEA, 2, 1, 9)])));
    let batch = run.cut();
    assert_eq!(told(&batch.inventory), [(Kind::Confirmed, 1, 9, 1)]);
    assert_eq!(told(&batch.points), [(Kind::Confirmed, 5, 95, 5)]);
    assert_eq!(batch.products["tea"].sales, 1);
}

#[test]
fn the_chain_of_a_product_has_no_gap_although_its_row_is_one() {
    let mut run = Run::new();
    run.take(received(TEA, 100, 100));
    for number in 1..=50 {
        run.take(reserved(
            64 * number,
            true,
            &[line(ANN, 1, 1, 0), line(TEA, 1, 1, 100 - number as i64)],
        ));
    }
    let batch = run.cut();
    let mut after = 0;
    for record in &batch.inventory {
        assert_eq!(record.available - record.delta, after, "{record:?}");
        after = record.available;
    }
    assert_eq!(
        (batch.inventory.len(), batch.products.len(), batch.users.len(), after),
        (51, 1, 1, 50)
    );
}

#[test]
fn lines_of_one_account_count_together() {
    let mut run = Run::new();
    run.take(reserved(64, true, &[line(ANN, 1, 1, 9), line(TEA, 1, 1, 9), line(TEA, 2, 2, 7)]));
    let batch = run.cut();
    assert_eq!(told(&batch.inventory), [(Kind::Bought, -3, 7, 3)]);
    assert_eq!(batch.products["tea"].sales, 3);
}

#[test]
fn what_takes_no_points_or_no_stock_is_no_order() {
    let mut run = Run::new();
    run.take(reserved(64, false, &[line(TEA, 1, 0, 9)])).take(reserved(
        128,
        false,
        &[line(ANN, 1, 0, 9)],
    ));
    run.take(Fact::Released(end(64, &[line(TEA, 1, 0, 10)])));
    let batch = run.cut();
    assert_eq!(batch.orders.len(), 0, "{:?}", batch.orders);
    assert_eq!((batch.inventory.len(), batch.points.len()), (2, 1));
}

#[test]
fn accounts_are_rows_from_the_moment_they_are_opened() {
    let mut run = Run::new();
    let opened = |account: u32, policy| Fact::AccountOpened {
        account: AccountId::from_number(account),
        key: key(account),
        policy,
    };
    run.take(opened(TEA, Policy::strict())).take(opened(ANN, Policy::strict()));
    run.take(opened(QUOTA, Policy::quota(2, Window::Never)));
    let batch = run.cut();
    assert_eq!((batch.products["tea"].stock, batch.users["ann"].balance), (Some(0), Some(0)));
    assert!(batch.inventory.is_empty() && batch.points.is_empty(), "nothing moved");
}

#[test]
fn a_document_that_is_none_of_the_malls_is_set_aside() {
    let mut run = Run::new();
    run.take(document("product", "tea", Some("{\"id\":1}"))).take(document(
        "category",
        "food",
        Some("["),
    ));
    run.take(document("elsewhere", "x", Some("anything")));
    let batch = run.cut();
    let rejected: Vec<_> =
        batch.rejected.iter().map(|it| (it.table, it.row_id.as_str(), it.seq)).collect();
    assert_eq!(rejected, [("products", "tea", 1), ("product_categories", "food", 2)]);
    assert!(batch.products.is_empty() && batch.categories.is_empty(), "no row is made of it");
}

#[test]
fn the_last_document_wins() {
    let mut run = Run::new();
    run.take(document("product", "tea", Some(PRODUCT))).take(document("product", "tea", None));
    run.take(document("category", "food", None)).take(document("category", "food", Some(CATEGORY)));
    let batch = run.cut();
    assert!(matches!(batch.products["tea"].document, Document::Removed), "{:?}", batch.products);
    assert_eq!(batch.categories["food"].category.as_ref().map(|it| it.name.as_str()), Some("Food"));
}

#[test]
fn what_a_user_likes_and_looked_at_are_two_writings_of_one_row() {
    let mut run = Run::new();
    let written = |batch: &Batch| {
        let rows = batch.rows().into_iter();
        let of_users = rows.filter(|rows| rows.statement.table == "user_preferences");
        let told = |rows: Rows| {
            let values = rows.rows[0].values.iter().map(text);
            let all: Vec<String> = rows
                .statement
                .columns
                .iter()
                .map(|it| (*it).to_owned())
                .zip(values)
                .filter(|(name, _)| !["id", "user_id", "last_updated", "seq"].contains(&&**name))
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            all.join(" ")
        };
        of_users.map(told).collect::<Vec<_>>()
    };
    run.take(document("preference", "ann", Some(LIKES)));
    run.take(document("browsed", "ann", Some(LOOKS)));
    let favourites = r#"[{"addedAt":8,"productId":"cup"},{"addedAt":7,"productId":"tea"}]"#;
    assert_eq!(
        written(&run.cut()),
        [
            format!(
                "category_preferences={{\"food\":0.8}} price_sensitivity=0.35 favourites={favourites}"
            ),
            r#"browsing_history=[{"productId":"cup","viewedAt":8},{"productId":"tea","viewedAt":7}]"#
                .to_owned(),
        ]
    );
    run.take(document("preference", "ann", None));
    let erased = "category_preferences=null price_sensitivity=null favourites=null";
    assert_eq!(written(&run.cut()), [erased], "what was looked at stays as it is");
    run.take(document("browsed", "ann", Some("{}")));
    let batch = run.cut();
    assert_eq!((batch.row_count(), batch.rejected[0].table), (0, "user_preferences"));
}

#[test]
fn who_removes_a_document_is_who_wrote_its_last_words() {
    let mut run = Run::new();
    run.take(document(
        "product",
        "tea",
        Some(
            r#"{"id":"tea","name":"Tea","categoryId":"food","pointsPrice":5,"active":false,"updatedBy":"root"}"#,
        ),
    ));
    run.take(document("product", "tea", None));
    run.take(document(
        "category",
        "food",
        Some(r#"{"id":"food","name":"Food","level":1,"active":false,"updatedBy":"root"}"#),
    ));
    run.take(document("category", "food", None));
    let batch = run.cut();
    let (tea, food) = (&batch.products["tea"], &batch.categories["food"]);
    assert!(matches!(tea.document, Document::Removed) && food.category.is_none());
    let root = Some("root");
    assert_eq!((tea.updated_by.as_deref(), food.updated_by.as_deref()), (root, root));
}

#[test]
fn an_account_nobody_opened_is_an_error() {
    let mut run = Run::new();
    let event = Event { at: 1, request: None, fact: received(99, 1, 1) };
    let error = run.projector.apply(&mut run.batch, 1, &event).expect_err("an unknown account");
    assert!(error.to_string().contains("99"), "{error}");
}

/// Would catch two records of one event under one id, and ids that do not sort as things happened.
#[test]
fn an_event_that_changes_an_account_often_makes_as_many_records() {
    let mut run = Run::new();
    let reserved = reserved(64, true, &[line(ANN, 10, 10, 90), line(TEA, 1, 1, 4)]);
    let facts = vec![received(TEA, 5, 5), received(ANN, 1, 100), reserved, received(TEA, 2, 6)];
    let facts = crate::event::Facts::new(facts).expect("they may happen together");
    run.take(Fact::Atomic(facts)).take(received(TEA, 1, 7));
    let batch = run.cut();
    let ids = |records: &[RecordRow], prefix| {
        records.iter().map(|record| record.id(prefix)).collect::<Vec<_>>()
    };
    let inventory = ids(&batch.inventory, "inv_");
    let expected = [
        "inv_0000000000000001_00000001",
        "inv_0000000000000001_00000001_001",
        "inv_0000000000000001_00000001_002",
        "inv_0000000000000002_00000001",
    ];
    assert_eq!(inventory, expected);
    assert!(inventory.is_sorted() && inventory.iter().all(|id| id.len() <= 36));
    let expected = ["pts_0000000000000001_00000002", "pts_0000000000000001_00000002_001"];
    assert_eq!(ids(&batch.points, "pts_"), expected);
    let product = &batch.products["tea"];
    assert_eq!((product.stock, product.sales), (Some(7), 1));
    let user = &batch.users["ann"];
    assert_eq!((user.balance, user.exchanges), (Some(90), 1));
    let order = batch.orders.iter().next().expect("one was made");
    assert_eq!(order.state.settled, Some(OrderStatus::Confirmed));
}
