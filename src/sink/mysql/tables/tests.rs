use std::fmt::Write as _;

use super::*;

/// What the statements of every occasion say, as `table: columns | change`.
fn statements() -> Vec<String> {
    fn told<R: Record>(of: &Table<R>, writes: &[(R::Write, Meeting)]) -> Vec<String> {
        let told = |(write, meeting): &(R::Write, Meeting)| {
            let Statement { table, columns, there } = of.statement(*write, *meeting);
            format!("{table}: {} | {there:?}", columns.join(", "))
        };
        writes.iter().map(told).collect()
    }
    let mut all = told(&categories::TABLE, &[((), Meeting::Taken)]);
    all.extend(told(
        &products::TABLE,
        &[
            (products::Write::Removal, Meeting::Taken),
            (products::Write::Stock, Meeting::Taken),
            (products::Write::Base, Meeting::Taken),
        ],
    ));
    let users = [users::Write::Change, users::Write::Base];
    all.extend(told(&users::TABLE, &users.map(|write| (write, Meeting::Taken))));
    let of_levels =
        [(levels::Write::Known, Meeting::Taken), (levels::Write::Gone, Meeting::ChangedOnly)];
    all.extend(told(&levels::TABLE, &of_levels));
    let of_users = [preferences::Write::Said, preferences::Write::Browsed];
    all.extend(told(&preferences::TABLE, &of_users.map(|write| (write, Meeting::Taken))));
    all.extend(told(
        &orders::TABLE,
        &[
            (orders::Write::Ended, Meeting::Changed),
            (orders::Write::Over, Meeting::Changed),
            (orders::Write::Noted, Meeting::ChangedOnly),
        ],
    ));
    all
}

#[test]
fn a_statement_changes_what_its_occasion_tells_and_nothing_else() {
    let expected = [
        "product_categories: id, name, description, icon, parent_id, level, sort_order, status, created_at, updated_at, \
         updated_by, seq | Taken(\"name = {name}, description = {description}, icon = {icon}, parent_id = {parent_id}, \
         level = {level}, sort_order = {sort_order}, status = {status}, updated_at = {updated_at}, \
         updated_by = COALESCE({updated_by}, IF(old.seq IS NULL, NULL, old.updated_by)), seq = {seq}\")",
        "products: id, name, category_id, points_price, status, created_at, updated_at, updated_by, seq | \
         Taken(\"status = {status}, updated_at = {updated_at}, \
         updated_by = COALESCE({updated_by}, IF(old.seq IS NULL, NULL, old.updated_by)), seq = {seq}\")",
        "products: id, name, category_id, points_price, stock_quantity, sales_count, last_received_at, status, \
         created_at, updated_at, seq | Taken(\"stock_quantity = {stock_quantity}, \
         sales_count = IF(old.seq IS NULL, 0, old.sales_count) + {sales_count}, \
         last_received_at = COALESCE({last_received_at}, IF(old.seq IS NULL, NULL, old.last_received_at)), \
         updated_at = {updated_at}, seq = {seq}\")",
        "products: id, name, category_id, points_price, stock_quantity, sales_count, last_received_at, status, \
         created_at, updated_at, seq | Taken(\"stock_quantity = {stock_quantity}, sales_count = {sales_count}, seq = {seq}\")",
        "users: id, created_at, last_exchange_at, total_exchanges, points_balance, points_reserved, earned_points, seq | \
         Taken(\"last_exchange_at = COALESCE({last_exchange_at}, IF(old.seq IS NULL, NULL, old.last_exchange_at)), \
         total_exchanges = IF(old.seq IS NULL, 0, old.total_exchanges) + {total_exchanges}, \
         points_balance = {points_balance}, \
         points_reserved = IF(old.seq IS NULL, 0, old.points_reserved) + {points_reserved}, \
         earned_points = IF(old.seq IS NULL, 0, old.earned_points) + {earned_points}, seq = {seq}\")",
        "users: id, created_at, last_exchange_at, total_exchanges, points_balance, points_reserved, earned_points, seq | \
         Taken(\"points_balance = {points_balance}, points_reserved = {points_reserved}, earned_points = {earned_points}, seq = {seq}\")",
        "mall_levels: id, level, name, earned_points, seq | \
         Taken(\"level = {level}, name = {name}, earned_points = {earned_points}, seq = {seq}\")",
        "mall_levels: id, level, name, earned_points, seq | \
         ChangedOnly(\"level = {level}, earned_points = {earned_points}, seq = {seq}\")",
        "user_preferences: id, user_id, category_preferences, price_sensitivity, last_updated, favourites, seq | \
         Taken(\"category_preferences = {category_preferences}, price_sensitivity = {price_sensitivity}, \
         last_updated = {last_updated}, favourites = {favourites}, seq = {seq}\")",
        "user_preferences: id, user_id, browsing_history, last_updated, seq | \
         Taken(\"browsing_history = {browsing_history}, last_updated = {last_updated}, seq = {seq}\")",
        "exchange_orders: id, order_no, user_id, product_id, product_snapshot, quantity, points_cost, status, \
         delivery_info, tracking_no, delivery_status, exchanged_at, shipped_at, delivered_at, expires_at, created_at, \
         updated_at, state, cancelled_at, carrier, completed_at, returned_quantity, returned_points, service_id, items, seq | Changed(\"status = {status}, \
         delivery_info = COALESCE({delivery_info}, IF(old.seq IS NULL, NULL, old.delivery_info)), tracking_no = COALESCE({tracking_no}, IF(old.seq IS NULL, NULL, old.tracking_no)), delivery_status = COALESCE({delivery_status}, IF(old.seq IS NULL, NULL, old.delivery_status)), \
         exchanged_at = COALESCE({exchanged_at}, IF(old.seq IS NULL, NULL, old.exchanged_at)), \
         shipped_at = COALESCE({shipped_at}, IF(old.seq IS NULL, NULL, old.shipped_at)), delivered_at = COALESCE({delivered_at}, IF(old.seq IS NULL, NULL, old.delivered_at)), \
         expires_at = {expires_at}, updated_at = {updated_at}, state = {state}, cancelled_at = {cancelled_at}, \
         carrier = COALESCE({carrier}, IF(old.seq IS NULL, NULL, old.carrier)), completed_at = COALESCE({completed_at}, IF(old.seq IS NULL, NULL, old.completed_at)), \
         returned_quantity = COALESCE({returned_quantity}, IF(old.seq IS NULL, NULL, old.returned_quantity)), \
         returned_points = COALESCE({returned_points}, IF(old.seq IS NULL, NULL, old.returned_points)), seq = {seq}\")",
        "exchange_orders: id, order_no, user_id, product_id, product_snapshot, quantity, points_cost, status, \
         delivery_info, tracking_no, delivery_status, exchanged_at, shipped_at, delivered_at, expires_at, created_at, \
         updated_at, state, cancelled_at, carrier, completed_at, returned_quantity, returned_points, service_id, items, seq | Changed(\"status = {status}, \
         delivery_info = COALESCE({delivery_info}, IF(old.seq IS NULL, NULL, old.delivery_info)), tracking_no = COALESCE({tracking_no}, IF(old.seq IS NULL, NULL, old.tracking_no)), delivery_status = COALESCE({delivery_status}, IF(old.seq IS NULL, NULL, old.delivery_status)), \
         exchanged_at = COALESCE({exchanged_at}, IF(old.seq IS NULL, NULL, old.exchanged_at)), \
         shipped_at = COALESCE({shipped_at}, IF(old.seq IS NULL, NULL, old.shipped_at)), delivered_at = COALESCE({delivered_at}, IF(old.seq IS NULL, NULL, old.delivered_at)), \
         updated_at = {updated_at}, state = {state}, cancelled_at = {cancelled_at}, \
         carrier = COALESCE({carrier}, IF(old.seq IS NULL, NULL, old.carrier)), completed_at = COALESCE({completed_at}, IF(old.seq IS NULL, NULL, old.completed_at)), \
         returned_quantity = COALESCE({returned_quantity}, IF(old.seq IS NULL, NULL, old.returned_quantity)), \
         returned_points = COALESCE({returned_points}, IF(old.seq IS NULL, NULL, old.returned_points)), seq = {seq}\")",
        "exchange_orders: id, order_no, user_id, product_id, product_snapshot, quantity, points_cost, status, \
         delivery_info, tracking_no, delivery_status, exchanged_at, shipped_at, delivered_at, expires_at, created_at, \
         updated_at, state, cancelled_at, carrier, completed_at, returned_quantity, returned_points, service_id, items, seq | ChangedOnly(\"status = COALESCE({status}, IF(old.seq IS NULL, NULL, old.status)), \
         delivery_info = COALESCE({delivery_info}, IF(old.seq IS NULL, NULL, old.delivery_info)), tracking_no = COALESCE({tracking_no}, IF(old.seq IS NULL, NULL, old.tracking_no)), delivery_status = COALESCE({delivery_status}, IF(old.seq IS NULL, NULL, old.delivery_status)), shipped_at = COALESCE({shipped_at}, IF(old.seq IS NULL, NULL, old.shipped_at)), delivered_at = COALESCE({delivered_at}, IF(old.seq IS NULL, NULL, old.delivered_at)), \
         updated_at = {updated_at}, state = COALESCE({state}, IF(old.seq IS NULL, NULL, old.state)), \
         carrier = COALESCE({carrier}, IF(old.seq IS NULL, NULL, old.carrier)), completed_at = COALESCE({completed_at}, IF(old.seq IS NULL, NULL, old.completed_at)), \
         returned_quantity = COALESCE({returned_quantity}, IF(old.seq IS NULL, NULL, old.returned_quantity)), \
         returned_points = COALESCE({returned_points}, IF(old.seq IS NULL, NULL, old.returned_points)), seq = {seq}\")",
    ];
    for (told, expected) in statements().iter().zip(expected) {
        assert_eq!(told, expected);
    }
    assert_eq!(statements().len(), expected.len());
}

#[test]
fn every_row_has_a_value_for_each_column_of_its_statement() {
    let batch = super::super::projection::tests::one_of_everything();
    let mut seen = Vec::new();
    for Rows { statement, rows } in batch.rows() {
        seen.push(statement.table);
        for row in rows {
            assert_eq!(row.values.len(), statement.columns.len(), "{}", statement.table);
            assert_eq!(statement.columns[0], "id", "{}", statement.table);
            assert!(row.seq > 0 && !row.id.is_empty(), "{}", statement.table);
        }
    }
    seen.dedup();
    assert_eq!(seen, ORDERED);
}

#[test]
fn the_mark_of_a_row_is_the_last_that_is_assigned() {
    for table in SCHEMA.iter().filter(|table| table.is_filled) {
        let last = table.columns.last().map(|column| column.name);
        assert_eq!((table.columns[0].name, last), ("id", Some("seq")), "{}", table.name);
    }
}

/// The tables as statements, with what each column holds.
fn document() -> String {
    let mut text = "-- The tables that `stockhold mirror migrate` makes in an empty database.\n\
                    -- Written from the tables in src/sink/mysql/tables; a test holds it to them.\n"
        .to_owned();
    for table in SCHEMA.iter() {
        let mut lines: Vec<(String, &str)> =
            table.columns.iter().map(|column| (column.sql(), column.about)).collect();
        lines.push(("PRIMARY KEY (id)".to_owned(), ""));
        let index = |column: &&str| (format!("INDEX idx_{column} ({column})"), "");
        lines.extend(table.indexed.iter().map(index));
        let last = lines.len() - 1;
        writeln!(text, "\nCREATE TABLE {} (", table.name).expect("a text takes all");
        for (place, (line, about)) in lines.iter().enumerate() {
            let comma = if place == last { "" } else { "," };
            let about = if about.is_empty() { String::new() } else { format!(" -- {about}") };
            writeln!(text, "  {line}{comma}{about}").expect("a text takes all");
        }
        text.push_str(") ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;\n");
    }
    text
}

/// With `STOCKHOLD_WRITE=1` in the environment, the document is written instead.
#[test]
#[allow(clippy::disallowed_methods, reason = "a test may write a document of the sources")]
fn the_written_schema_is_that_of_the_tables() {
    let document = document();
    if std::env::var_os("STOCKHOLD_WRITE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/mirror-schema.sql");
        std::fs::write(path, &document).expect("the document is written");
        return;
    }
    let written = include_str!("../../../../docs/mirror-schema.sql");
    for (line, (has, should)) in written.lines().zip(document.lines()).enumerate() {
        assert_eq!(has, should, "docs/mirror-schema.sql, line {}", line + 1);
    }
    assert_eq!(written.lines().count(), document.lines().count(), "docs/mirror-schema.sql");
}
