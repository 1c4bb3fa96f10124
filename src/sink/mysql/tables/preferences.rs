//! `user_preferences`: made for those who recommend, and never written by the mirror.

use crate::sink::mysql::schema::{Column, Kind, NOW, Table, must, theirs};

pub(super) fn table() -> Table {
    Table::own(
        "user_preferences",
        vec![
            Column { is_written: false, ..must("id", Kind::Id(64), "") },
            Column { is_written: false, ..must("user_id", Kind::Id(64), "UNIQUE") },
            theirs("category_preferences", Kind::Json, ""),
            theirs("price_sensitivity", Kind::Price, ""),
            theirs("brand_preferences", Kind::Json, ""),
            theirs("browsing_history", Kind::Json, ""),
            theirs("exchange_history", Kind::Json, ""),
            theirs("last_updated", Kind::Time, NOW),
        ],
        &["last_updated"],
    )
}
