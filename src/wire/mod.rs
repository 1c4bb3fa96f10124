//! What the generic API says, as it is written: requests and answers, shared by the server and whoever
//! asks it.
//!
//! Fields are in camelCase. Numbers of reservations are texts: they go beyond what JavaScript holds
//! exactly.

mod account;
mod batch;
pub(crate) mod decimal;
mod event;
mod reservation;

pub use account::{
    AccountPage, AccountPolicy, AccountRef, AccountState, Adjustment, Changed, Count, NewAccount,
    Quantity, QuotaWindow, TransferTo, Transferred, UnitsLeft,
};
pub use batch::{
    Batch, BatchAnswer, BatchCommand, CommandDone, CommandFailed, CommandResult, Found, OldestEvent,
};
pub use event::{EventPage, FactLine, LedgerEvent, LedgerFact, StreamEnd};
pub(crate) use reservation::read_number as read_reservation;
pub use reservation::{
    ConfirmRequest, ExtendRequest, NewReservation, OwnerRequest, RefundRequest, Refused,
    Reservation, ReservationLine, ReservationStatus, Reserved, Settled, StatusFound, TakenLine,
};
