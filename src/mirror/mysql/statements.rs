//! The statements that write the tables, each of any number of rows.

/// A statement that takes any number of rows.
pub(super) struct Statement {
    pub(super) table: &'static str,
    pub(super) columns: &'static [&'static str],
    /// What to do about a row that is there: nothing is a refusal.
    pub(super) otherwise: &'static str,
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
    otherwise: "name = VALUES(name), description = VALUES(description), icon = VALUES(icon), \
                parent_id = VALUES(parent_id), level = VALUES(level), sort_order = VALUES(sort_order), \
                status = VALUES(status), updated_at = VALUES(updated_at), seq = VALUES(seq)",
};

// Assignments are made from left to right: as long as `seq` is null, the row is somebody else's, and its numbers mean
// nothing to the ledger.
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
    otherwise: "stock_quantity = IF(seq IS NULL, 0, stock_quantity), sales_count = IF(seq IS NULL, 0, sales_count), \
                name = VALUES(name), description = VALUES(description), category_id = VALUES(category_id), \
                points_price = VALUES(points_price), original_price = VALUES(original_price), \
                images = VALUES(images), specifications = VALUES(specifications), is_hot = VALUES(is_hot), \
                is_new = VALUES(is_new), status = VALUES(status), sort_order = VALUES(sort_order), \
                created_at = VALUES(created_at), updated_at = VALUES(updated_at), seq = VALUES(seq)",
};

/// A product whose document is gone is not for sale any more; its numbers stay for reports.
pub(super) static PRODUCTS_REMOVED: Statement = Statement {
    table: "products",
    columns: &["id", "name", "category_id", "points_price", "status", "created_at", "updated_at", "seq"],
    otherwise: "status = VALUES(status), updated_at = VALUES(updated_at), seq = VALUES(seq)",
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
    otherwise: "stock_quantity = VALUES(stock_quantity), \
                sales_count = IF(seq IS NULL, 0, sales_count) + VALUES(sales_count), \
                updated_at = VALUES(updated_at), seq = VALUES(seq)",
};

/// As [`STOCK`] where everything up to some event is known at once.
pub(super) static STOCK_BASE: Statement = Statement {
    table: "products",
    columns: STOCK_COLUMNS,
    otherwise: "stock_quantity = VALUES(stock_quantity), sales_count = VALUES(sales_count), seq = VALUES(seq)",
};

const USER_COLUMNS: &[&str] = &["id", "points_balance", "total_exchanges", "last_exchange_at", "created_at", "seq"];

pub(super) static USERS: Statement = Statement {
    table: "users",
    columns: USER_COLUMNS,
    otherwise: "points_balance = VALUES(points_balance), \
                total_exchanges = IF(seq IS NULL, 0, total_exchanges) + VALUES(total_exchanges), \
                last_exchange_at = COALESCE(VALUES(last_exchange_at), IF(seq IS NULL, NULL, last_exchange_at)), \
                seq = VALUES(seq)",
};

/// As [`USERS`] where everything up to some event is known at once, but for exchanges that nobody remembers.
pub(super) static USERS_BASE: Statement = Statement {
    table: "users",
    columns: USER_COLUMNS,
    otherwise: "points_balance = VALUES(points_balance), seq = VALUES(seq)",
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

pub(super) static ORDERS: Statement = Statement { table: "exchange_orders", columns: ORDER_COLUMNS, otherwise: "" };

/// The end of orders that are there. Where one was set aside, what its end says of it is a row all the same.
pub(super) static ORDER_ENDS: Statement = Statement {
    table: "exchange_orders",
    columns: ORDER_COLUMNS,
    otherwise: "status = VALUES(status), state = VALUES(state), \
                exchanged_at = COALESCE(VALUES(exchanged_at), exchanged_at), cancelled_at = VALUES(cancelled_at), \
                updated_at = VALUES(updated_at), seq = VALUES(seq)",
};

/// Orders of which a row that is there says more.
pub(super) static ORDERS_BASE: Statement =
    Statement { table: "exchange_orders", columns: ORDER_COLUMNS, otherwise: "id = VALUES(id)" };

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
        "description",
        "created_at",
        "seq",
    ],
    otherwise: "",
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
        "description",
        "created_at",
        "seq",
    ],
    otherwise: "",
};
