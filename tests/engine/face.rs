//! Would catch a public type that a program can no longer share between threads, or move to one.

use stockhold::clock::{ManualClock, SystemClock};
use stockhold::engine::{
    BatchTicket, CatchUp, Claim, ClosingDown, History, MemoryDisk, Opening, RefundTicket, Status,
    Subscription,
};
use stockhold::event::Event;
use stockhold::outcome::Outcome;
use stockhold::reader::{DirectoryReader, EventRange, LedgerView};
use stockhold::{Engine, EngineBuilder, Error, ReserveOutcome, Ticket};

fn is_sent<T: Send + Unpin>() {}

fn is_shared<T: Send + Sync>() {}

#[test]
fn handles_are_shared_and_what_waits_is_sent() {
    is_shared::<Engine>();
    is_shared::<Claim>();
    is_shared::<History<'static>>();
    is_shared::<Status>();
    is_shared::<Error>();
    is_shared::<Event<'static>>();
    is_shared::<Outcome>();
    is_shared::<ManualClock>();
    is_shared::<SystemClock>();
    is_shared::<MemoryDisk>();
    is_shared::<LedgerView>();
    is_shared::<DirectoryReader>();
    is_sent::<EngineBuilder>();
    is_sent::<EventRange>();
    is_sent::<Ticket<ReserveOutcome>>();
    is_sent::<BatchTicket>();
    is_sent::<RefundTicket>();
    is_sent::<CatchUp>();
    is_sent::<Subscription>();
    is_sent::<Opening>();
    is_sent::<ClosingDown>();
}
