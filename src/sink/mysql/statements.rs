//! The statements that write the tables, each of any number of rows.

/// A statement that takes any number of rows.
pub(super) struct Statement {
    pub(super) table: &'static str,
    /// The first is the table's id.
    pub(super) columns: &'static [&'static str],
    pub(super) there: There,
}

/// What to do about a row of the same id that is there. A change says `{column}` for what the new
/// row has, and `old.column` for what is there.
#[derive(Clone, Copy, Debug)]
pub(super) enum There {
    /// It is a refusal.
    Refused,
    /// It stays. Somebody else's is a refusal.
    Kept,
    /// It is changed. Somebody else's is a refusal.
    Changed(&'static str),
    /// It is changed. Somebody else's becomes the mirror's: both know what the id names.
    Taken(&'static str),
}

pub(super) static CATEGORIES: Statement = Statement {
    table: "product_categories",
    columns: &[
        "id",
        "name",
        "description",
        "icon",
        "parent_id",
        "level",
        "sort_order",
        "status",
        "created_at",
        "updated_at",
        "seq",
    ],
    there: There::Taken(
        "name = {name}, description = {description}, icon = {icon}, parent_id = {parent_id}, \
         level = {level}, sort_order = {sort_order}, status = {status}, updated_at = {updated_at}, \
         seq = {seq}",
    ),
};

// Assignments are made from left to right: as long as `seq` is null, the row is somebody else's,
// and its numbers mean nothing to the ledger.
pub(super) static PRODUCTS: Statement = Statement {
    table: "products",
    columns: &[
        "id",
        "name",
        "description",
        "category_id",
        "points_price",
        "original_price",
        "images",
        "specifications",
        "is_hot",
        "is_new",
        "status",
        "sort_order",
        "created_at",
        "updated_at",
        "seq",
    ],
    there: There::Taken(
        "stock_quantity = IF(old.seq IS NULL, 0, old.stock_quantity), \
         sales_count = IF(old.seq IS NULL, 0, old.sales_count), name = {name}, \
         description = {description}, category_id = {category_id}, points_price = {points_price}, \
         original_price = {original_price}, images = {images}, specifications = {specifications}, \
         is_hot = {is_hot}, is_new = {is_new}, status = {status}, sort_order = {sort_order}, \
         created_at = {created_at}, updated_at = {updated_at}, seq = {seq}",
    ),
};

/// A product whose document is gone is not for sale any more; its numbers stay for reports.
pub(super) static PRODUCTS_REMOVED: Statement = Statement {
    table: "products",
    columns: &[
        "id",
        "name",
        "category_id",
        "points_price",
        "status",
        "created_at",
        "updated_at",
        "seq",
    ],
    there: There::Taken("status = {status}, updated_at = {updated_at}, seq = {seq}"),
};

const STOCK_COLUMNS: &[&str] = &[
    "id",
    "name",
    "category_id",
    "points_price",
    "status",
    "stock_quantity",
    "sales_count",
    "created_at",
    "updated_at",
    "seq",
];

/// A stock without a document is a product that is not for sale, named by its id.
pub(super) static STOCK: Statement = Statement {
    table: "products",
    columns: STOCK_COLUMNS,
    there: There::Taken(
        "stock_quantity = {stock_quantity}, \
         sales_count = IF(old.seq IS NULL, 0, old.sales_count) + {sales_count}, \
         updated_at = {updated_at}, seq = {seq}",
    ),
};

/// As [`STOCK`] where everything up to some event is known at once.
pub(super) static STOCK_BASE: Statement = Statement {
    table: "products",
    columns: STOCK_COLUMNS,
    there: There::Taken(
        "stock_quantity = {stock_quantity}, sales_count = {sales_count}, seq = {seq}",
    ),
};

const USER_COLUMNS: &[&str] = &[
    "id",
    "points_balance",
    "points_reserved",
    "total_exchanges",
    "last_exchange_at",
    "created_at",
    "seq",
];

/// What is held was not counted by the first release: where it is not known it stays so, until a
/// reload.
pub(super) static USERS: Statement = Statement {
    table: "users",
    columns: USER_COLUMNS,
    there: There::Taken(
        "points_balance = {points_balance}, \
         points_reserved = IF(old.seq IS NULL, 0, old.points_reserved) + {points_reserved}, \
         total_exchanges = IF(old.seq IS NULL, 0, old.total_exchanges) + {total_exchanges}, \
         last_exchange_at = COALESCE({last_exchange_at}, IF(old.seq IS NULL, NULL, old.last_exchange_at)), \
         seq = {seq}",
    ),
};

/// As [`USERS`] where everything up to some event is known at once, but for exchanges that nobody
/// remembers.
pub(super) static USERS_BASE: Statement = Statement {
    table: "users",
    columns: USER_COLUMNS,
    there: There::Taken(
        "points_balance = {points_balance}, points_reserved = {points_reserved}, seq = {seq}",
    ),
};

const ORDER_COLUMNS: &[&str] = &[
    "id",
    "order_no",
    "user_id",
    "product_id",
    "product_snapshot",
    "quantity",
    "points_cost",
    "status",
    "state",
    "delivery_info",
    "exchanged_at",
    "cancelled_at",
    "expires_at",
    "created_at",
    "updated_at",
    "seq",
];

pub(super) static ORDERS: Statement =
    Statement { table: "exchange_orders", columns: ORDER_COLUMNS, there: There::Refused };

/// The end of orders that are there. Where one was set aside, what its end says of it is a row all
/// the same.
pub(super) static ORDER_ENDS: Statement = Statement {
    table: "exchange_orders",
    columns: ORDER_COLUMNS,
    there: There::Changed(
        "status = {status}, state = {state}, exchanged_at = COALESCE({exchanged_at}, old.exchanged_at), \
         cancelled_at = {cancelled_at}, updated_at = {updated_at}, seq = {seq}",
    ),
};

/// Orders of which a row that is there says more.
pub(super) static ORDERS_BASE: Statement =
    Statement { table: "exchange_orders", columns: ORDER_COLUMNS, there: There::Kept };

pub(super) static INVENTORY: Statement = Statement {
    table: "inventory_records",
    columns: &[
        "id",
        "product_id",
        "change_type",
        "quantity_change",
        "stock_before",
        "stock_after",
        "quantity",
        "related_order_id",
        "operator_id",
        "description",
        "created_at",
        "seq",
    ],
    there: There::Refused,
};

pub(super) static POINTS: Statement = Statement {
    table: "points_records",
    columns: &[
        "id",
        "user_id",
        "points",
        "balance_before",
        "balance_after",
        "source",
        "exchange_order_id",
        "order_id",
        "operator_id",
        "description",
        "created_at",
        "seq",
    ],
    there: There::Refused,
};
