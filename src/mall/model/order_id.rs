//! How clients and people name an order.

use crate::base::ReservationId;

const ID_PREFIX: &str = "ord_";
/// What the number of an order begins with.
pub(crate) const ORDER_NO_PREFIX: &str = "EX";
/// How many digits follow.
pub(crate) const ORDER_NO_DIGITS: usize = 20;

/// The id of an order, as clients see it.
pub(crate) fn order_id(reservation: ReservationId) -> String {
    format!("{ID_PREFIX}{:016x}", reservation.number())
}

/// The number of an order, for people: 22 characters, a function of the id alone.
pub(crate) fn order_no(reservation: ReservationId) -> String {
    format!("{ORDER_NO_PREFIX}{:020}", reservation.number())
}

/// The reservation behind an order's id or number, in exactly the form that [`order_id`] or
/// [`order_no`] writes.
pub(crate) fn parse_order_id(text: &str) -> Option<ReservationId> {
    let number = match (text.strip_prefix(ID_PREFIX), text.strip_prefix(ORDER_NO_PREFIX)) {
        (Some(digits), _) => u64::from_str_radix(digits, 16).ok()?,
        (None, Some(digits)) => digits.parse().ok()?,
        (None, None) => return None,
    };
    let id = ReservationId::from_number(number);
    (text == order_id(id) || text == order_no(id)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_id_reads_back_and_only_in_one_form() {
        let id = ReservationId::from_number(0xabc);
        assert_eq!(order_id(id), "ord_0000000000000abc");
        assert_eq!(order_no(id), "EX00000000000000002748");
        assert_eq!(
            (parse_order_id(&order_id(id)), parse_order_id(&order_no(id))),
            (Some(id), Some(id))
        );
        for wrong in [
            "",
            "ord_",
            "ord_abc",
            "ord_0000000000000ABC",
            "ord_+000000000000abc",
            "x",
            "ord_00000000000000abc",
            "EX",
            "EX2748",
            "EX+0000000000000002748",
            "EX000000000000000002748",
            "EX99999999999999999999",
        ] {
            assert_eq!(parse_order_id(wrong), None, "{wrong:?} is no id");
        }
        assert!(order_no(ReservationId::from_number(u64::MAX)).len() <= 32);
    }
}
