use super::*;

/// A table as the mirror makes it, as its catalogue tells it.
fn own(table: &Table) -> FoundTable {
    let columns = table.columns.iter().map(own_column);
    let mut found = FoundTable {
        engine: "InnoDB".to_owned(),
        columns: columns.collect(),
        ..FoundTable::default()
    };
    found.indices.insert("PRIMARY".to_owned(), vec!["id".to_owned()]);
    for column in table.indexed {
        found.indices.insert(format!("idx_{column}"), vec![(*column).to_owned()]);
    }
    found
}

fn own_column(column: &Column) -> Found {
    let sql = column.kind.sql().to_lowercase();
    let (column_type, rest) = sql.split_once(" character set").unwrap_or((&sql, ""));
    let data_type = column_type.split(['(', ' ']).next().unwrap_or_default();
    let data_type = if data_type == "boolean" { "tinyint" } else { data_type };
    let size =
        column_type.split_once('(').map(|(_, rest)| rest.trim_end_matches(')')).unwrap_or_default();
    let sizes: Vec<u64> = size.split(',').filter_map(|part| part.parse().ok()).collect();
    let is_text = !rest.is_empty() || sql.contains("character set");
    let chars = match data_type {
        "text" => Some(65_535),
        "longtext" => Some(u64::from(u32::MAX)),
        _ => sizes.first().copied().filter(|_| is_text),
    };
    Found {
        name: column.name.to_owned(),
        data_type: data_type.to_owned(),
        column_type: column_type.replace("', '", "','"),
        chars,
        digits: sizes.first().copied().filter(|_| data_type == "decimal"),
        scale: sizes.get(1).copied().filter(|_| data_type == "decimal"),
        fraction: sizes.first().copied().filter(|_| data_type == "datetime"),
        charset: is_text.then(|| "utf8mb4".to_owned()),
        collation: is_text.then(|| "utf8mb4_bin".to_owned()),
        takes_null: column.takes_null,
        default: column.rest.strip_prefix("DEFAULT ").map(str::to_owned),
        extra: if column.rest == "AUTO_INCREMENT" {
            "auto_increment".to_owned()
        } else {
            String::new()
        },
    }
}

fn whole() -> Catalogue {
    SCHEMA.iter().map(|table| (table.name, own(table))).collect()
}

fn drawn(catalogue: &Catalogue) -> Plan {
    plan(catalogue, Prefix::NONE).expect("there is a plan")
}

#[test]
fn an_empty_database_gets_every_table_and_has_lost_nothing() {
    let plan = drawn(&Catalogue::new());
    assert_eq!(plan.steps.len(), SCHEMA.len());
    assert!(!plan.is_lossy);
    assert!(drawn(&whole()).steps.is_empty(), "what it makes is as it should be");
}

#[test]
fn what_was_lost_is_made_again_and_told() {
    let mut catalogue = whole();
    catalogue.remove("points_records");
    let plan = drawn(&catalogue);
    assert_eq!(
        (plan.steps[0].what.as_str(), plan.steps.len(), plan.is_lossy),
        ("table points_records", 1, true)
    );

    for (table, column, is_lossy) in [
        ("exchange_orders", "quantity", true),
        ("exchange_orders", "seq", true),
        ("exchange_orders", "tracking_no", true),
        ("exchange_orders", "carrier", false),
        ("users", "points_reserved", false),
        ("mirror_state", "last_error", false),
    ] {
        let mut catalogue = whole();
        catalogue.get_mut(table).expect(table).columns.retain(|each| each.name != column);
        let plan = drawn(&catalogue);
        assert_eq!((plan.steps.len(), plan.is_lossy), (1, is_lossy), "{table}.{column}");
    }
    let mut catalogue = whole();
    catalogue.get_mut("products").expect("it is there").indices.remove("idx_status");
    let plan = drawn(&catalogue);
    assert_eq!(
        plan.steps[0].change,
        Change::Make("ALTER TABLE products ADD INDEX idx_status (status)".to_owned())
    );
    assert!(!plan.is_lossy);
}

#[test]
fn every_fault_is_told_with_table_column_and_both_types() {
    let mut catalogue = whole();
    let users = catalogue.get_mut("users").expect("it is there");
    users.columns[0] = Found {
        name: "id".to_owned(),
        data_type: "int".to_owned(),
        column_type: "int(11)".to_owned(),
        extra: "auto_increment".to_owned(),
        ..Found::default()
    };
    users.columns.push(Found {
        name: "openid".to_owned(),
        column_type: "varchar(40)".to_owned(),
        ..Found::default()
    });
    catalogue.get_mut("products").expect("it is there").engine = "MyISAM".to_owned();
    catalogue.get_mut("points_records").expect("it is there").is_view = true;
    let faults = plan(&catalogue, Prefix::NONE).expect_err("nothing may be done");
    for told in [
        "column users.id is int(11) not null auto_increment and must be VARCHAR(64)",
        "column users.openid (varchar(40)) must have a value",
        "products is of the engine MyISAM",
        "points_records is a view",
    ] {
        assert!(faults.iter().any(|fault| fault.starts_with(told)), "{told}: {faults:?}");
    }
    assert_eq!(faults.len(), 4, "{faults:?}");
}

#[test]
fn a_column_that_something_else_reads_is_not_widened() {
    let mut catalogue = whole();
    let products = catalogue.get_mut("products").expect("it is there");
    let price = products
        .columns
        .iter_mut()
        .find(|column| column.name == "points_price")
        .expect("it is there");
    (price.data_type, price.column_type) = ("int".to_owned(), "int(11)".to_owned());
    let step = drawn(&catalogue).steps.remove(0);
    assert_eq!(step.what, "column products.points_price from int(11) not null to BIGINT");
    catalogue.get_mut("products").expect("it is there").readers.push("the view cheap".to_owned());
    let faults = plan(&catalogue, Prefix::NONE).expect_err("a view reads it");
    assert!(faults[0].contains("since the view cheap may read it differently"), "{faults:?}");
}

#[test]
fn a_definition_keeps_all_but_its_type() {
    let text = "CREATE TABLE `products` (\n  `id` varchar(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,\n  \
                `price` int(11) NOT NULL DEFAULT 7 COMMENT 'in, points',\n  `last` decimal(12,4)\n)";
    for (column, from, to, expected) in [
        ("price", "int(11)", "BIGINT", "`price` BIGINT NOT NULL DEFAULT 7 COMMENT 'in, points'"),
        (
            "id",
            "varchar(36)",
            "VARCHAR(64) COLLATE utf8mb4_bin",
            "`id` VARCHAR(64) COLLATE utf8mb4_bin NOT NULL",
        ),
        ("last", "decimal(12,4)", "DECIMAL(24,4)", "`last` DECIMAL(24,4)"),
    ] {
        assert_eq!(widened(text, column, from, to).as_deref(), Some(expected));
    }
    assert_eq!(widened(text, "none", "int", "BIGINT"), None);
    assert_eq!(widened(text, "price", "bigint", "BIGINT"), None);
}
