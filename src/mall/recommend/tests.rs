//! Would catch a recommendation that waits for a history that is behind, or is made of half of it.

use std::sync::Arc;

use super::*;
use crate::AccountKey;
use crate::command::Receive;
use crate::engine::Engine;
use crate::mall::MallConfig;
use crate::vfs::held::{Gate, HeldVfs};

#[tokio::test]
async fn while_history_is_behind_everybody_is_shown_what_is_hot() {
    let (dir, gate) = (tempfile::tempdir().expect("a directory"), Arc::new(Gate::default()));
    let builder = Engine::builder(dir.path()).segment_bytes(128 << 10);
    let engine = builder.vfs(HeldVfs(Arc::clone(&gate))).open().expect("it opens");
    let mall = Mall::open(engine.clone(), MallConfig::default()).expect("an empty mall");
    mall.load_demo().expect("the demo is loaded");
    let user = User::new("ann").expect("a valid name");
    let is_hot = |is_near| {
        let wanting = Wanting { expected_points: 0, limit: 6 };
        let found = mall.recommend(&user, 10_000, wanting, is_near).expect("the engine answers");
        matches!(found.lists, Lists::Hot(_))
    };
    engine.catch_up().await.expect("history is read");
    assert!(!is_hot(mall.is_history_near().await));

    // What was decided and is not durable is in no history.
    gate.hold();
    let movie = AccountKey::stock("prod_movie").expect("a valid key");
    let movie = engine.account(&movie).expect("the demo has it");
    let decided = engine.receive(Receive::new(movie, 1)).expect("it is decided");
    assert!(!mall.is_history_near().await);
    assert!(is_hot(false));
    gate.release();
    decided.wait().expect("the disk answers");
    engine.catch_up().await.expect("history is read");
    assert!(!is_hot(mall.is_history_near().await));
    engine.close().expect("it closes");
}
