//! What the generic API says, as it is written: requests and answers, shared by the server and whoever
//! asks it.
//!
//! Fields are in camelCase. Numbers of reservations are texts: they go beyond what JavaScript holds
//! exactly.

mod account;
pub(crate) mod decimal;
mod reservation;

pub use account::{
    AccountPage, AccountRef, AccountState, Adjustment, Changed, Count, NewAccount, Quantity,
    TransferTo, Transferred, UnitsLeft,
};
pub(crate) use reservation::read_number as read_reservation;
pub use reservation::{
    ConfirmRequest, ExtendRequest, NewReservation, OwnerRequest, RefundRequest, Refused,
    Reservation, ReservationLine, ReservationStatus, Reserved, Settled, StatusFound, TakenLine,
};
