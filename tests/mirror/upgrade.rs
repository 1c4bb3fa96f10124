//! Would catch a version that does not know the tables of the one before it as its own.

use std::process::Command;

use crate::lab::Lab;
use crate::mall::Mall;
use crate::on_every_server;

on_every_server!(the_tables_that_the_first_release_filled_are_followed);

/// What the first release wrote of `tests/fixtures/v1/data` when it had mirrored all of it.
const STATE: &str = "insert into mirror_state (id, ledger_id, phase, epoch, watermark, mark) values \
                     (1, '2169870384c3e2c9e9b3512e749b936c', 'following', 1, 474, 2013511938499418069)";

async fn the_tables_that_the_first_release_filled_are_followed(lab: Lab) {
    let mut mall = Mall::new();
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v1/data/.");
    assert!(
        Command::new("cp")
            .arg("-a")
            .arg(fixture)
            .arg(mall.path())
            .status()
            .expect("cp runs")
            .success()
    );
    assert_eq!(mall.mirror(&["migrate"], &lab.url()).0, 0);
    lab.execute(&[STATE]).await;
    mall.serve(&lab.url(), &[]);
    let status = mall.until("a mirror that follows", |status| status["state"] == "following").await;
    assert!(status["seq"].as_u64().is_some_and(|seq| seq >= 474), "{status}");
    mall.stop();

    // It is the bytes of the event that decide: another one of that number is another history.
    lab.execute(&["update mirror_state set mark = mark + 1, watermark = 474"]).await;
    mall.serve(&lab.url(), &[]);
    mall.until("a mirror of another history", |status| status["state"] == "reload-needed").await;
    lab.close().await;
}
