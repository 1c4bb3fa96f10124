//! Would catch an evaluation that depends on anything but the history, that knows what comes later, or
//! that finds nothing where there is something to be found; and recommendations that depend on
//! anything but the state of the mall.

#![allow(clippy::disallowed_methods, reason = "a test removes history")]

use std::path::Path;

use serde_json::Value;

use super::*;
use crate::vfs::crash::Chance;

fn found(table: &str, at: usize) -> Value {
    let history = History::read("a table", table.as_bytes()).expect("it reads");
    serde_json::to_value(evaluate(&history, at).expect("it runs")).expect("JSON")
}

fn hits(found: &Value) -> Vec<(String, u64)> {
    let lists = found["lists"].as_array().expect("a list").iter();
    let of = |it: &Value| {
        let list = it["list"].as_str().expect("a name").to_owned();
        (list, it["hits"].as_u64().expect("a number"))
    };
    lists.map(of).collect()
}

#[test]
fn only_what_came_before_is_known() {
    // All three take the same two products; what the first two take last nobody has sold much of.
    let table = "user,item,time\na,x,1\nb,x,2\nc,x,3\na,y,4\nb,y,5\nc,y,6\nd,z,7\n";
    let found = found(table, 1);
    let number = |name: &str| found[name].as_u64().expect("a number");
    assert_eq!(["asked", "coldUsers", "coldItems"].map(number), [3, 1, 1]);
    assert_eq!(found["once"], true);
    // When ann takes y nobody has; when bob and cem do, somebody did, and x they have already.
    let popular = hits(&found).into_iter().find(|(list, _)| list == "popular").expect("a list");
    assert_eq!(popular.1, 2);
    let together = hits(&found).into_iter().find(|(list, _)| list == "together").expect("a list");
    assert_eq!(together.1, 2);
}

#[test]
fn the_same_history_is_found_the_same_and_what_is_in_it_is_found() {
    let table = {
        let mut lines = "user,item,time,category\n".to_owned();
        // Users of two kinds, each with a category of its own; what sells most is in a third.
        for (time, round) in (0..6).flat_map(|round| (0..20).map(move |user| (user, round))) {
            let kind = time % 2;
            let item = (time + 3 * round) % 5;
            lines += &format!("u{time},k{kind}-{item},{},{kind}\n", 100 * round + time);
            lines += &format!("o{round}-{time},top-{},{},top\n", time % 6, 100 * round + time);
        }
        lines
    };
    let first = found(&table, 3);
    assert_eq!(found(&table, 3), first);
    let of = |list: &str| hits(&first).into_iter().find(|(it, _)| it == list).expect("a list").1;
    assert!(of("affordable") > of("popular"), "{first}");
    assert!(of("preferred") > of("popular"), "{first}");
}

#[test]
fn a_seed_is_one_history() {
    let [one, again, other] = [7, 7, 8].map(History::generated);
    assert_eq!(one.exchanges(), again.exchanges());
    assert_ne!(one.exchanges(), other.exchanges());
    assert_eq!(one.last_of_each().len() + cold(&one), one.users_count());
}

fn cold(history: &History) -> usize {
    let mut counts = vec![0; history.users_count()];
    history.exchanges().iter().for_each(|taken| counts[taken.user] += 1);
    counts.into_iter().filter(|count| *count < 2).count()
}

/// Exchanges of a few users, of products in a few categories.
fn random(seed: u64) -> History {
    let mut chance = Chance::new(seed);
    let mut table = "user,item,time,category,price\n".to_owned();
    for time in 0..120 {
        let (user, item) = (chance.below(9), chance.below(14));
        let price = 10 + item * item;
        table += &format!("u{user},i{item},{time},c{},{price}\n", item % 4);
    }
    History::read("random", table.as_bytes()).expect("it reads")
}

fn open(dir: &Path, clock: &Arc<ManualClock>) -> Mall {
    let engine = Engine::builder(dir).clock(clock.clone() as _).segment_bytes(256 << 10);
    let engine = engine.open().expect("it opens");
    Mall::open(engine, MallConfig::default()).expect("it opens")
}

/// What everybody is recommended, and why.
async fn everything(stage: &Stage<'_>) -> Vec<String> {
    let mut all = Vec::new();
    for user in &stage.users {
        let found = stage.ask(user, 6).await.expect("it answers");
        let Lists::Personal { affordable, preferred, together, popular } = found else {
            panic!("history is there");
        };
        let lists = [affordable, preferred, together, popular].map(|list| {
            let of = |it: &Recommended| format!("{} {:?}", it.item.product.id, it.why);
            list.iter().map(of).collect::<Vec<_>>()
        });
        all.push(format!("{} {lists:?}", user.id()));
    }
    all
}

#[test]
fn recommendations_are_a_function_of_the_state_also_after_a_restart_and_a_rebuild() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    for seed in 0..4 {
        let (history, dir) = (random(seed), TempDir::new().expect("a directory"));
        let clock = Arc::new(ManualClock::new(BEGIN_MS));
        let mut mall = open(dir.path(), &clock);
        let mut users = prepare(&mall, &history).expect("a valid history");
        let mut expected = None;
        for way in ["at first", "again", "after a restart", "after a rebuild"] {
            if way.starts_with("after") {
                mall.engine().close().expect("it closes");
                drop(mall);
                if way == "after a rebuild" {
                    let path = dir.path().join("store");
                    std::fs::remove_dir_all(path).expect("there is some");
                }
                mall = open(dir.path(), &clock);
            }
            let stage = Stage { mall: &mall, clock: &clock, history: &history, users };
            let told = runtime.block_on(async {
                if way == "at first" {
                    for taken in history.exchanges() {
                        clock.advance(1);
                        let taking = stage.take(&stage.users[taken.user], taken.item);
                        taking.await.expect("there is enough");
                    }
                }
                everything(&stage).await
            });
            assert_eq!(&told, expected.get_or_insert_with(|| told.clone()), "{way}, seed {seed}");
            users = stage.users;
        }
        let told = expected.expect("it was asked").join(" ");
        assert!(told.contains("Together") && told.contains("Category"), "{told}");
    }
}
