//! The tables as they should be: those of the mall's document, wide enough for what the ledger
//! holds, and the mirror's own.

use std::borrow::Cow;

use crate::mall::model::PointsSource;

/// A table with what it must have.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column],
    /// Columns that reports look rows up by; each makes an index `idx_COLUMN`.
    pub(super) indexed: &'static [&'static str],
    /// Whether a row of it comes from events. What is lost of it only a reload brings back.
    pub(super) is_filled: bool,
}

/// A column as it should be.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) takes_null: bool,
    /// What follows type and `NOT NULL`.
    pub(super) rest: &'static str,
    /// Whether the mirror writes it; what it does not may be of any type.
    pub(super) is_written: bool,
    /// Whether tables of before may lack it: it is filled from now on, and by a reload.
    pub(super) is_late: bool,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An id of so many characters, which tells upper case from lower.
    Id(u64),
    /// A text of so many characters.
    Name(u64),
    Text,
    LongText,
    Json,
    /// 0 or 1.
    Flag,
    /// A small number that may be negative.
    Small,
    Big,
    Unsigned,
    Price,
    /// In UTC, with milliseconds.
    Time,
    /// One of these, of a set that others may extend.
    OneOf(&'static [&'static str]),
}

/// Digits of a price before the point, and after it.
pub(super) const PRICE_DIGITS: (u64, u64) = (20, 2);

impl Kind {
    /// The type that a new column gets.
    pub(super) fn sql(self) -> Cow<'static, str> {
        match self {
            Self::Id(chars) => {
                format!("VARCHAR({chars}) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin").into()
            }
            Self::Name(chars) => format!("VARCHAR({chars}) CHARACTER SET utf8mb4").into(),
            Self::Text => "TEXT CHARACTER SET utf8mb4".into(),
            Self::LongText => "LONGTEXT CHARACTER SET utf8mb4".into(),
            Self::Json => "JSON".into(),
            Self::Flag => "BOOLEAN".into(),
            Self::Small => "TINYINT".into(),
            Self::Big => "BIGINT".into(),
            Self::Unsigned => "BIGINT UNSIGNED".into(),
            Self::Price => {
                format!("DECIMAL({},{})", PRICE_DIGITS.0 + PRICE_DIGITS.1, PRICE_DIGITS.1).into()
            }
            Self::Time => "DATETIME(3)".into(),
            Self::OneOf(values) => format!("ENUM('{}')", values.join("', '")).into(),
        }
    }
}

impl Column {
    /// The column of a new table.
    pub(super) fn sql(&self) -> String {
        let null = if self.takes_null { " NULL" } else { " NOT NULL" };
        let rest = if self.rest.is_empty() { String::new() } else { format!(" {}", self.rest) };
        format!("{} {}{null}{rest}", self.name, self.kind.sql())
    }

    /// The column where there are rows that have no value for it.
    pub(super) fn sql_added(&self) -> String {
        if self.takes_null || !self.rest.is_empty() {
            self.sql()
        } else {
            format!("{} {} NULL", self.name, self.kind.sql())
        }
    }
}

impl Table {
    pub(super) fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The statement that makes it.
    pub(super) fn sql(&self) -> String {
        let mut parts: Vec<String> = self.columns.iter().map(Column::sql).collect();
        parts.push("PRIMARY KEY (id)".to_owned());
        parts.extend(self.indexed.iter().map(|column| format!("INDEX idx_{column} ({column})")));
        let parts = parts.join(",\n  ");
        format!(
            "CREATE TABLE {} (\n  {parts}\n) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4",
            self.name
        )
    }
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, takes_null: true, rest: "", is_written: true, is_late: false }
}

const fn must(name: &'static str, kind: Kind, rest: &'static str) -> Column {
    Column { takes_null: false, rest, ..column(name, kind) }
}

const fn or(name: &'static str, kind: Kind, rest: &'static str) -> Column {
    Column { rest, ..column(name, kind) }
}

/// A column that is somebody else's to write.
const fn theirs(name: &'static str, kind: Kind, rest: &'static str) -> Column {
    Column { rest, is_written: false, ..column(name, kind) }
}

/// A column that the tables of before do not have.
const fn late(name: &'static str, kind: Kind) -> Column {
    Column { is_late: true, ..column(name, kind) }
}

const NOW: &str = "DEFAULT (UTC_TIMESTAMP(3))";
const SEQ: Column = column("seq", Kind::Unsigned);

/// Every table but `mirror_migrations`, which is there before them.
pub(super) static SCHEMA: [Table; 9] = [
    Table {
        name: "product_categories",
        columns: &[
            must("id", Kind::Id(128), ""),
            must("name", Kind::Name(100), ""),
            column("description", Kind::Text),
            column("icon", Kind::Name(500)),
            column("parent_id", Kind::Id(128)),
            or("level", Kind::Big, "DEFAULT 1"),
            or("sort_order", Kind::Big, "DEFAULT 0"),
            or("status", Kind::Flag, "DEFAULT 1"),
            must("created_at", Kind::Time, NOW),
            must("updated_at", Kind::Time, NOW),
            SEQ,
        ],
        indexed: &["parent_id", "level", "sort_order", "status"],
        is_filled: true,
    },
    Table {
        name: "products",
        columns: &[
            must("id", Kind::Id(64), ""),
            must("name", Kind::Name(200), ""),
            column("description", Kind::Text),
            must("category_id", Kind::Id(128), ""),
            must("points_price", Kind::Big, ""),
            column("original_price", Kind::Price),
            must("stock_quantity", Kind::Big, "DEFAULT 0"),
            must("sales_count", Kind::Big, "DEFAULT 0"),
            column("images", Kind::Json),
            column("specifications", Kind::Json),
            or("is_hot", Kind::Flag, "DEFAULT FALSE"),
            or("is_new", Kind::Flag, "DEFAULT FALSE"),
            or("status", Kind::Flag, "DEFAULT 1"),
            or("sort_order", Kind::Big, "DEFAULT 0"),
            must("created_at", Kind::Time, NOW),
            must("updated_at", Kind::Time, NOW),
            SEQ,
        ],
        indexed: &[
            "category_id",
            "points_price",
            "status",
            "is_hot",
            "is_new",
            "sales_count",
            "sort_order",
        ],
        is_filled: true,
    },
    Table {
        name: "exchange_orders",
        columns: &[
            must("id", Kind::Id(36), ""),
            must("order_no", Kind::Id(32), "UNIQUE"),
            must("user_id", Kind::Id(64), ""),
            must("product_id", Kind::Id(64), ""),
            must("product_snapshot", Kind::Json, ""),
            must("quantity", Kind::Big, ""),
            must("points_cost", Kind::Big, ""),
            or("status", Kind::Small, "DEFAULT 0"),
            column("delivery_info", Kind::Json),
            theirs("tracking_no", Kind::Name(100), ""),
            theirs("delivery_status", Kind::Small, "DEFAULT 0"),
            column("exchanged_at", Kind::Time),
            theirs("shipped_at", Kind::Time, ""),
            theirs("delivered_at", Kind::Time, ""),
            must("expires_at", Kind::Time, ""),
            must("created_at", Kind::Time, NOW),
            must("updated_at", Kind::Time, NOW),
            column("state", Kind::Id(16)),
            column("cancelled_at", Kind::Time),
            SEQ,
        ],
        indexed: &["order_no", "user_id", "product_id", "status", "expires_at", "created_at"],
        is_filled: true,
    },
    Table {
        name: "inventory_records",
        columns: &[
            must("id", Kind::Id(36), ""),
            must("product_id", Kind::Id(64), ""),
            must("change_type", Kind::Small, ""),
            must("quantity_change", Kind::Big, ""),
            must("stock_before", Kind::Big, ""),
            must("stock_after", Kind::Big, ""),
            column("related_order_id", Kind::Id(36)),
            late("operator_id", Kind::Id(64)),
            column("description", Kind::Text),
            must("created_at", Kind::Time, NOW),
            must("quantity", Kind::Big, "DEFAULT 0"),
            SEQ,
        ],
        indexed: &["product_id", "change_type", "related_order_id", "created_at"],
        is_filled: true,
    },
    Table {
        name: "points_records",
        columns: &[
            must("id", Kind::Id(36), ""),
            must("user_id", Kind::Id(64), ""),
            must("points", Kind::Big, ""),
            or("source", Kind::OneOf(&PointsSource::NAMES), "DEFAULT 'payment_reward'"),
            column("description", Kind::Text),
            late("order_id", Kind::Id(64)),
            must("created_at", Kind::Time, NOW),
            column("exchange_order_id", Kind::Id(36)),
            must("balance_before", Kind::Big, "DEFAULT 0"),
            must("balance_after", Kind::Big, "DEFAULT 0"),
            late("operator_id", Kind::Id(64)),
            SEQ,
        ],
        indexed: &["user_id", "source", "created_at", "exchange_order_id"],
        is_filled: true,
    },
    Table {
        name: "users",
        columns: &[
            must("id", Kind::Id(64), ""),
            must("created_at", Kind::Time, NOW),
            theirs("mall_level", Kind::Small, "DEFAULT 1"),
            column("last_exchange_at", Kind::Time),
            must("total_exchanges", Kind::Big, "DEFAULT 0"),
            theirs("favorite_categories", Kind::Json, ""),
            must("points_balance", Kind::Big, "DEFAULT 0"),
            late("points_reserved", Kind::Big),
            SEQ,
        ],
        indexed: &["mall_level", "last_exchange_at"],
        is_filled: true,
    },
    Table {
        name: "user_preferences",
        columns: &[
            Column { is_written: false, ..must("id", Kind::Id(64), "") },
            Column { is_written: false, ..must("user_id", Kind::Id(64), "UNIQUE") },
            theirs("category_preferences", Kind::Json, ""),
            theirs("price_sensitivity", Kind::Price, ""),
            theirs("brand_preferences", Kind::Json, ""),
            theirs("browsing_history", Kind::Json, ""),
            theirs("exchange_history", Kind::Json, ""),
            theirs("last_updated", Kind::Time, NOW),
        ],
        indexed: &["last_updated"],
        is_filled: false,
    },
    Table {
        name: "mirror_state",
        columns: &[
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
        indexed: &[],
        is_filled: false,
    },
    Table {
        name: "mirror_rejected",
        columns: &[
            must("id", Kind::Unsigned, "AUTO_INCREMENT"),
            must("table_name", Kind::Id(64), ""),
            must("row_id", Kind::Id(128), ""),
            must("seq", Kind::Unsigned, ""),
            must("content", Kind::LongText, ""),
            must("reason", Kind::Text, ""),
            must("rejected_at", Kind::Time, ""),
        ],
        indexed: &["seq"],
        is_filled: false,
    },
];
