//! Would catch a build without the feature `history` that does not sell, or that answers for a
//! history it does not have.

use super::*;
use crate::base::error::Error;
use crate::ledger::Refund;

#[test]
fn it_sells_and_says_that_there_is_no_history() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 2);
    let id = reserve(&engine, tea, 1);
    engine.confirm(id).and_then(Ticket::wait).expect("it is pending");
    let unavailable = |error: Error| assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    unavailable(engine.history().reservation(id).expect_err("nothing keeps it"));
    unavailable(engine.catch_up().wait().expect_err("nothing follows"));
    unavailable(engine.refund(Refund::new(id).note("back")).expect_err("a refund needs history"));
    engine.close().expect("it closes");
    let again = fixture.open();
    let level = again.level(tea).expect("the account is there");
    assert_eq!((level.available, level.consumed), (1, 1), "what was sold is sold");
}

#[test]
fn history_that_is_asked_for_by_name_is_refused() {
    let fixture = Fixture::new();
    let error =
        Engine::builder(fixture.dir.path()).history(true).open().expect_err("there is none");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("`history`"), "{error}");
}
