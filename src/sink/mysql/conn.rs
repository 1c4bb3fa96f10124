//! A connection that knows what the mirror's tables are called in its database: statements name
//! them as the mall's document does.

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Error as MysqlError, Params};

use super::fault::Fault;
use super::prefix::Prefix;

/// A connection.
pub(super) struct Conn {
    conn: mysql_async::Conn,
    prefix: Prefix,
}

impl Conn {
    /// Its statements are about tables without a prefix.
    pub(super) fn new(conn: mysql_async::Conn) -> Self {
        Self { conn, prefix: Prefix::NONE }
    }

    /// The name of a lock for the database at hand: such names are the server's, and no longer than
    /// 64 characters.
    pub(super) async fn lock_name(&mut self, what: &str) -> Result<String, Fault> {
        let named: Option<(Option<String>, u8)> =
            self.query_first("SELECT DATABASE(), @@lower_case_table_names").await?;
        let (database, folds) = named.unwrap_or_default();
        let database = database.unwrap_or_default();
        // Where upper and lower case are one, so is the database.
        let database = if folds == 0 { database } else { database.to_lowercase() };
        // Mirrors with other names do not disturb each other.
        Ok(lock_of(what, &(database + self.prefix.text())))
    }

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

pub(super) fn lock_of(what: &str, database: &str) -> String {
    format!("{what}-{}", &blake3::hash(database.as_bytes()).to_hex()[..32])
}
