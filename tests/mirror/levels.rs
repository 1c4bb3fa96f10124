//! Would catch a level in the tables that is another one than the mall's: points that count as earned and
//! are not, a threshold that changed and holds for some, and a level that is no more.

use std::collections::BTreeMap;

use hyper::Method;
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::mall::Mall;
use crate::support::Client;

const USERS: [&str; 4] = ["ann", "bob", "cem", "dan"];

crate::on_every_server!(the_tables_say_which_level_each_user_has);

async fn post(client: &mut Client, path: &str, body: Value) {
    client.post(path, body).await.data();
}

async fn set_levels(admin: &mut Client, of: &[(u8, u64)]) {
    let level = |(level, earned): &(u8, u64)| json!({"level": level, "name": format!("L{level}"), "earnedPoints": earned});
    let levels: Vec<Value> = of.iter().map(level).collect();
    let request = admin.request(Method::PUT, "/api/admin/levels").header("If-Match", "*");
    let request = request.header("Content-Type", "application/json");
    admin.send(request, json!({"levels": levels}).to_string()).await.data();
}

/// The level of each user, as the mall says it, and as the tables do.
async fn compared(mall: &Mall, lab: &Lab) -> BTreeMap<&'static str, u64> {
    mall.mirrored().await;
    let (code, printed, log) = mall.mirror(&["check"], &lab.direct_url());
    assert_eq!(code, 0, "{printed}{log}");
    let mut levels = BTreeMap::new();
    for user in USERS {
        let balance = mall.user(user).await.get("/api/points/balance").await.data();
        let query = format!("select mall_level from user_levels where user_id = '{user}'");
        let shown: u64 = lab.row(&query).await;
        assert_eq!(balance["mallLevel"], shown, "{user}: {balance}");
        levels.insert(user, shown);
    }
    levels
}

async fn the_tables_say_which_level_each_user_has(lab: Lab) {
    let mall = Mall::open(&lab.url()).await;
    let mut admin = mall.admin().await;
    mall.mirrored().await;
    let (code, sql, log) = mall.mirror(&["views"], &lab.direct_url());
    assert_eq!(code, 0, "{log}");
    let view: Vec<&str> = sql.lines().filter(|line| line.contains(" user_levels ")).collect();
    lab.execute(&[view[0].trim_end_matches(';')]).await;

    for (user, change, body) in [
        ("ann", "award", json!({"points": 100})),
        ("bob", "award", json!({"points": 150})),
        ("cem", "award", json!({"points": 1_000, "expiresAt": 4_102_444_800_000_u64})),
        ("dan", "award", json!({"points": 99})),
        // What was a mistake was never earned, and what comes back was earned before.
        ("bob", "deduct", json!({"points": 60, "reason": "误发"})),
        ("dan", "refund", json!({"points": 500, "reason": "线下退货"})),
        ("cem", "deduct", json!({"points": 10, "reason": "线下", "source": "mall_consumption"})),
    ] {
        post(&mut admin, &format!("/api/admin/points/{user}/{change}"), body).await;
    }
    let nobody = compared(&mall, &lab).await;
    assert!(nobody.values().all(|level| *level == 1), "as long as nobody has said others");
    set_levels(&mut admin, &[(1, 0), (2, 100), (5, 1_000)]).await;
    let of = |levels: [u64; 4]| USERS.into_iter().zip(levels).collect::<BTreeMap<_, _>>();
    assert_eq!(compared(&mall, &lab).await, of([2, 1, 5, 1]));
    // Another threshold holds for everybody at once, and a level that is gone for nobody.
    set_levels(&mut admin, &[(1, 0), (3, 90), (4, 101)]).await;
    assert_eq!(compared(&mall, &lab).await, of([3, 3, 4, 3]));
    let gone: Vec<u64> =
        lab.rows("select level from mall_levels where earned_points is null order by level").await;
    assert_eq!(gone, [2, 5]);

    for spoil in [
        "update users set earned_points = earned_points + 1 where id = 'ann'",
        "update mall_levels set earned_points = 91 where level = 3",
        "update mall_levels set earned_points = 1 where level = 5",
    ] {
        lab.execute(&[spoil]).await;
    }
    let (code, printed, log) = mall.mirror(&["check"], &lab.direct_url());
    assert!(code == 2 && printed.contains(" 3 differences"), "{printed}{log}");
    let (code, printed, log) = mall.mirror(&["reload"], &lab.direct_url());
    assert_eq!(code, 0, "{printed}{log}");
    assert_eq!(compared(&mall, &lab).await, of([3, 3, 4, 3]));
    lab.close().await;
}
