//! The tables against the ledger at the same event: every account, every order, every record. The
//! records are made again from the journal and compared in the order of both; what accounts have
//! comes from the ledger, which is replayed apart from the mirror.

mod orders;
pub(super) mod pages;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use orders::{Expected, Journal};
use pages::{Pager, Records, Shown, difference, text};

use super::batch::{Batch, Change, RecordRow};
use super::conn::Conn;
use super::fault::Fault;
use super::place::Place;
use super::projection::{Projector, document};
use super::reload::documents;
use super::session::{Phase, Position, connect, in_time, read_position};
use super::tables::{self, Row};
use super::tool::{lookup, run};
use super::{migrate, statements, time};
use crate::base::error::Result;
use crate::base::{AccountKind, ReservationId, Seq};
use crate::reader::{LedgerView, Past};
use crate::sink::Database;

/// How many events are projected at once.
const EVENTS: u64 = 4_096;
/// So many differences are told one by one; then they are only counted.
const TOLD_MAX: u64 = 1_000;

/// What a comparison found.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// The event that both sides were looked at after.
    pub(crate) seq: Seq,
    /// The first event whose records and orders were compared: older ones are not kept.
    pub(crate) from_seq: Seq,
    pub(crate) accounts: u64,
    pub(crate) orders: u64,
    pub(crate) records: u64,
    pub(crate) differences: u64,
    /// How many of them are about rows that the database refused.
    pub(crate) set_aside: u64,
}

/// Compares the tables with the ledger in `dir`, which a server may have open. `told` hears of each
/// difference, `progress` how many events of how many are done.
///
/// # Errors
/// `Invalid` when the URL or the tables are wrong; `Conflict` while a reload is under way, or when
/// the tables show another history; `Unavailable` when the database does not answer; and what
/// reading the ledger meets.
pub(crate) fn check(
    dir: &Path,
    database: &Database,
    told: &mut dyn FnMut(&str),
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Checked> {
    let place = Place::of(database)?;
    run(&place, async {
        let pool = place.pool().await;
        let mut conn = connect(&pool).await?;
        let position = begin(&mut conn).await?;
        // Looked at after the tables, so that it shows what they show.
        let past = Past::open(dir)?;
        same_history(&past, &position)?;
        let ledger = past.ledger_at(position.watermark)?;
        let aside = aside(&mut conn).await?;
        let checked =
            Checked { seq: position.watermark, from_seq: past.oldest_seq(), ..Checked::default() };
        let mut check = Check { conn, told, aside, checked };
        let expected = base(&ledger)?;
        check.products(&expected).await?;
        check.categories(&expected).await?;
        let journal = check.records(&past, ledger, progress).await?;
        check.users(&expected, &journal).await?;
        check.orders(journal.orders).await?;
        drop(check.conn);
        pool.disconnect().await?;
        Ok(check.checked)
    })
}

/// Holds the tables still for this connection; answers where they are.
async fn begin(conn: &mut Conn) -> Result<Position, Fault> {
    in_time("reading the state", async {
        migrate::check(conn).await?;
        // Between two pages the ledger may be replayed.
        conn.query_drop("SET SESSION wait_timeout = 28800, net_write_timeout = 600").await?;
        conn.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
        conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
        let position = read_position(conn, "").await?;
        let position = position
            .ok_or_else(|| Fault::Misconfigured("no mirror ever wrote the tables".to_owned()))?;
        match position.phase {
            Phase::Following => Ok(position),
            _ => Err(Fault::ReloadNeeded(
                "the tables are not whole: run `stockhold mirror reload`".to_owned(),
            )),
        }
    })
    .await
}

fn same_history(past: &Past, position: &Position) -> Result<(), Fault> {
    let watermark = position.watermark;
    if watermark > past.last_seq() {
        return Err(Fault::ReloadNeeded(format!(
            "the tables show event {watermark}, but the journal ends at {}: another ledger, or an older backup",
            past.last_seq()
        )));
    }
    let Ok(mut events) = past.events(watermark..=watermark) else {
        return Ok(());
    };
    match events.next() {
        Some(Ok((seq, _))) if watermark > 0 && events.mark() != position.mark => {
            Err(Fault::ReloadNeeded(format!(
                "the journal's event {seq} is another one than the tables show: another history"
            )))
        }
        _ => Ok(()),
    }
}

/// What the ledger has, as rows.
fn base(ledger: &LedgerView) -> Result<Batch, Fault> {
    let (seq, at) = (ledger.seq(), ledger.at());
    let mut batch = Batch::default();
    for (collection, key, body) in documents(ledger) {
        document(&mut batch, seq, at, (collection, &key), Some(&body));
    }
    for level in ledger.levels() {
        let owner = Arc::from(level.key.owner());
        match level.key.kind() {
            AccountKind::Stock => {
                let product = batch.product(&owner, seq, at);
                (product.stock, product.sales) = (Some(level.available), level.consumed as i64);
            }
            AccountKind::Points => {
                let user = batch.user(&owner, seq, at);
                (user.balance, user.reserved) = (Some(level.available), level.reserved as i64);
            }
            AccountKind::Quota | AccountKind::Custom => {}
        }
    }
    Ok(batch)
}

/// The rows that the database refused.
async fn aside(conn: &mut Conn) -> Result<HashSet<(String, String)>, Fault> {
    Ok(conn.query("SELECT table_name, row_id FROM mirror_rejected").await?.into_iter().collect())
}

struct Check<'a> {
    conn: Conn,
    told: &'a mut dyn FnMut(&str),
    aside: HashSet<(String, String)>,
    checked: Checked,
}

impl Check<'_> {
    fn differs(&mut self, table: &str, id: &str, what: &str) {
        let aside = self.aside.contains(&(table.to_owned(), id.to_owned()));
        self.checked.differences += 1;
        self.checked.set_aside += u64::from(aside);
        if self.checked.differences <= TOLD_MAX {
            let aside = if aside { " (a row of it is set aside)" } else { "" };
            (self.told)(&format!("{table} {id}: {what}{aside}"));
        }
    }

    async fn products(&mut self, expected: &Batch) -> Result<(), Fault> {
        const COLUMNS: &str =
            "id, name, category_id, points_price, status, stock_quantity, sales_count";
        let mut left: BTreeMap<String, Shown> = BTreeMap::new();
        for (id, change) in &expected.products {
            let to = &change.to;
            self.checked.accounts += u64::from(to.stock.is_some());
            left.insert(id.to_string(), tables::product_shown(id, to));
        }
        self.rows("products", COLUMNS, left).await
    }

    async fn categories(&mut self, expected: &Batch) -> Result<(), Fault> {
        const COLUMNS: &str = "id, name, parent_id, level, sort_order, status";
        let shown = |(id, change): (&String, &Change<_>)| {
            (id.clone(), tables::category_shown(id, &change.to))
        };
        self.rows("product_categories", COLUMNS, expected.categories.iter().map(shown).collect())
            .await
    }

    async fn users(&mut self, expected: &Batch, journal: &Journal) -> Result<(), Fault> {
        let mut left: BTreeMap<String, Shown> = BTreeMap::new();
        for (id, change) in &expected.users {
            self.checked.accounts += 1;
            let (balance, reserved) = (change.to.balance.unwrap_or_default(), change.to.reserved);
            let mut shown =
                vec![Some(id.to_string()), Some(balance.to_string()), Some(reserved.to_string())];
            if journal.whole {
                let (exchanges, last_at) = journal.exchanges.get(id).copied().unwrap_or_default();
                shown.extend([Some(exchanges.to_string()), Some(text(&time::optional(last_at)))]);
            }
            left.insert(id.to_string(), shown);
        }
        let columns = if journal.whole {
            "id, points_balance, points_reserved, total_exchanges, last_exchange_at"
        } else {
            "id, points_balance, points_reserved"
        };
        self.rows("users", columns, left).await
    }

    /// Holds every row of a table of the mirror's against `left`, by id.
    async fn rows(
        &mut self,
        table: &str,
        columns: &str,
        mut left: BTreeMap<String, Shown>,
    ) -> Result<(), Fault> {
        let mut pager = Pager::new(table, columns, 0);
        while let Some(page) = pager.next(&mut self.conn).await? {
            for row in page {
                match left.remove(&row[0]) {
                    Some(mut expected) => {
                        // Tables of the first release do not know it, until a reload.
                        if table == "users" && row[2] == "null" {
                            expected[2] = None;
                        }
                        if let Some(what) = difference(columns, &expected, &row) {
                            self.differs(table, &row[0], &what);
                        }
                    }
                    // A category that was removed is not shown; its row stays for what refers to
                    // it.
                    None if table == "product_categories"
                        && row.last().is_some_and(|status| status == "0") => {}
                    None => self.differs(table, &row[0], "the ledger has no such row"),
                }
            }
        }
        for id in left.into_keys() {
            self.differs(table, &id, "the row is missing");
        }
        Ok(())
    }

    /// Goes through the journal and both tables of records together.
    async fn records(
        &mut self,
        past: &Past,
        ledger: LedgerView,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Journal, Fault> {
        let (oldest, seq) = (past.oldest_seq(), self.checked.seq);
        let mut journal = Journal {
            orders: HashMap::default(),
            exchanges: HashMap::default(),
            whole: oldest == 1,
        };
        let mut projector = Projector::new(lookup(ledger));
        let mut inventory = Records::new(&statements::INVENTORY, oldest);
        let mut points = Records::new(&statements::POINTS, oldest);
        let total = (seq + 1).saturating_sub(oldest);
        let mut batch = Batch::default();
        if total > 0 {
            for event in past.events(oldest..=seq)? {
                let (at, event) = event?;
                projector.apply(&mut batch, at, &event)?;
                if batch.event_count() >= EVENTS || at == seq {
                    self.compare(&mut inventory, &batch.inventory, tables::inventory).await?;
                    self.compare(&mut points, &batch.points, tables::points).await?;
                    journal.take(&batch);
                    batch = Batch::default();
                    progress(at + 1 - oldest, total);
                }
            }
        }
        self.rest(&mut inventory).await?;
        self.rest(&mut points).await?;
        Ok(journal)
    }

    /// Holds the next records of a table against those of the journal.
    async fn compare(
        &mut self,
        records: &mut Records,
        expected: &[RecordRow],
        row: fn(&RecordRow) -> Row,
    ) -> Result<(), Fault> {
        let table = records.table();
        let mut rows: Vec<Row> = expected.iter().map(row).collect();
        // An event may have records of several accounts; the table has them by number.
        rows.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        for (broken, owner) in records.chain(expected) {
            self.differs(table, &broken, &format!("the chain of {owner} breaks in the journal"));
        }
        for Row { id, values, .. } in rows {
            self.checked.records += 1;
            while let Some(found) = records.peek(&mut self.conn).await? {
                if found[0] >= id {
                    break;
                }
                self.differs(table, &found[0], "the journal has no such row");
                records.skip();
            }
            let expected: Shown = values.iter().map(|value| Some(text(value))).collect();
            match records.peek(&mut self.conn).await? {
                Some(found) if found[0] == id => {
                    if let Some(what) = difference(&records.columns, &expected, &found) {
                        self.differs(table, &id, &what);
                    }
                    records.skip();
                }
                _ => self.differs(table, &id, "the row is missing"),
            }
        }
        Ok(())
    }

    /// What a table has beyond the journal.
    async fn rest(&mut self, records: &mut Records) -> Result<(), Fault> {
        let table = records.table();
        while let Some(found) = records.peek(&mut self.conn).await? {
            self.differs(table, &found[0], "the journal has no such row");
            records.skip();
        }
        Ok(())
    }

    async fn orders(
        &mut self,
        mut left: HashMap<ReservationId, Expected, foldhash::fast::RandomState>,
    ) -> Result<(), Fault> {
        const TABLE: &str = "exchange_orders";
        // Others touch `updated_at` with whatever they write into the row.
        const COLUMNS: &str = "id, order_no, user_id, product_id, quantity, points_cost, expires_at, created_at, status, \
                               state, exchanged_at, cancelled_at, seq";
        self.checked.orders = left.len() as u64;
        let whole = self.checked.from_seq == 1;
        let mut pager = Pager::new(TABLE, COLUMNS, 0);
        while let Some(page) = pager.next(&mut self.conn).await? {
            for row in page {
                let id = &row[0];
                let expected = crate::mall::parse_order_id(id)
                    .and_then(|reservation| left.remove(&reservation));
                match expected {
                    Some(expected) => {
                        if let Some(what) = expected.difference(&row) {
                            self.differs(TABLE, id, &what);
                        }
                    }
                    // One that was made and ended before the oldest event is nobody's to judge.
                    None if whole => self.differs(TABLE, id, "the journal has no such row"),
                    None => {}
                }
            }
        }
        for reservation in left.into_keys() {
            self.differs(TABLE, &crate::mall::order_id(reservation), "the row is missing");
        }
        Ok(())
    }
}
