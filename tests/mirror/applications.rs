//! Would catch a mirror that changes an application's tables: their types, what is in them, or what
//! reads them.

use mysql_async::Row;
use mysql_async::prelude::Queryable;

use crate::books::compare;
use crate::lab::Lab;
use crate::mall::{Crowd, Mall};

crate::on_every_server!(
    an_applications_tables_are_left_as_they_are_and_the_mirror_has_its_own,
    a_column_that_would_read_differently_is_named_and_nothing_is_changed,
    a_column_is_only_ever_widened,
    views_in_the_documents_names_show_what_the_mirror_has,
);

/// Tables that an application has in the names of the mall's document, each with rows.
const TABLES: [&str; 6] = [
    "create table users (id int auto_increment primary key, openid varchar(64) not null unique, name varchar(500),
       created_at timestamp not null default current_timestamp) engine = InnoDB",
    "insert into users (openid, name, created_at) values ('o-1', 'ann', '2024-12-24 10:00:00')",
    "create table products (id varchar(36) primary key, name varchar(500) not null, original_price decimal(12,4),
       status enum('on','off') not null default 'on', updated_at timestamp not null default current_timestamp
       on update current_timestamp) engine = InnoDB",
    "insert into products (id, name, original_price) values ('p-1', 'tea', 12345678.1234)",
    "create table carts (id int primary key, user int, foreign key (user) references users (id)) engine = InnoDB",
    "create view cheap as select id, name from products where original_price < 10",
];

/// Everything that the application has, as text.
async fn everything(lab: &Lab) -> Vec<String> {
    let mut all = Vec::new();
    let mut admin = lab.admin().await;
    for name in ["users", "products", "carts", "cheap"] {
        let shown: Option<Row> =
            admin.query_first(format!("show create table {name}")).await.expect("it is there");
        all.push(shown.and_then(|row| row.get::<String, _>(1)).expect("its text"));
    }
    all.extend(
        lab.rows::<String>("select concat_ws('|', id, openid, name, created_at) from users").await,
    );
    all.extend(
        lab.rows::<String>("select concat_ws('|', id, name, original_price, status) from products")
            .await,
    );
    all
}

async fn tables(lab: &Lab) -> Vec<String> {
    let query = format!(
        "select concat(table_name, '') from information_schema.tables where table_schema = '{}' order by 1",
        lab.database
    );
    lab.rows(&query).await
}

async fn an_applications_tables_are_left_as_they_are_and_the_mirror_has_its_own(lab: Lab) {
    lab.execute(&TABLES).await;
    let before = everything(&lab).await;
    let mut mall = Mall::new();
    let (code, sql, log) = mall.mirror(&["migrate", "--dry-run"], &lab.url());
    assert!(code == 0 && sql.contains("CREATE TABLE stockhold_users ("), "{sql}{log}");
    assert_eq!(
        tables(&lab).await,
        ["carts", "cheap", "products", "users"],
        "a dry run makes nothing"
    );

    mall.serve(&lab.url(), &[]);
    mall.stock_up().await;
    let crowd = Crowd::at(&mall, 51).await;
    crowd.answered(60).await;
    let sold = crowd.stop().await;
    mall.mirrored().await;
    assert_eq!(everything(&lab).await, before);
    let orders: usize =
        lab.row("select count(*) from stockhold_exchange_orders where seq is not null").await;
    assert_eq!(orders, sold.len());
    let (code, printed, log) = mall.mirror(&["reload"], &lab.url());
    assert_eq!(code, 0, "{printed}{log}");
    mall.until("the server's mirror to go on", |status| status["state"] == "following").await;
    let (code, printed, log) = mall.mirror(&["check"], &lab.url());
    assert!(code == 0 && printed.contains(" 0 differences"), "{printed}{log}");
    assert_eq!(everything(&lab).await, before);
    let taken = mall.mirror(&["views"], &lab.url()).1;
    assert!(
        taken.contains("-- users is a table already") && taken.contains("VIEW exchange_orders AS"),
        "{taken}"
    );
    lab.close().await;
}

async fn a_column_that_would_read_differently_is_named_and_nothing_is_changed(lab: Lab) {
    let mut mall = Mall::new();
    lab.execute(&TABLES).await;
    let before = (everything(&lab).await, tables(&lab).await);
    let (code, printed, log) = mall.mirror(&["migrate", "--mirror-prefix", "none"], &lab.url());
    assert_eq!(code, 1, "{printed}{log}");
    for told in [
        "column users.id is int",
        "must be VARCHAR(64)",
        "column users.created_at is timestamp",
        "column users.openid (varchar(64)) must have a value",
        "column products.status is enum('on','off')",
        "Nothing was changed",
        "mirror_prefix",
    ] {
        assert!(log.contains(told), "{told}: {log}");
    }
    assert_eq!((everything(&lab).await, tables(&lab).await), before);

    // A view that has a name of the mirror's.
    let other = lab.beside().await;
    other
        .execute(&[
            "create table people (id int primary key)",
            "create view users as select * from people",
        ])
        .await;
    let (code, _, log) = mall.mirror(&["migrate", "--mirror-prefix", "none"], &other.url());
    assert!(code == 1 && log.contains("users is a view"), "{log}");
    assert_eq!(tables(&other).await, ["people", "users"]);
    mall.serve(&lab.url(), &["--mirror-prefix", "none"]);
    let status = mall
        .until("an operator to be asked for", |status| status["state"] == "misconfigured")
        .await;
    assert!(status["lastError"].to_string().contains("users.id"), "{status}");
    other.close().await;
    lab.close().await;
}

async fn a_column_is_only_ever_widened(lab: Lab) {
    let mall = Mall::new();
    let migrate = || {
        let (code, printed, log) = mall.mirror(&["migrate"], &lab.url());
        (code, printed + &log)
    };
    assert_eq!(migrate().0, 0);
    lab.execute(&[
        "alter table products modify original_price decimal(12,4)",
        "alter table products modify points_price int not null default 7 comment 'in points, whole'",
        "alter table points_records modify source enum('payment_reward','gift') not null default 'gift'",
        "alter table products modify name varchar(500) character set utf8mb4 not null",
        "insert into products (id, name, category_id, original_price) values ('own', 'tea', '', 12345678.1234)",
        "insert into points_records (id, user_id, points) values ('own', 'ann', 5)",
        "create view cheap as select id, name from products where points_price < 10",
    ])
    .await;
    let (code, said) = migrate();
    assert!(
        code == 1 && said.contains("products.points_price") && said.contains("the view cheap"),
        "{said}"
    );
    // It may take NULL here, which the mirror writes.
    lab.execute(&["drop view cheap"]).await;
    let (code, said) = migrate();
    assert!(
        code == 1 && said.contains("points_records.source") && said.contains("takes no NULL"),
        "{said}"
    );
    lab.execute(&[
        "alter table points_records modify source enum('payment_reward','gift') default 'gift'",
    ])
    .await;
    let sql = mall.mirror(&["migrate", "--dry-run"], &lab.url()).1;
    assert_eq!(sql.lines().count(), 3, "{sql}");
    let (code, said) = migrate();
    assert_eq!(code, 0, "{said}");
    let columns: Vec<String> = lab
        .rows(&format!(
            "select concat_ws(' ', column_name, if(data_type = 'bigint', data_type, column_type), is_nullable,
               trim(both char(39 using utf8mb4) from coalesce(column_default, 'nothing')), column_comment)
             from information_schema.columns where table_schema = '{}' and (table_name, column_name) in
               (('products', 'points_price'), ('products', 'name'), ('points_records', 'source'))
             order by column_name",
            lab.database
        ))
        .await;
    let source = "source enum('payment_reward','gift','admin_adjust','mall_consumption','mall_refund','expire_deduct',\
                  'invite_reward') YES gift ";
    assert_eq!(
        columns,
        ["name varchar(500) NO nothing ", "points_price bigint NO 7 in points, whole", source]
    );
    let kept: (String, i64) =
        lab.row("select cast(original_price as char), points_price from products").await;
    assert_eq!(kept, ("12345678.1234".to_owned(), 7));
    let price = format!(
        "select cast(column_type as char) from information_schema.columns
         where table_schema = '{}' and table_name = 'products' and column_name = 'original_price'",
        lab.database
    );
    assert_eq!(lab.row::<String>(&price).await, "decimal(24,4)");
    assert_eq!(lab.row::<String>("select source from points_records").await, "gift");
    assert_eq!(migrate().1.trim(), "the tables are up to date");
    lab.close().await;
}

async fn views_in_the_documents_names_show_what_the_mirror_has(lab: Lab) {
    let mut mall = Mall::new();
    mall.serve(&lab.url(), &["--mirror-prefix", "stockhold_"]);
    mall.stock_up().await;
    mall.mirrored().await;
    let (code, sql, log) = mall.mirror(&["views", "--mirror-prefix", "stockhold_"], &lab.url());
    assert_eq!(code, 0, "{log}");
    // From here on there are names of the document's, and the mirror's own are found without being
    // told.
    let statements: Vec<&str> = sql.lines().map(|line| line.trim_end_matches(';')).collect();
    lab.execute(&statements).await;
    let crowd = Crowd::at(&mall, 52).await;
    crowd.answered(100).await;
    crowd.stop().await;
    mall.mirrored().await;
    compare(&mall, &lab).await;
    lab.close().await;
}
