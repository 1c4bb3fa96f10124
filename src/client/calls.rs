//! What can be asked.

use hyper::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::ClientError;
use super::send::Ask;
use super::{Client, RequestKey};
use crate::base::error::Error;
use crate::base::{AccountId, AccountKey, ReservationId, Seq};
use crate::event::Policy;
use crate::wire::{
    AccountPage, AccountRef, AccountState, Adjustment, Batch, BatchAnswer, Changed, ConfirmRequest,
    Count, EventPage, ExtendRequest, NewAccount, NewReservation, OwnerRequest, Quantity,
    RefundRequest, Reservation, Reserved, Settled, TransferTo, Transferred,
};

/// What a part of a path or of a query cannot have as it is: all but the unreserved of RFC 3986, 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The result of every call. Each may be a [`ClientError`]: refused, not answered in time, or not
/// readable.
type Called<T> = Result<T, ClientError>;

impl Client {
    /// Opens an account, or finds it open with these rules.
    ///
    /// # Errors
    /// `ALREADY_EXISTS` when it is open with others, `MALL_ACCOUNT`.
    pub async fn open_account(&self, key: &AccountKey, policy: Policy) -> Called<AccountState> {
        let new = NewAccount { key: key.clone(), policy: Some(policy.into()) };
        self.post("/v1/accounts".to_owned(), &new, None).await
    }

    /// An account as it stands.
    ///
    /// # Errors
    /// `ACCOUNT_NOT_FOUND`.
    pub async fn account(&self, account: impl Into<AccountRef>) -> Called<AccountState> {
        self.get(path(&account.into(), "")).await
    }

    /// Accounts that are open and whose keys begin with `prefix`, from after `after` on: at most
    /// `limit`, 1 to 1,000.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn accounts(
        &self,
        prefix: &str,
        after: Option<AccountId>,
        limit: u64,
    ) -> Called<AccountPage> {
        let after = after.map(|after| format!("&after={}", after.number())).unwrap_or_default();
        self.get(format!("/v1/accounts?prefix={}&limit={limit}{after}", encoded(prefix))).await
    }

    /// Closes an account for good in which nothing is left. It is named by its number, which is one
    /// account's for good: closing it again is answered alike.
    ///
    /// # Errors
    /// `ACCOUNT_NOT_EMPTY`, `ACCOUNT_NOT_FOUND`.
    pub async fn close_account(&self, account: AccountId) -> Called<AccountState> {
        let ask = Ask {
            method: Method::DELETE,
            path: path(&account.into(), ""),
            body: Vec::new(),
            key: None,
        };
        self.ask(ask).await
    }

    /// Adds units.
    ///
    /// # Errors
    /// `ACCOUNT_NOT_FOUND`, `MALL_ACCOUNT`.
    pub async fn receive(
        &self,
        account: impl Into<AccountRef>,
        quantity: u64,
        note: &str,
        key: &RequestKey,
    ) -> Called<Changed> {
        let note = Some(note.to_owned());
        self.post(path(&account.into(), "/receive"), &Quantity { quantity, note }, Some(key)).await
    }

    /// Corrects an account by so many units.
    ///
    /// # Errors
    /// `INSUFFICIENT_UNITS`, `ACCOUNT_NOT_FOUND`, `MALL_ACCOUNT`.
    pub async fn adjust(
        &self,
        account: impl Into<AccountRef>,
        delta: i64,
        note: &str,
        key: &RequestKey,
    ) -> Called<Changed> {
        let note = Some(note.to_owned());
        self.post(path(&account.into(), "/adjust"), &Adjustment { delta, note }, Some(key)).await
    }

    /// Corrects an account to what was counted, those that are reserved included.
    ///
    /// # Errors
    /// `INSUFFICIENT_UNITS`, `ACCOUNT_NOT_FOUND`, `MALL_ACCOUNT`.
    pub async fn count(
        &self,
        account: impl Into<AccountRef>,
        counted: u64,
        note: &str,
        key: &RequestKey,
    ) -> Called<Changed> {
        let note = Some(note.to_owned());
        self.post(path(&account.into(), "/count"), &Count { counted, note }, Some(key)).await
    }

    /// Takes units out for good.
    ///
    /// # Errors
    /// `INSUFFICIENT_UNITS`, `ACCOUNT_NOT_FOUND`, `MALL_ACCOUNT`.
    pub async fn write_off(
        &self,
        account: impl Into<AccountRef>,
        quantity: u64,
        note: &str,
        key: &RequestKey,
    ) -> Called<Changed> {
        let note = Some(note.to_owned());
        let path = path(&account.into(), "/write-off");
        self.post(path, &Quantity { quantity, note }, Some(key)).await
    }

    /// Moves units to another account of a kind of the same name.
    ///
    /// # Errors
    /// `INSUFFICIENT_UNITS`, `ACCOUNT_NOT_FOUND`, `MALL_ACCOUNT`.
    pub async fn transfer(
        &self,
        from: impl Into<AccountRef>,
        to: impl Into<AccountRef>,
        quantity: u64,
        note: &str,
        key: &RequestKey,
    ) -> Called<Transferred> {
        let to = TransferTo { to: to.into(), quantity, note: Some(note.to_owned()) };
        self.post(path(&from.into(), "/transfer"), &to, Some(key)).await
    }

    /// Takes units of several accounts and holds them: all or none.
    ///
    /// # Errors
    /// `INSUFFICIENT_UNITS`, `ACCOUNT_NOT_FOUND`, `MALL_ACCOUNT`.
    pub async fn reserve(&self, new: &NewReservation, key: &RequestKey) -> Called<Reserved> {
        self.post("/v1/reservations".to_owned(), new, Some(key)).await
    }

    /// A reservation with its whole life.
    ///
    /// # Errors
    /// `RESERVATION_NOT_FOUND`.
    pub async fn reservation(&self, reservation: ReservationId) -> Called<Reservation> {
        self.get(format!("/v1/reservations/{reservation}")).await
    }

    /// Makes a reservation final, or a part of it.
    ///
    /// # Errors
    /// `RESERVATION_EXPIRED`, `RESERVATION_STATE`, `RESERVATION_NOT_FOUND`, `FORBIDDEN`.
    pub async fn confirm(
        &self,
        reservation: ReservationId,
        request: &ConfirmRequest,
        key: &RequestKey,
    ) -> Called<Settled> {
        self.post(act(reservation, "confirm"), request, Some(key)).await
    }

    /// Gives a reservation's units back.
    ///
    /// # Errors
    /// As [`Client::confirm`].
    pub async fn release(
        &self,
        reservation: ReservationId,
        request: &OwnerRequest,
        key: &RequestKey,
    ) -> Called<Settled> {
        self.post(act(reservation, "release"), request, Some(key)).await
    }

    /// Gives a pending reservation another deadline.
    ///
    /// # Errors
    /// As [`Client::confirm`].
    pub async fn extend(
        &self,
        reservation: ReservationId,
        request: &ExtendRequest,
        key: &RequestKey,
    ) -> Called<Reserved> {
        self.post(act(reservation, "extend"), request, Some(key)).await
    }

    /// Takes again what an expired reservation held, and confirms it: all of it or nothing.
    ///
    /// # Errors
    /// `INSUFFICIENT_UNITS`, and as [`Client::confirm`].
    pub async fn reacquire(
        &self,
        reservation: ReservationId,
        request: &OwnerRequest,
        key: &RequestKey,
    ) -> Called<Settled> {
        self.post(act(reservation, "reacquire"), request, Some(key)).await
    }

    /// Returns what a confirmed reservation consumed, or a part of it.
    ///
    /// # Errors
    /// As [`Client::confirm`].
    pub async fn refund(
        &self,
        reservation: ReservationId,
        request: &RefundRequest,
        key: &RequestKey,
    ) -> Called<Settled> {
        self.post(act(reservation, "refund"), request, Some(key)).await
    }

    /// Executes up to 1,000 commands: each for itself, or all of them or none.
    ///
    /// # Errors
    /// Of commands that happen together, what the first that cannot happen is refused with.
    pub async fn batch(&self, batch: &Batch, key: &RequestKey) -> Called<BatchAnswer> {
        self.post("/v1/batch".to_owned(), batch, Some(key)).await
    }

    /// Events from `from` on, at most `limit`, 1 to 1,000.
    ///
    /// # Errors
    /// `EVENTS_GONE` when the first of them is no longer kept.
    pub async fn event_page(&self, from: Seq, limit: u64) -> Called<EventPage> {
        self.get(format!("/v1/events?from={from}&limit={limit}")).await
    }

    async fn get<T: DeserializeOwned>(&self, path: String) -> Called<T> {
        self.ask(Ask { method: Method::GET, path, body: Vec::new(), key: None }).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: String,
        body: &impl Serialize,
        key: Option<&RequestKey>,
    ) -> Called<T> {
        let body = serde_json::to_vec(body)
            .map_err(|cause| Error::invalid("the request cannot be written").with_source(cause))?;
        self.ask(Ask { method: Method::POST, path, body, key }).await
    }
}

fn path(account: &AccountRef, act: &str) -> String {
    format!("/v1/accounts/{}{act}", encoded(&account.to_string()))
}

fn act(reservation: ReservationId, act: &str) -> String {
    format!("/v1/reservations/{reservation}/{act}")
}

/// A text as a part of a path or of a query.
fn encoded(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}
