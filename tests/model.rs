//! Random commands, clock steps and restarts, against a plain reference: would catch an outcome, a
//! level or a deadline that is not what the rules say, and anything that a restart, with or without
//! a checkpoint, changes. Afterwards every prefix of the journal is audited.
//!
//! `PROPTEST_CASES` sets how many sequences are tried.
#![cfg(feature = "test-util")]

mod books;
mod driver;
mod reference;

use proptest::prelude::*;

use self::books::Books;
use self::driver::Run;
use self::driver::plan::steps;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48),
        max_shrink_iters: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_engine_agrees_with_the_reference(steps in steps()) {
        let mut run = Run::new();
        for step in steps {
            run.step(step);
        }
        // A drop makes durable what nobody waited for.
        run.reopen(false, false);
        run.compare();
        Books::of(run.engine()).assert_matches(run.engine());
    }
}
