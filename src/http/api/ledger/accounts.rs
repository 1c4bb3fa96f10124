//! Accounts of the generic API.

use std::borrow::Cow;

use super::{names, outcome, refused};
use crate::base::AccountId;
use crate::base::error::ErrorKind;
use crate::event::Policy;
use crate::http::body::{Empty, Sent};
use crate::http::call::LedgerCall;
use crate::http::error::{ApiError, Code, FailureWire};
use crate::http::query;
use crate::http::reply::{Answer, success};
use crate::http::text::text;
use crate::ledger::{Adjust, CloseOutcome, Receive, Transfer, WriteOff};
use crate::mall::{Note, REASON_CHARS_MAX};
use crate::wire::{
    AccountPage, AccountState, Adjustment, Count, Found, NewAccount, Quantity, TransferTo,
    UnitsLeft,
};

/// How many accounts a page has unless it is said otherwise, and at most.
const PAGE: u64 = 100;
const PAGE_MAX: u64 = 1_000;

/// A look at every account may take long: it is taken beside the threads that sell.
pub(in crate::http) async fn list(call: LedgerCall<'_>) -> Answer {
    let (mut prefix, mut after, mut limit) = (String::new(), None, PAGE);
    for (name, value) in call.query()? {
        match name.as_str() {
            "prefix" => prefix = query::short(&name, value)?,
            "after" => {
                let number = query::number(&name, &value, 0..=u64::from(u32::MAX))?;
                after = Some(AccountId::from_number(number as u32));
            }
            "limit" => limit = query::number(&name, &value, 1..=PAGE_MAX)?,
            _ => return Err(query::unknown(&name)),
        }
    }
    call.app.mall.check_alive()?;
    let (mall, format, limit) = (call.app.mall.clone(), call.format, limit as usize);
    let found = move || {
        let mut levels = mall.engine().accounts_after(&prefix, after, limit + 1);
        let more = levels.len() > limit;
        levels.truncate(limit);
        let next_after = levels.last().filter(|_| more).map(|level| level.account);
        let accounts = levels.into_iter().map(AccountState::from).collect();
        Ok(success(format, &AccountPage { accounts, next_after }, mall.now_ms()))
    };
    call.lanes().lists.run(found).await
}

pub(in crate::http) async fn open(call: LedgerCall<'_>, body: Sent<NewAccount>) -> Answer {
    call.no_query()?;
    let (NewAccount { key, policy }, _) = body.read(&call).await?;
    names::check_changeable(&key)?;
    let mall = &call.app.mall;
    let policy = Policy::from(policy.unwrap_or_default());
    let account = mall.engine().open_account(&key, policy).map_err(|error| match error.kind() {
        ErrorKind::Conflict => ApiError::new(Code::AlreadyExists).detail(error.to_string()),
        _ => error.into(),
    })?;
    // The account may be another request's, and not durable yet.
    mall.durable(mall.engine().decided()).await?;
    state(&call, account)
}

pub(in crate::http) async fn get(call: LedgerCall<'_, 1>) -> Answer {
    call.no_query()?;
    call.app.mall.check_alive()?;
    let account = names::find(call.app.mall.engine(), &names::account(call.path[0])?)?;
    state(&call, account)
}

pub(in crate::http) async fn close(call: LedgerCall<'_, 1>, body: Empty) -> Answer {
    call.no_query()?;
    body.read(&call).await?;
    let (mall, account) = (&call.app.mall, of_path(&call)?);
    let closing = mall.engine().close_account(account).map_err(refused::error)?;
    match mall.durable(closing).await? {
        CloseOutcome::Closed { account } => state(&call, account),
        CloseOutcome::NotEmpty { account, available, reserved, counting, waiting: _ } => {
            let left = UnitsLeft { account, available, reserved, counting };
            Err(ApiError::with(Code::AccountNotEmpty, FailureWire::Found(Found::Left(left))))
        }
    }
}

pub(in crate::http) async fn receive(call: LedgerCall<'_, 1>, body: Sent<Quantity>) -> Answer {
    call.no_query()?;
    let (Quantity { quantity, note }, key) = body.read(&call).await?;
    let note = noted(&call, note.as_deref())?;
    let receive = Receive::new(of_path(&call)?, quantity).note(&note).key(key);
    outcome::answer(&call, None, receive.into()).await
}

pub(in crate::http) async fn adjust(call: LedgerCall<'_, 1>, body: Sent<Adjustment>) -> Answer {
    call.no_query()?;
    let (Adjustment { delta, note }, key) = body.read(&call).await?;
    let note = noted(&call, note.as_deref())?;
    let adjust = Adjust::new(of_path(&call)?, delta).note(&note).key(key);
    outcome::answer(&call, None, adjust.into()).await
}

pub(in crate::http) async fn count(call: LedgerCall<'_, 1>, body: Sent<Count>) -> Answer {
    call.no_query()?;
    let (Count { counted, note }, key) = body.read(&call).await?;
    let note = noted(&call, note.as_deref())?;
    let count = Adjust::counted(of_path(&call)?, counted).note(&note).key(key);
    outcome::answer(&call, None, count.into()).await
}

pub(in crate::http) async fn write_off(call: LedgerCall<'_, 1>, body: Sent<Quantity>) -> Answer {
    call.no_query()?;
    let (Quantity { quantity, note }, key) = body.read(&call).await?;
    let note = noted(&call, note.as_deref())?;
    let write_off = WriteOff::new(of_path(&call)?, quantity).note(&note).key(key);
    outcome::answer(&call, None, write_off.into()).await
}

pub(in crate::http) async fn transfer(call: LedgerCall<'_, 1>, body: Sent<TransferTo>) -> Answer {
    call.no_query()?;
    let (TransferTo { to, quantity, note }, key) = body.read(&call).await?;
    let engine = call.app.mall.engine();
    let (from, to) = (of_path(&call)?, names::changeable(engine, &to)?);
    let note = noted(&call, note.as_deref())?;
    let transfer = Transfer::new(from, to, quantity).note(&note).key(key);
    outcome::answer(&call, None, transfer.into()).await
}

/// The account of the path, which the caller may change.
fn of_path(call: &LedgerCall<'_, 1>) -> Result<AccountId, ApiError> {
    names::changeable(call.app.mall.engine(), &names::account(call.path[0])?)
}

fn state<const N: usize>(call: &LedgerCall<'_, N>, account: AccountId) -> Answer {
    let level = call.app.mall.engine().level(account).map_err(refused::error)?;
    Ok(call.success(&AccountState::from(level)))
}

/// A note with who gives it.
pub(super) fn noted<'a, const N: usize>(
    call: &'a LedgerCall<'_, N>,
    note: Option<&'a str>,
) -> Result<Cow<'a, str>, ApiError> {
    let operator = Some(call.identity().user.id());
    let reason = text("note", note.unwrap_or_default(), 0..=REASON_CHARS_MAX)?;
    Ok(Note { operator, reason }.text())
}
