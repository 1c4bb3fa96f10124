//! Would catch a key that is told apart by something else than its name, one that outlives its end in
//! a remembered token, and a set that is taken in part.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use super::maker::{Maker, base64url, set};
use super::*;
use crate::http::auth::key::Signing;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn secrets_are_told_apart_by_their_names() {
    let auth = auth(SECRET);
    let unnamed = auth.issue("ann", Role::User, NOW_MS + 60_000).expect("a token");
    let [old, new] = ["2026-11", "2026-12"].map(|kid| Maker::new(Signing::Hs256, kid));
    let claims = json!({"sub": "ann", "exp": NOW_MS / 1000 + 60});
    let foreign = new.sign(&json!({"alg": "HS256", "kid": "2027\n-01"}), &claims);
    assert_eq!(detail(&auth, &foreign), None, "without names, a signature alone counts");
    auth.replace_keys(&set([&old, &new])).expect("a set");
    for token in [&unnamed, &old.token(&claims), &new.token(&claims)] {
        assert_eq!(user(&auth, token).as_deref(), Ok("ann"));
    }
    assert_eq!(detail(&auth, &foreign).as_deref(), Some("no key has the kid \"2027\\n-01\""));
    let long = new.sign(&json!({"alg": "HS256", "kid": "x".repeat(400)}), &claims);
    assert!(detail(&auth, &long).is_some_and(|told| told.len() < 100), "it is cut short");
    // Signed with one, named for the other.
    let mixed = new.sign(&json!({"alg": "HS256", "kid": "2026-11"}), &claims);
    assert_eq!(detail(&auth, &mixed), None);
    // The secret without a name has none of the names.
    assert_eq!(user(&auth, &unnamed).as_deref(), Ok("ann"));
}

#[test]
fn a_key_that_goes_takes_what_it_verified_with_it() {
    let auth = Auth::without_secret();
    let [old, new] = ["old", "new"].map(|kid| Maker::new(Signing::EdDsa, kid));
    let claims = json!({"sub": "ann", "exp": NOW_MS / 1000 + 60});
    let [of_old, of_new] = [&old, &new].map(|maker| maker.token(&claims));
    auth.replace_keys(&set([&old])).expect("a set");
    assert!(user(&auth, &of_old).is_ok() && user(&auth, &of_new).is_err());
    auth.replace_keys(&set([&old, &new])).expect("a set");
    assert!(user(&auth, &of_old).is_ok() && user(&auth, &of_new).is_ok());
    auth.replace_keys(&set([&new])).expect("a set");
    assert_eq!(detail(&auth, &of_old).as_deref(), Some("no key has the kid \"old\""));
    assert!(user(&auth, &of_new).is_ok());
    // Another key under a name that stays.
    auth.replace_keys(&set([&Maker::new(Signing::EdDsa, "new")])).expect("a set");
    assert!(user(&auth, &of_new).is_err());
    auth.replace_keys(&set([&Maker::new(Signing::Hs256, "new")])).expect("a set");
    assert_eq!(detail(&auth, &of_new).as_deref(), Some("the token's key is for HS256 alone"));
    auth.replace_keys(r#"{"keys":[]}"#).expect("a set");
    assert!(user(&auth, &of_new).is_err());
}

/// Would catch a publisher that makes secrets, that takes the place of a key of the file, or whose
/// keys go with those of the file.
#[test]
fn published_keys_stand_beside_those_of_the_file() {
    let auth = Auth::without_secret();
    let [ours, theirs, both] =
        ["ours", "theirs", "both"].map(|kid| Maker::new(Signing::EdDsa, kid));
    let [also_both, secret] =
        [Maker::new(Signing::EdDsa, "both"), Maker::new(Signing::Hs256, "secret")];
    let claims = json!({"sub": "ann", "exp": NOW_MS / 1000 + 60});
    let lets = |maker: &Maker| user(&auth, &maker.token(&claims)).is_ok();
    let publish = |keys: &str| auth.replace_published_keys(keys.as_bytes());
    publish(&set([&theirs, &also_both, &secret])).expect("a set");
    assert!(lets(&theirs) && lets(&also_both) && !lets(&secret));
    auth.replace_keys(&set([&ours, &both])).expect("a set");
    assert!(lets(&ours) && lets(&theirs) && lets(&both) && !lets(&also_both));
    publish("{}").expect_err("it is no set");
    publish(&set([&ours, &ours])).expect_err("one name twice");
    assert!(lets(&ours) && lets(&theirs));
    publish(&set([&also_both])).expect("a set");
    assert!(lets(&ours) && !lets(&theirs) && lets(&both) && !lets(&also_both));
    auth.replace_keys(&set([&ours])).expect("a set");
    assert!(lets(&ours) && !lets(&both) && lets(&also_both));
}

/// Would catch a moment in which neither the old key nor the new one is there.
#[test]
fn nobody_is_refused_while_keys_are_replaced() {
    const KEYS: usize = 6;
    let auth = Auth::without_secret();
    let makers: Vec<Maker> =
        (0..KEYS).map(|at| Maker::new(Signing::EdDsa, &format!("k{at}"))).collect();
    let window = |from: usize, count: usize| set((from..from + count).map(|at| &makers[at % KEYS]));
    let claims = |at: usize| json!({"sub": format!("ann{at}"), "exp": NOW_MS / 1000 + 60});
    auth.replace_keys(&window(0, 3)).expect("a set");
    let (round, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let ask = || {
        let mut asked = 0;
        while !stop.load(Ordering::SeqCst) || asked == 0 {
            let before = round.load(Ordering::SeqCst);
            let token = makers[(before + 1) % KEYS].token(&claims(asked % 50));
            let answer = user(&auth, &token);
            let after = round.load(Ordering::SeqCst);
            // Its key goes two rounds later, and not before.
            assert!(answer.is_ok() || after > before + 1, "{before} to {after}: {answer:?}");
            asked += 1;
        }
    };
    std::thread::scope(|threads| {
        let askers: Vec<_> = (0..3).map(|_| threads.spawn(ask)).collect();
        for at in 1..200 {
            round.store(at, Ordering::SeqCst);
            // The oldest goes, then a new one comes.
            auth.replace_keys(&window(at, 2)).expect("a set");
            auth.replace_keys(&window(at, 3)).expect("a set");
        }
        stop.store(true, Ordering::SeqCst);
        askers.into_iter().for_each(|asker| asker.join().expect("nobody was refused"));
    });
}

#[test]
fn a_set_that_is_wrong_changes_nothing_and_names_its_key() {
    let auth = Auth::without_secret();
    let maker = Maker::new(Signing::EdDsa, "good");
    let token = maker.token(&json!({"sub": "ann", "exp": NOW_MS / 1000 + 60}));
    auth.replace_keys(&set([&maker])).expect("a set");
    let good = maker.jwk();
    let secret = |bytes: usize| base64url(vec![7; bytes]);
    for (keys, named) in [
        (json!("keys"), "no JSON Web Key Set"),
        (json!({"keys": {}}), "no JSON Web Key Set"),
        (json!({"keys": [good, good]}), "two keys have the kid \"good\""),
        (json!({"keys": [{"kty": "oct", "k": secret(32)}]}), "keys[0] has no kid"),
        (json!({"keys": [{"kty": "oct", "kid": "a", "k": secret(31)}]}), "\"a\" has fewer than 32"),
        (json!({"keys": [{"kty": "oct", "kid": "a", "k": "!!"}]}), "\"a\" is not in base64url"),
        (json!({"keys": [{"kty": "oct", "kid": "a"}]}), "\"a\" is"),
        (json!({"keys": [{"kty": "oct", "kid": "", "k": secret(32)}]}), "a kid that is empty"),
        (
            json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": secret(31)}]}),
            "as long",
        ),
        (
            json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "a", "x": secret(32), "y": secret(31)}]}),
            "as long",
        ),
        (
            json!({"keys": [{"kty": "RSA", "kid": "a", "n": secret(128), "e": "AQAB"}]}),
            "2,048 bits",
        ),
        (
            json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": secret(32), "d": secret(32)}]}),
            "private part",
        ),
        (json!({"keys": vec![good.clone(); 257]}), "at most 256"),
    ] {
        let why = auth.replace_keys(&keys.to_string()).expect_err("it is wrong").to_string();
        assert!(why.contains(named), "{why} names {named}");
        assert!(!why.contains(&secret(31)), "nothing of a secret is told");
        assert_eq!(user(&auth, &token).as_deref(), Ok("ann"), "{named}");
    }
}

#[test]
fn keys_for_something_else_are_left_out() {
    let auth = Auth::without_secret();
    let maker = Maker::new(Signing::EdDsa, "good");
    let token = maker.token(&json!({"sub": "ann", "exp": NOW_MS / 1000 + 60}));
    let mut other = Vec::new();
    for (member, value) in
        [("use", json!("enc")), ("alg", json!("ES384")), ("key_ops", json!(["sign"]))]
    {
        let mut jwk = Maker::new(Signing::EdDsa, member).jwk();
        jwk[member] = value;
        other.push(jwk);
    }
    other.push(json!({"kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AA"}));
    other.push(json!({"kty": "EC", "crv": "P-384", "kid": "p384", "x": "AA", "y": "AA"}));
    other.push(maker.jwk());
    auth.replace_keys(&json!({"keys": other}).to_string()).expect("a set");
    assert_eq!(user(&auth, &token).as_deref(), Ok("ann"));
    let of_other = Maker::new(Signing::EdDsa, "use").token(&json!({"sub": "ann", "exp": 1}));
    assert_eq!(detail(&auth, &of_other).as_deref(), Some("no key has the kid \"use\""));
}
