use super::*;

fn rates(requests: Option<u64>, bytes: Option<u64>) -> Rates {
    let limits = Limits {
        user_requests_per_minute: requests,
        user_bytes_per_minute: bytes,
        ..Limits::default()
    };
    Rates::new(&limits)
}

impl Rates {
    fn charge_user(&self, user: &str, bytes: u64, now_us: u64) -> Result<(), u64> {
        let of_user = [(&self.requests, 1), (&self.bytes, bytes)];
        self.charge_at(of_user, user, now_us, &Counted::default())
    }
}

#[test]
fn a_user_has_a_minutes_worth_and_then_what_comes_with_time() {
    let rates = rates(Some(3), None);
    for _ in 0..3 {
        assert_eq!(rates.charge_user("ann", 0, 0), Ok(()));
    }
    assert_eq!(rates.charge_user("ann", 0, 0), Err(20_000_000), "a third of a minute");
    assert_eq!(rates.charge_user("ben", 0, 0), Ok(()), "another user has an allowance of his own");
    assert_eq!(rates.charge_user("ann", 0, 19_999_999), Err(1));
    assert_eq!(rates.charge_user("ann", 0, 20_000_000), Ok(()));
    assert_eq!(rates.charge_user("ann", 0, 20_000_000), Err(20_000_000));
    assert_eq!(
        rates.charge_user("ann", 0, 200_000_000),
        Ok(()),
        "it is never more than a minute's worth"
    );
}

#[test]
fn bytes_are_bounded_for_themselves_and_the_largest_request_passes_some_time() {
    let rates = rates(Some(1_000), Some(100));
    assert_eq!(rates.charge_user("ann", 60, 0), Ok(()));
    assert_eq!(rates.charge_user("ann", 60, 0), Err(12_000_000));
    assert_eq!(rates.charge_user("ben", 1_000, 0), Ok(()));
    assert_eq!(rates.charge_user("ben", 1, 0), Err(600_000));
}

/// Would catch a table that forgets whom it refused, or refuses everybody, when it is filled by
/// many users.
#[test]
fn nobody_escapes_a_bound_by_filling_the_table() {
    let rates = rates(Some(1), None);
    assert_eq!(rates.charge_user("ann", 0, 0), Ok(()));
    let others = 20_000;
    let refused = (0..others)
        .filter(|other| rates.charge_user(&format!("user-{other}"), 0, 0).is_err())
        .count();
    assert!(rates.charge_user("ann", 0, 0).is_err(), "she is still known");
    // A user is refused who meets others in both rows: fewer than one in ten, with a third of
    // all places taken.
    assert!(refused < others / 10, "{refused} of {others} were refused for nothing");
}

#[test]
fn no_bound_is_none() {
    let rates = rates(None, None);
    assert!((0..10_000).all(|_| rates.charge_user("ann", u64::MAX, 0).is_ok()));
}

/// Would catch requests of one user that are counted as one when they come at one time.
#[test]
fn what_one_asks_at_one_time_is_counted_one_by_one() {
    let rates = rates(Some(1_000), None);
    let passed = std::thread::scope(|threads| {
        let ask = || (0..500).filter(|_| rates.charge_user("ann", 0, 7).is_ok()).count();
        let asking: Vec<_> = (0..4).map(|_| threads.spawn(ask)).collect();
        asking.into_iter().map(|it| it.join().expect("it ends")).sum::<usize>()
    });
    assert_eq!(passed, 1_000);
}

#[test]
fn an_answer_says_what_is_left() {
    let rates = rates(Some(4), Some(1_000));
    let said = |bytes: u64, now_us: u64| {
        let counted = Counted::default();
        let charged =
            rates.charge_at([(&rates.requests, 1), (&rates.bytes, bytes)], "ann", now_us, &counted);
        let mut headers = HeaderMap::new();
        counted.say(&mut headers);
        let text = |name| headers[name].to_str().expect("text").to_owned();
        (charged.is_ok(), text("ratelimit"), text("ratelimit-policy"))
    };
    let policy = r#""user";q=4;w=60, "user-bytes";q=1000;w=60;qu="content-bytes""#.to_owned();
    let both = |limit: &str| (true, limit.to_owned(), policy.clone());
    assert_eq!(said(500, 0), both(r#""user";r=3;t=15, "user-bytes";r=500;t=30"#));
    assert_eq!(said(0, 0), both(r#""user";r=2;t=30, "user-bytes";r=500;t=30"#));
    // Half a minute later both are whole again.
    assert_eq!(said(500, 30_000_000), both(r#""user";r=3;t=15, "user-bytes";r=500;t=30"#));
    for _ in 0..3 {
        assert!(said(0, 30_000_000).0);
    }
    let (is_let, limit, told) = said(0, 30_000_000);
    assert!(!is_let);
    assert_eq!((limit.as_str(), told.as_str()), (r#""user";r=0;t=60"#, r#""user";q=4;w=60"#));
    let mut headers = HeaderMap::new();
    Counted::default().say(&mut headers);
    assert!(headers.is_empty(), "nothing was counted");
}
