//! The connections to one database, and what the mirror's tables are called there.

use mysql_async::Error as MysqlError;

use super::catalogue;
use super::conn::Conn;
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

impl Pool {
    pub(super) fn new(pool: mysql_async::Pool, prefix: Option<Prefix>) -> Self {
        Self { pool, prefix }
    }

    /// A connection whose session is as the mirror needs it, and what the server is.
    pub(super) async fn connect(&self) -> Result<(Conn, Server), Fault> {
        let mut conn = self.pool.get_conn().await?;
        let server = variables::settle(&mut conn).await?;
        let mut conn = Conn::new(conn);
        let prefix = match self.prefix {
            Some(prefix) => prefix,
            None => found(&mut conn).await?,
        };
        conn.turn_to(prefix);
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
