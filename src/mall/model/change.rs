//! Changes of stock, as the mall's own document numbers them.

use crate::event::ChangeKind;

/// The number of a stock change: 1 in, 2 out, 3 reserved, 4 given back, 5 adjusted.
pub(crate) fn change_type(kind: ChangeKind) -> u8 {
    match kind {
        ChangeKind::Received | ChangeKind::TransferredIn => 1,
        ChangeKind::WrittenOff
        | ChangeKind::TransferredOut
        | ChangeKind::Bought
        | ChangeKind::Confirmed => 2,
        ChangeKind::Reserved => 3,
        ChangeKind::Released
        | ChangeKind::Expired
        | ChangeKind::Returned
        | ChangeKind::Discarded => 4,
        ChangeKind::Adjusted => 5,
    }
}
