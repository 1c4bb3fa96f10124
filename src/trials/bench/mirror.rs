//! The mirror against the database alone: how fast it carries orders over, and how late they are
//! there.
//!
//! The database is a private one that is started for it, or the one that the environment names. All
//! figures are of the same database in the same run, and share the processor with the mall that
//! sells meanwhile.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::MIRROR_URL as URL;
use super::dbserver::{self, DbServer, Program, Settings};
use super::durable::new_histogram;
use super::figures::{Figures, Target};
use super::stage::{self, PLENTY};
use crate::base::Seq;
use crate::base::error::{Error, Result};
use crate::engine::Engine;
use crate::mall::model::Moving;
use crate::mall::{
    Category, Exchange, Mall, MallConfig, MovePoints, Product, StockPlace, User, Wanted,
};
use crate::sink::{self as mirror, Backlog, BacklogPolicy, Mirror, MirrorConfig, MirrorView};

const DATABASE: &str = "stockhold_bench";

const USERS: usize = 1_000;
const PRODUCTS: usize = 20;
const PRICE: u64 = 100;
/// How many orders there are before the mirror starts.
const BACKLOG: u64 = 150_000;
/// Orders that are made at one time.
const AT_ONCE: usize = 1_024;
/// For how long rows are committed one by one, and orders are made at a rate.
const SINGLE_FOR: Duration = Duration::from_secs(2);
const SUSTAIN_FOR: Duration = Duration::from_secs(6);
/// Orders a second that a flash sale makes.
const SALE: f64 = 20_000.0;
const TICK: Duration = Duration::from_millis(2);
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How long the mirror may take for anything.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn mirror(dir: &Path, figures: &mut Figures) -> Result<()> {
    let runtime = Runtime::new().map_err(|cause| Error::io("starting a runtime", cause))?;
    let Some(database) = runtime.block_on(Database::new(&dir.join("mariadb")))? else {
        eprintln!(
            "the mirror is left out: there is no mariadbd on this machine, and {URL} names no database"
        );
        return Ok(());
    };
    let sale = Sale::open(&dir.join("engine"), &runtime)?;
    // Carries over what there is at first, so that the tables are there.
    catch_up(&sale, &database)?;
    let single = runtime.block_on(single_rows(&database.url))?;
    figures.figure("rows, one in each statement and commit", single, "/s", Target::None);

    runtime.block_on(sale.make(BACKLOG))?;
    let Rates { orders, rows } = catch_up(&sale, &database)?;
    let figure =
        figures.figure("rows mirrored from a backlog", rows, "/s", Target::Over(10.0 * single));
    figure.against("one row in each commit", single);
    figures.figure("orders mirrored from it, each with its records", orders, "/s", Target::None);

    let mirror = database.mirror(&sale.engine)?;
    let half = orders / 2.0;
    lag(
        &sale,
        &runtime,
        &mirror.view(),
        half,
        "orders at half of that rate",
        Target::Under(1_000.0),
        figures,
    )?;
    lag(&sale, &runtime, &mirror.view(), SALE, "orders of a sale", Target::None, figures)?;
    mirror.stop();
    sale.engine.close()
}

/// Where the tables are.
struct Database {
    url: SecretString,
    /// Ends with it.
    _server: Option<DbServer>,
}

impl Database {
    /// `None` when there is none to be had.
    async fn new(home: &Path) -> Result<Option<Self>> {
        if let Ok(url) = std::env::var(URL) {
            return Ok(Some(Self { url: url.into(), _server: None }));
        }
        let Some(program) = Program::installed() else {
            return Ok(None);
        };
        // As an operator's: each commit is synced, and there is room for a sale.
        let arguments =
            ["--innodb-buffer-pool-size=1G", "--innodb-log-file-size=512M"].map(str::to_owned);
        let settings = Settings { durable: true, arguments: arguments.into(), templates: None };
        let server = DbServer::start(program, home, settings)
            .map_err(|cause| Error::io("starting a database", cause))?;
        let place = format!(
            "mysql://{}:{}@{}",
            dbserver::ADMIN,
            dbserver::PASSWORD_IN_URL,
            server.address()
        );
        connect(&place)
            .await?
            .query_drop(format!("CREATE DATABASE {DATABASE}"))
            .await
            .map_err(failed)?;
        Ok(Some(Self { url: format!("{place}/{DATABASE}").into(), _server: Some(server) }))
    }

    fn mirror(&self, engine: &Engine) -> Result<Mirror> {
        let backlog = Backlog { bytes_max: u64::MAX, policy: BacklogPolicy::Keep };
        let database = mirror::Database { url: self.url.clone(), ca: None, prefix: None };
        Mirror::start(engine, MirrorConfig { database, migrate: true, backlog })
    }
}

async fn connect(url: &str) -> Result<Conn> {
    let opts = Opts::from_url(url).map_err(|cause| Error::invalid(format!("{URL}: {cause}")))?;
    Conn::new(opts).await.map_err(failed)
}

fn failed(cause: mysql_async::Error) -> Error {
    Error::unavailable("the database failed").with_source(cause)
}

/// How many rows a second are inserted when each is a statement and a commit of its own: the
/// mirror's own rows, as far as their size goes.
async fn single_rows(url: &SecretString) -> Result<f64> {
    let mut connection = connect(url.expose_secret()).await?;
    let statement = "INSERT INTO inventory_records (id, product_id, change_type, quantity_change, stock_before, \
                     stock_after, quantity, related_order_id, description) VALUES (?, ?, 2, -1, ?, ?, 1, ?, '')";
    let (start, mut count) = (Instant::now(), 0_u64);
    while start.elapsed() < SINGLE_FOR {
        let row = (
            format!("single_{count:016x}"),
            "single",
            count,
            count,
            format!("single_{count:013x}"),
        );
        connection.exec_drop(statement, row).await.map_err(failed)?;
        count += 1;
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    connection
        .query_drop("DELETE FROM inventory_records WHERE product_id = 'single'")
        .await
        .map_err(failed)?;
    Ok(rate)
}

/// What the mirror carried over, a second.
struct Rates {
    orders: f64,
    rows: f64,
}

/// Starts a mirror, waits until the tables show everything, and stops it.
fn catch_up(sale: &Sale, database: &Database) -> Result<Rates> {
    let mirror = database.mirror(&sale.engine)?;
    let view = mirror.view();
    let watermark = |view: &MirrorView| view.status().watermark;
    let start = until(&view, |view| view.status().batches > 0)?;
    let (rows_before, from) = (view.status().rows, watermark(&view));
    let last = sale.engine.durable_seq();
    let end = until(&view, |view| watermark(view) >= last)?;
    let seconds = (end - start).as_secs_f64();
    // Each order is one event.
    let rates = Rates {
        orders: (last - from) as f64 / seconds,
        rows: (view.status().rows - rows_before) as f64 / seconds,
    };
    mirror.stop();
    Ok(rates)
}

/// Waits until the mirror is so far; when it was.
fn until(view: &MirrorView, far: impl Fn(&MirrorView) -> bool) -> Result<Instant> {
    let start = Instant::now();
    while !far(view) {
        if start.elapsed() > PATIENCE {
            let status = view.status();
            return Err(Error::unavailable(format!("the mirror does not get further: {status:?}")));
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(Instant::now())
}

/// Makes orders at a rate, and measures how late each is in the tables.
fn lag(
    sale: &Sale,
    runtime: &Runtime,
    view: &MirrorView,
    rate: f64,
    what: &str,
    target: Target,
    figures: &mut Figures,
) -> Result<()> {
    let (acknowledged, over) = (Mutex::new(VecDeque::new()), AtomicBool::new(false));
    let (made, times) = thread::scope(|scope| {
        let looking = scope.spawn(|| look(view, &acknowledged, &over));
        let made = runtime.block_on(sale.make_at(rate, &acknowledged));
        over.store(true, Ordering::SeqCst);
        (made, looking.join())
    });
    let times = times.map_err(|_| Error::unavailable("a measuring thread panicked"))??;
    let ms = |quantile: f64| times.value_at_quantile(quantile) as f64 / 1e3;
    figures.figure(what, made?, "/s", Target::None);
    figures.figure(
        "from acknowledged to in the tables, at that rate: p50",
        ms(0.5),
        "ms",
        Target::None,
    );
    figures.figure("the same: p99", ms(0.99), "ms", target);
    figures.figure("the same: longest", ms(1.0), "ms", Target::None);
    Ok(())
}

/// Events with when they were acknowledged, oldest first.
type Acknowledged = Mutex<VecDeque<(Seq, Instant)>>;

/// Records how long after their acknowledgement events are in the tables, until there are no more
/// to come.
fn look(
    view: &MirrorView,
    acknowledged: &Acknowledged,
    over: &AtomicBool,
) -> Result<Histogram<u64>> {
    let mut times = new_histogram()?;
    let start = Instant::now();
    loop {
        let last = over.load(Ordering::SeqCst);
        let watermark = view.status().watermark;
        let mut waiting = acknowledged.lock();
        while let Some((_, at)) = waiting.pop_front_if(|(seq, _)| *seq <= watermark) {
            times.saturating_record(at.elapsed().as_micros() as u64);
        }
        if last && waiting.is_empty() {
            return Ok(times);
        }
        drop(waiting);
        if start.elapsed() > PATIENCE {
            return Err(Error::unavailable(format!(
                "the mirror does not get further: {:?}",
                view.status()
            )));
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// A mall with a crowd.
struct Sale {
    engine: Engine,
    mall: Mall,
    users: Arc<[User]>,
}

impl Sale {
    fn open(dir: &Path, runtime: &Runtime) -> Result<Self> {
        let engine = stage::builder(dir).open()?;
        let mall = Mall::open(engine.clone(), MallConfig::default())?;
        mall.put_category(&Category::new("category", "秒杀"))?;
        let users =
            (0..USERS).map(|number| User::new(&format!("user_{number}"))).collect::<Result<_>>()?;
        let sale = Self { engine, mall, users };
        for number in 0..PRODUCTS {
            sale.mall.put_product(&product(number))?;
            runtime
                .block_on(sale.mall.receive(
                    StockPlace::for_sale(&product_id(number)),
                    PLENTY,
                    "",
                    None,
                ))
                .map_err(refused)?;
        }
        let plenty = MovePoints {
            moving: Moving::Award,
            points: PLENTY,
            source: None,
            operator: "bench",
            reason: "",
            order: None,
            expires_at: None,
        };
        for user in sale.users.iter() {
            runtime.block_on(sale.mall.move_points(user, &plenty, None)).map_err(refused)?;
        }
        Ok(sale)
    }

    /// Makes this many orders as fast as possible.
    async fn make(&self, count: u64) -> Result<()> {
        let mut tasks = JoinSet::new();
        for number in 0..count {
            if tasks.len() >= AT_ONCE {
                done(tasks.join_next().await)?;
            }
            self.spawn_order(&mut tasks, number);
        }
        while !tasks.is_empty() {
            done(tasks.join_next().await)?;
        }
        Ok(())
    }

    /// Makes orders at a rate for a while, and notes what is durable when; the rate that was
    /// reached.
    async fn make_at(&self, rate: f64, acknowledged: &Acknowledged) -> Result<f64> {
        let (start, mut made) = (Instant::now(), 0);
        let mut tasks = JoinSet::new();
        let mut ticks = tokio::time::interval(TICK);
        while start.elapsed() < SUSTAIN_FOR {
            ticks.tick().await;
            let due = (start.elapsed().as_secs_f64() * rate) as u64;
            // Those that cannot be made in time are not made: the rate that is reported falls.
            while made < due && tasks.len() < AT_ONCE {
                self.spawn_order(&mut tasks, made);
                made += 1;
            }
            while let Some(task) = tasks.try_join_next() {
                done(Some(task))?;
            }
            acknowledged.lock().push_back((self.engine.durable_seq(), Instant::now()));
        }
        while !tasks.is_empty() {
            done(tasks.join_next().await)?;
        }
        Ok(made as f64 / start.elapsed().as_secs_f64())
    }

    fn spawn_order(&self, tasks: &mut JoinSet<Result<()>>, number: u64) {
        let (mall, users) = (self.mall.clone(), Arc::clone(&self.users));
        tasks.spawn(async move {
            // Neighbours have neither user nor product in common.
            let user = &users[number as usize % USERS];
            let product_id = product_id(number as usize % PRODUCTS);
            let product_id = product_id.as_str();
            let items = [Wanted { product_id, quantity: 1 }];
            let exchange = Exchange { confirm: true, ..Exchange::of(&items) };
            mall.exchange(user, &exchange).await.map(drop).map_err(refused)
        });
    }
}

fn done(task: Option<Result<Result<()>, tokio::task::JoinError>>) -> Result<()> {
    task.unwrap_or(Ok(Ok(()))).map_err(|_| Error::unavailable("a measuring task panicked"))?
}

fn refused(failure: crate::mall::Failure) -> Error {
    Error::unavailable(format!("the mall refused what it has plenty of: {failure:?}"))
}

fn product_id(number: usize) -> String {
    format!("product_{number}")
}

fn product(number: usize) -> Product {
    Product {
        is_hot: true,
        is_new: true,
        ..Product::new(product_id(number), "秒杀商品", "category", PRICE)
    }
}
