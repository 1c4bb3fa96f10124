//! A client of the generic API of a server: accounts, reservations and events, over HTTP.
//!
//! Every request that changes something has a [`RequestKey`], and its retries have the same one. So an
//! answer that is lost on the way costs a try and has no second effect: the retry hears what the first
//! try came to. Each call has a deadline for all its tries together; between them it waits a random
//! time that grows, and at least as long as the server asks for.
//!
//! ```no_run
//! use stockhold::client::{Client, NewReservation, RequestKey, TakenLine};
//! use stockhold::{AccountKey, Policy};
//!
//! # async fn example() -> Result<(), stockhold::client::ClientError> {
//! let client = Client::new("http://ledger.internal:3000", "the token of a service")?;
//! let seats = AccountKey::custom("seat", &["hall-1"])?;
//! client.open_account(&seats, Policy::strict()).await?;
//! client.receive(&seats, 120, "the hall was built", &RequestKey::new("hall-1-built")?).await?;
//!
//! // Hold two seats for a quarter of an hour. A key of the caller's own survives its restart, too.
//! let key = RequestKey::new("cart-4711")?;
//! let lines = vec![TakenLine { account: (&seats).into(), quantity: 2 }];
//! let wanted = NewReservation { lines, ttl_ms: Some(15 * 60 * 1000), ..NewReservation::default() };
//! let held = client.reserve(&wanted, &key).await?;
//!
//! // The payment arrived.
//! client.confirm(held.reservation, &Default::default(), &RequestKey::new("paid-4711")?).await?;
//! # Ok(())
//! # }
//! ```

mod calls;
mod error;
mod events;
mod pack;
mod send;
mod stream;

use std::time::Duration;

use crate::base::error::{Error, Result};
use crate::base::{IdempotencyKey, handle};
use crate::outgoing::{self, Endpoint, Guard, Trust};

pub use crate::wire::{
    AccountPage, AccountPolicy, AccountRef, AccountState, Adjustment, Batch, BatchAnswer,
    BatchCommand, Changed, CommandDone, CommandFailed, CommandResult, ConfirmRequest, Count,
    EventPage, ExtendRequest, FactLine, Found, LedgerEvent, LedgerFact, NewReservation,
    OldestEvent, OwnerRequest, QuotaWindow, RefundRequest, Refused, Reservation, ReservationLine,
    ReservationStatus, Reserved, Settled, StatusFound, TakenLine, Transferred, UnitsLeft,
};
pub use error::{ClientError, Refusal};
pub use events::Events;

/// How long a call may take with all its tries, unless it is said otherwise.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long one try may take, and how long it may take to connect.
const TRY: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// How long a stream may be silent before it is taken for dead: three heartbeats.
const SILENCE: Duration = Duration::from_secs(45);

/// The name of a request, so that asking again has no second effect. Keys of two callers never meet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestKey(String);

impl RequestKey {
    /// A key of the caller's own: 1 to [`IdempotencyKey::BYTES_MAX`] printable characters of ASCII.
    ///
    /// # Errors
    /// `Invalid` when it is none.
    pub fn new(key: impl Into<String>) -> Result<Self> {
        let key = key.into();
        let fits = (1..=IdempotencyKey::BYTES_MAX).contains(&key.len());
        let is_plain = key.bytes().all(|byte| byte.is_ascii_graphic()) && !key.starts_with('"');
        match fits && is_plain {
            true => Ok(Self(key)),
            false => Err(Error::invalid(
                "a request's key is 1 to 255 printable characters of ASCII, without spaces, and begins with no quote",
            )),
        }
    }

    /// A key that nobody has used.
    ///
    /// # Errors
    /// `Unavailable` when the system has no random numbers.
    pub fn random() -> Result<Self> {
        let number = send::random_u64()?;
        Ok(Self(format!("{number:016x}{:016x}", send::random_u64()?)))
    }

    fn as_str(&self) -> &str {
        &self.0
    }
}

/// A client: cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: outgoing::Client,
    /// The address of the server, without a slash at its end.
    url: String,
    token: String,
    deadline: Duration,
    silence: Duration,
    packs: bool,
}

handle!(Client, this { url: this.url });

impl Client {
    /// A client of the server at `url`, such as `https://ledger.example:3000`, with the token of a
    /// service or an administrator.
    ///
    /// # Errors
    /// `Invalid` when the address is none, or the token cannot be sent.
    pub fn new(url: &str, token: &str) -> Result<Self> {
        Self::trusting(url, token, None)
    }

    /// As [`Client::new`], of a server that a certificate of this PEM file vouches for.
    ///
    /// # Errors
    /// As [`Client::new`], and `Invalid` when the file holds no certificate.
    pub fn trusting(url: &str, token: &str, pem: Option<&[u8]>) -> Result<Self> {
        let url = url.trim_end_matches('/').to_owned();
        let endpoint = Endpoint::parse(&url)?;
        send::bearer(token)?;
        let limits = outgoing::Limits {
            connect_timeout: CONNECT,
            timeout: TRY,
            body_bytes_max: ANSWER_BYTES_MAX,
        };
        // Whoever configures the ledger's address means it, wherever it is.
        let guard = Guard::new([endpoint.host().to_owned()]);
        let http = outgoing::Client::new(guard, Trust::new(pem)?, limits);
        let (token, packs) = (token.to_owned(), false);
        Ok(Self { http, url, token, deadline: DEADLINE, silence: SILENCE, packs })
    }

    /// How long a call may take with all its tries: 30 s unless it is said otherwise.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sends and reads MessagePack, which is shorter, in place of JSON: calls and their answers are the
    /// same. A stream of events is JSON all the same.
    #[must_use]
    pub fn messagepack(mut self) -> Self {
        self.packs = true;
        self
    }

    /// How long a stream of events may be silent before it is connected anew: 45 s unless it is said
    /// otherwise, which is three heartbeats of the server.
    #[must_use]
    pub fn silence(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }
}
