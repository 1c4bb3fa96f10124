//! A connection that knows what the mirror's tables are called in its database: statements name
//! them as the mall's document does.

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Error as MysqlError, Params};

use super::catalogue;
use super::fault::Fault;
use super::prefix::Prefix;
use super::variables::{self, Server};

/// What begins the names of the mirror's tables where an application has tables of those names, and
/// nobody set a prefix.
const OWN: &str = "stockhold_";

/// The connections to one database.
pub(super) struct Pool {
    pool: mysql_async::Pool,
    /// What the names of the tables begin with, if the operator says so.
    prefix: Option<Prefix>,
}

/// A connection to it.
pub(super) struct Conn {
    conn: mysql_async::Conn,
    prefix: Prefix,
}

impl Pool {
    pub(super) fn new(pool: mysql_async::Pool, prefix: Option<Prefix>) -> Self {
        Self { pool, prefix }
    }

    /// A connection whose session is as the mirror needs it, and what the server is.
    pub(super) async fn connect(&self) -> Result<(Conn, Server), Fault> {
        let mut conn = self.pool.get_conn().await?;
        let server = variables::settle(&mut conn).await?;
        let mut conn = Conn { conn, prefix: Prefix::NONE };
        conn.prefix = match self.prefix {
            Some(prefix) => prefix,
            None => found(&mut conn).await?,
        };
        Ok((conn, server))
    }

    pub(super) async fn disconnect(self) -> Result<(), MysqlError> {
        self.pool.disconnect().await
    }
}

/// The prefix of the mirror that is in the database, or that one gets which comes there: none,
/// unless an application has tables of the mirror's names.
async fn found(conn: &mut Conn) -> Result<Prefix, Fault> {
    let there = catalogue::read(conn, Prefix::NONE).await?;
    // Views of these names may be of the mirror's tables elsewhere.
    let mut tables = there.iter().filter(|(_, table)| !table.is_view);
    let is_mirrors = tables.any(|(name, table)| name.starts_with("mirror_") || table.is_mirrors());
    if is_mirrors {
        return Ok(Prefix::NONE);
    }
    let own = Prefix::of(OWN).expect("it is a prefix");
    // Where an application had its tables once, the mirror stays where it is.
    let is_there = !there.is_empty() || !catalogue::read(conn, own).await?.is_empty();
    Ok(if is_there { own } else { Prefix::NONE })
}

impl Conn {
    pub(super) fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// Statements are about tables of this prefix from now on.
    pub(super) fn turn_to(&mut self, prefix: Prefix) {
        self.prefix = prefix;
    }

    pub(super) fn id(&self) -> u32 {
        self.conn.id()
    }

    pub(super) fn affected_rows(&self) -> u64 {
        self.conn.affected_rows()
    }

    pub(super) async fn query<T, Q>(&mut self, query: Q) -> Result<Vec<T>, MysqlError>
    where
        T: FromRow + Send + 'static,
        Q: AsRef<str>,
    {
        self.conn.query(self.prefix.sql(query.as_ref()).as_ref()).await
    }

    pub(super) async fn query_first<T, Q>(&mut self, query: Q) -> Result<Option<T>, MysqlError>
    where
        T: FromRow + Send + 'static,
        Q: AsRef<str>,
    {
        self.conn.query_first(self.prefix.sql(query.as_ref()).as_ref()).await
    }

    pub(super) async fn query_drop<Q: AsRef<str>>(&mut self, query: Q) -> Result<(), MysqlError> {
        self.conn.query_drop(self.prefix.sql(query.as_ref()).as_ref()).await
    }

    /// A statement that names its tables itself.
    pub(super) async fn query_as_is(&mut self, query: &str) -> Result<(), MysqlError> {
        self.conn.query_drop(query).await
    }

    pub(super) async fn exec<T, Q, P>(&mut self, query: Q, values: P) -> Result<Vec<T>, MysqlError>
    where
        T: FromRow + Send + 'static,
        Q: AsRef<str>,
        P: Into<Params> + Send,
    {
        self.conn.exec(self.prefix.sql(query.as_ref()), values).await
    }

    pub(super) async fn exec_first<T, Q, P>(
        &mut self,
        query: Q,
        values: P,
    ) -> Result<Option<T>, MysqlError>
    where
        T: FromRow + Send + 'static,
        Q: AsRef<str>,
        P: Into<Params> + Send,
    {
        self.conn.exec_first(self.prefix.sql(query.as_ref()), values).await
    }

    pub(super) async fn exec_drop<Q, P>(&mut self, query: Q, values: P) -> Result<(), MysqlError>
    where
        Q: AsRef<str>,
        P: Into<Params> + Send,
    {
        self.conn.exec_drop(self.prefix.sql(query.as_ref()), values).await
    }
}
