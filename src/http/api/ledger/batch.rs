//! Several commands in one request.

use super::accounts::noted;
use super::outcome::{self, Told};
use super::{names, refused, reservations};
use crate::base::error::Error;
use crate::base::{AccountId, IdempotencyKey};
use crate::engine::Engine;
use crate::http::body::Sent;
use crate::http::call::LedgerCall;
use crate::http::error::{ApiError, FailureWire};
use crate::http::reply::{Answer, message};
use crate::ledger::{
    Adjust, Atomic, AtomicOutcome, Command, Confirm, Deadline, Extend, Line, Receive, Release,
    Reserve, Transfer, WriteOff,
};
use crate::wire::{Batch, BatchAnswer, BatchCommand, CommandFailed, CommandResult};

/// The most commands of one request.
const COMMANDS_MAX: usize = 1_000;
/// The longest body, in bytes: that of so many commands is longer than any other.
const BODY_BYTES_MAX: usize = 1 << 20;

/// A command with what its names stand for, from which it is made.
struct Named<'a> {
    command: &'a BatchCommand,
    /// The account, and of a transfer the other one.
    accounts: [AccountId; 2],
    lines: Vec<Line>,
    owner: Option<AccountId>,
    note: std::borrow::Cow<'a, str>,
    details: &'a [u8],
}

pub(in crate::http) async fn execute(call: LedgerCall<'_>, body: Sent<Batch>) -> Answer {
    call.no_query()?;
    let (batch, key) = body.read_within(&call, BODY_BYTES_MAX).await?;
    if !(1..=COMMANDS_MAX).contains(&batch.commands.len()) {
        let bounds = format!("$.commands: there must be 1 to {COMMANDS_MAX}");
        return Err(ApiError::invalid(bounds));
    }
    let named: Vec<_> = batch.commands.iter().map(|command| Named::of(&call, command)).collect();
    let results = match batch.atomic.unwrap_or_default() {
        true => together(&call, named, key).await?,
        false => each(&call, &named, key).await?,
    };
    Ok(call.success(&BatchAnswer { results }))
}

/// All of them or none. Which one could not happen is told with its place.
async fn together(
    call: &LedgerCall<'_>,
    named: Vec<Result<Named<'_>, ApiError>>,
    key: Option<IdempotencyKey>,
) -> Result<Vec<CommandResult>, ApiError> {
    let named =
        named.into_iter().enumerate().map(|(at, named)| named.map_err(|error| of(error, at)));
    let named: Vec<Named<'_>> = named.collect::<Result<_, _>>()?;
    let commands =
        named.iter().enumerate().map(|(at, it)| it.command(None).map_err(|error| of(error, at)));
    let commands: Vec<Command<'_>> = commands.collect::<Result<_, _>>()?;
    let mall = &call.app.mall;
    let ticket = mall.engine().atomic(Atomic::new(&commands).key(key)).map_err(refused::error)?;
    match mall.durable(ticket).await? {
        AtomicOutcome::Done(outcomes) => {
            let mut results = Vec::with_capacity(outcomes.len());
            for (outcome, named) in outcomes.into_iter().zip(&named) {
                results
                    .push(CommandResult::Done(outcome::told(mall, named.told(), outcome).await?));
            }
            Ok(results)
        }
        AtomicOutcome::Refused { index, outcome } => {
            let told = named.get(index).map(Named::told).unwrap_or_default();
            match outcome::told(mall, told, outcome).await {
                Err(error) => Err(of(error, index)),
                Ok(_) => Err(Error::unavailable("a command was refused that was done").into()),
            }
        }
    }
}

fn of(error: ApiError, index: usize) -> ApiError {
    let place = format!("command {index}");
    let detail = match &error.detail {
        Some(detail) if detail.starts_with(&place) => return error,
        Some(detail) => format!("{place}: {detail}"),
        None => place,
    };
    error.detail(detail)
}

/// Each for itself. A key stands for each of them with its place in the request.
async fn each(
    call: &LedgerCall<'_>,
    named: &[Result<Named<'_>, ApiError>],
    key: Option<IdempotencyKey>,
) -> Result<Vec<CommandResult>, ApiError> {
    let mall = &call.app.mall;
    let commands: Vec<_> = named
        .iter()
        .enumerate()
        .map(|(at, it)| {
            let it = it.as_ref().ok()?;
            Some(it.command(key.map(|key| key.at(at as u64))))
        })
        .collect();
    let sound: Vec<Command<'_>> =
        commands.iter().filter_map(|it| it.as_ref()?.as_ref().ok()).copied().collect();
    let mut outcomes = mall.durable(mall.engine().batch(&sound)?).await?.into_iter();
    let mut results = Vec::with_capacity(named.len());
    for (command, named) in commands.into_iter().zip(named) {
        let told = match (command, named) {
            (_, Err(error)) => Err(failed(error)),
            (Some(Err(error)), _) => Err(failed(&error)),
            (Some(Ok(_)), Ok(named)) => match outcomes.next() {
                Some(Ok(outcome)) => {
                    outcome::told(mall, named.told(), outcome).await.map_err(|error| failed(&error))
                }
                Some(Err(error)) => Err(failed(&refused::error(error))),
                None => return Err(Error::unavailable("a batch has too few outcomes").into()),
            },
            (None, Ok(_)) => return Err(Error::unavailable("a command was lost").into()),
        };
        results.push(told.map_or_else(CommandResult::Failed, CommandResult::Done));
    }
    Ok(results)
}

fn failed(error: &ApiError) -> CommandFailed {
    CommandFailed {
        code: error.code.row().name.to_owned(),
        message: message(error).into_owned(),
        data: match error.data.as_deref() {
            Some(FailureWire::Found(found)) => Some(*found),
            Some(_) | None => None,
        },
    }
}

impl<'a> Named<'a> {
    fn of(call: &'a LedgerCall<'_>, command: &'a BatchCommand) -> Result<Self, ApiError> {
        let engine: &Engine = call.app.mall.engine();
        let none = AccountId::from_number(0);
        let mut named = Self {
            command,
            accounts: [none; 2],
            lines: Vec::new(),
            owner: None,
            note: "".into(),
            details: b"",
        };
        match command {
            BatchCommand::Receive { account, note, .. }
            | BatchCommand::Adjust { account, note, .. }
            | BatchCommand::Count { account, note, .. }
            | BatchCommand::WriteOff { account, note, .. } => {
                named.accounts[0] = names::changeable(engine, account)?;
                named.note = noted(call, note.as_deref())?;
            }
            BatchCommand::Transfer { from, to, note, .. } => {
                named.accounts = [names::changeable(engine, from)?, names::changeable(engine, to)?];
                named.note = noted(call, note.as_deref())?;
            }
            BatchCommand::Reserve(new) => {
                named.lines = names::lines(engine, &new.lines)?;
                named.details = reservations::details(new)?;
                named.owner = Some(names::owner(call, new.owner.as_ref())?);
            }
            BatchCommand::Confirm { owner, .. }
            | BatchCommand::Release { owner, .. }
            | BatchCommand::Extend { owner, .. } => {
                named.owner = Some(names::owner(call, owner.as_ref())?);
            }
        }
        Ok(named)
    }

    fn command(&self, key: Option<IdempotencyKey>) -> Result<Command<'_>, ApiError> {
        let ([account, other], note) = (self.accounts, &*self.note);
        Ok(match self.command {
            BatchCommand::Receive { quantity, .. } => {
                Receive::new(account, *quantity).note(note).key(key).into()
            }
            BatchCommand::Adjust { delta, .. } => {
                Adjust::new(account, *delta).note(note).key(key).into()
            }
            BatchCommand::Count { counted, .. } => {
                Adjust::counted(account, *counted).note(note).key(key).into()
            }
            BatchCommand::WriteOff { quantity, .. } => {
                WriteOff::new(account, *quantity).note(note).key(key).into()
            }
            BatchCommand::Transfer { quantity, .. } => {
                Transfer::new(account, other, *quantity).note(note).key(key).into()
            }
            BatchCommand::Reserve(new) => {
                let mut reserve = match names::deadline(new.ttl_ms, new.expires_at)? {
                    Deadline::After(ttl_ms) => Reserve::new(&self.lines, ttl_ms),
                    Deadline::At(expires_at) => Reserve::until(&self.lines, expires_at),
                };
                reserve.confirm = new.confirm.unwrap_or_default();
                reserve.owner(self.owner).details(self.details).key(key).into()
            }
            BatchCommand::Confirm { reservation, quantities, .. } => {
                let mut confirm = Confirm::new(*reservation).owner(self.owner).key(key);
                confirm.quantities = quantities.as_deref();
                confirm.into()
            }
            BatchCommand::Release { reservation, .. } => {
                Release::new(*reservation).owner(self.owner).key(key).into()
            }
            BatchCommand::Extend { reservation, ttl_ms, expires_at, .. } => {
                let extend = match names::deadline(*ttl_ms, *expires_at)? {
                    Deadline::After(ttl_ms) => Extend::new(*reservation, ttl_ms),
                    Deadline::At(expires_at) => Extend::until(*reservation, expires_at),
                };
                extend.owner(self.owner).key(key).into()
            }
        })
    }

    fn told(&self) -> Told {
        Told { owner: self.owner }
    }
}
