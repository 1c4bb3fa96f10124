//! The tables against the ledger at the same event: every account, every order, every record. The
//! records are made again from the journal and compared in the order of both; what accounts have
//! comes from the ledger, which is replayed apart from the mirror.

mod journal;
mod pages;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use journal::{Expected, Journal, compared_made, compared_state};
use pages::{Pager, Records, Shown, difference};

use super::balances::Past;
use super::batch::Batch;
use super::conn::Conn;
use super::fault::Fault;
use super::migrate;
use super::projection::{Projector, standing};
use super::session::{Phase, Position, connect, in_time, read_position};
use super::tables::{
    Compared, Record, RecordRow, Row, Table, categories, inventory, levels, orders, points,
    preferences, products, users,
};
use super::target::Target;
use super::tool::{lookup, run};
use super::value::text;
use crate::base::error::Result;
use crate::base::{ReservationId, Seq};
use crate::mall::model::{order_id, parse_order_id};
use crate::reader::{DirectoryReader, LedgerView};
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

/// Compares the tables with the ledger in `dir`, which a server may have open. `told` is called
/// with each difference, `progress` how many events of how many are done.
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
    let target = Target::of(database)?;
    run(&target, async {
        let pool = target.pool().await;
        let mut conn = connect(&pool).await?;
        let position = begin(&mut conn).await?;
        // Looked at after the tables, so that it shows what they show.
        let reader = DirectoryReader::open(dir)?;
        same_history(&reader, &position)?;
        let ledger = reader.ledger_at(position.watermark)?;
        let aside = aside(&mut conn).await?;
        let checked = Checked {
            seq: position.watermark,
            from_seq: reader.oldest_seq(),
            ..Checked::default()
        };
        let mut check = Check { conn, told, aside, checked };
        let mut expected = standing(&ledger);
        check.products(&expected).await?;
        check.categories(&expected).await?;
        check.preferences(&expected).await?;
        check.levels(&expected).await?;
        let journal = check.records(&reader, ledger, progress).await?;
        check.users(&mut expected, &journal).await?;
        check.orders(journal.orders).await?;
        drop(check.conn);
        pool.disconnect().await?;
        Ok(check.checked)
    })
}

/// Holds the tables still for this connection; returns their position.
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

fn same_history(reader: &DirectoryReader, position: &Position) -> Result<(), Fault> {
    let watermark = position.watermark;
    if watermark > reader.last_seq() {
        return Err(Fault::ReloadNeeded(format!(
            "the tables show event {watermark}, but the journal ends at {}: another ledger, or an older backup",
            reader.last_seq()
        )));
    }
    let Ok(mut events) = reader.events(watermark..=watermark) else {
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
        let products = expected.products.values();
        self.checked.accounts += products.clone().filter(|row| row.stock.is_some()).count() as u64;
        self.rows(&products::TABLE, products).await
    }

    async fn categories(&mut self, expected: &Batch) -> Result<(), Fault> {
        self.rows(&categories::TABLE, expected.categories.values()).await
    }

    async fn preferences(&mut self, expected: &Batch) -> Result<(), Fault> {
        self.rows(&preferences::TABLE, expected.preferences.values()).await
    }

    async fn levels(&mut self, expected: &Batch) -> Result<(), Fault> {
        let there = expected.levels.iter().filter(|row| row.level.is_some());
        self.rows(&levels::TABLE, there).await
    }

    async fn users(&mut self, expected: &mut Batch, journal: &Journal) -> Result<(), Fault> {
        self.checked.accounts += expected.users.len() as u64;
        for (id, user) in &mut expected.users {
            let (exchanges, last_at) = journal.exchanges.get(id).copied().unwrap_or_default();
            (user.exchanges, user.last_exchange_at) = (exchanges, last_at);
            user.knows_exchanges = journal.whole;
        }
        self.rows(&users::TABLE, expected.users.values()).await
    }

    /// Holds every row of a table of the mirror's against what is expected, by id.
    async fn rows<R: Record>(
        &mut self,
        of: &Table<R>,
        expected: impl Iterator<Item = &R>,
    ) -> Result<(), Fault> {
        const COMPARED: &[Compared] = &[Compared::Made, Compared::State];
        let (table, columns) = (of.name, of.compared_names(COMPARED));
        let schema = of.schema();
        let is_late = |name: &str| schema.column(name).is_some_and(|column| column.is_late);
        let status = columns.iter().position(|column| *column == "status");
        let mut left: BTreeMap<String, Shown> = expected
            .map(|record| of.shown(COMPARED, record))
            .filter_map(|shown| Some((shown.first()?.clone()?, shown)))
            .collect();
        let mut pager = Pager::new(table, &columns.join(", "), 0);
        while let Some(page) = pager.next(&mut self.conn).await? {
            for row in page {
                // Servers write JSON each in its own way.
                let row: Vec<String> = of.told(COMPARED, &row).map(Cow::into_owned).collect();
                match left.remove(&row[0]) {
                    Some(mut expected) => {
                        // Older tables have no values for a late column until a reload.
                        for (place, name) in columns.iter().enumerate() {
                            if row[place] == "null" && is_late(name) {
                                expected[place] = None;
                            }
                        }
                        if let Some(what) = difference(&columns, &expected, &row) {
                            self.differs(table, &row[0], &what);
                        }
                    }
                    // A category that was removed is not shown; its row stays for what refers to
                    // it.
                    None if table == categories::TABLE.name
                        && status.is_some_and(|status| row[status] == "0") => {}
                    // What a user has erased is gone; its row stays for what others keep there.
                    None if table == levels::TABLE.name && levels::is_gone(&columns, &row) => {}
                    None if table == preferences::TABLE.name
                        && preferences::is_erased(&columns, &row) => {}
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
        reader: &DirectoryReader,
        ledger: LedgerView,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Journal, Fault> {
        let (oldest, seq) = (reader.oldest_seq(), self.checked.seq);
        let mut journal = Journal {
            orders: HashMap::default(),
            exchanges: HashMap::default(),
            whole: oldest == 1,
        };
        let ledger = Arc::new(ledger);
        let balances = Past::balances(&ledger, reader, oldest)?;
        let mut projector = Projector::new(lookup(&ledger), balances);
        let mut inventory = Records::new(&inventory::TABLE, oldest);
        let mut points = Records::new(&points::TABLE, oldest);
        let total = (seq + 1).saturating_sub(oldest);
        let mut batch = Batch::default();
        if total > 0 {
            for event in reader.events(oldest..=seq)? {
                let (at, event) = event?;
                projector.apply(&mut batch, at, &event)?;
                if batch.event_count() >= EVENTS || at == seq {
                    let records = &batch.inventory;
                    self.compare(&mut inventory, &inventory::TABLE, records).await?;
                    self.compare(&mut points, &points::TABLE, &batch.points).await?;
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
        of: &Table<RecordRow>,
        expected: &[RecordRow],
    ) -> Result<(), Fault> {
        let table = records.table();
        let mut rows: Vec<Row> = expected.iter().map(|record| of.row((), record)).collect();
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
        const TABLE: &str = orders::TABLE.name;
        // Others touch `updated_at` with whatever they write into the row.
        let columns = [&compared_made()[..], &compared_state()[..]].concat().join(", ");
        self.checked.orders = left.len() as u64;
        let whole = self.checked.from_seq == 1;
        let mut pager = Pager::new(TABLE, &columns, 0);
        while let Some(page) = pager.next(&mut self.conn).await? {
            for row in page {
                let id = &row[0];
                let expected = parse_order_id(id)
                    .and_then(|reservation| Some((reservation, left.remove(&reservation)?)));
                match expected {
                    Some((reservation, expected)) => {
                        if let Some(what) = expected.difference(reservation, &row) {
                            self.differs(TABLE, id, &what);
                        }
                    }
                    // One that was made and ended before the oldest event cannot be judged.
                    None if whole => self.differs(TABLE, id, "the journal has no such row"),
                    None => {}
                }
            }
        }
        for reservation in left.into_keys() {
            self.differs(TABLE, &order_id(reservation), "the row is missing");
        }
        Ok(())
    }
}
