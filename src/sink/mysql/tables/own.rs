//! The mirror's own tables: where it is, and which rows the database refused.

use crate::sink::mysql::schema::{Kind, Table, column, must};

/// `mirror_state`: one row.
pub(super) fn state() -> Table {
    Table::own(
        "mirror_state",
        vec![
            must("id", Kind::Small, ""),
            must("ledger_id", Kind::Id(32), ""),
            must("phase", Kind::Id(16), ""),
            must("epoch", Kind::Unsigned, ""),
            must("watermark", Kind::Unsigned, ""),
            must("mark", Kind::Unsigned, ""),
            column("event_at", Kind::Time),
            column("mirrored_at", Kind::Time),
            must("rejected", Kind::Unsigned, "DEFAULT 0"),
            column("reload_from", Kind::Unsigned),
            column("reload_to", Kind::Unsigned),
            column("last_error", Kind::Text),
            column("last_error_at", Kind::Time),
        ],
        &[],
    )
}

/// `mirror_rejected`: a row for each that was set aside.
pub(super) fn rejected() -> Table {
    Table::own(
        "mirror_rejected",
        vec![
            must("id", Kind::Unsigned, "AUTO_INCREMENT"),
            must("table_name", Kind::Id(64), ""),
            must("row_id", Kind::Id(128), ""),
            must("seq", Kind::Unsigned, ""),
            must("content", Kind::LongText, ""),
            must("reason", Kind::Text, ""),
            must("rejected_at", Kind::Time, ""),
        ],
        &["seq"],
    )
}
