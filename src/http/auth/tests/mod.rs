mod algorithms;
mod maker;
mod rotation;

use hyper::header::HeaderValue;

use super::*;

const NOW_MS: TimeMs = 1_700_000_000_000;

fn auth(secret: &str) -> Auth {
    Auth::new(&SecretString::from(secret)).expect("a secret that is long enough")
}

/// No token was revoked.
fn never(_: &str, _: Option<TimeMs>) -> bool {
    false
}

fn headers(value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(value).expect("a header value"));
    headers
}

/// Whose token headers have at a time.
fn identify(auth: &Auth, headers: &HeaderMap, now_ms: TimeMs) -> Result<Arc<Identity>, ApiError> {
    auth.identify(token_of(headers, false)?, now_ms, never)
}

/// Whose a token is; otherwise why it is nobody's.
fn user(auth: &Auth, token: &str) -> Result<String, Option<String>> {
    let identified = auth.identify(token, NOW_MS, never);
    let detail = |error: ApiError| {
        assert_eq!(error.code, Code::Unauthorized);
        error.detail.map(|detail| detail.into_owned())
    };
    identified.map(|identity| identity.user.id().to_owned()).map_err(detail)
}

/// What is said of a token that is refused.
fn detail(auth: &Auth, token: &str) -> Option<String> {
    user(auth, token).expect_err("it is refused")
}

/// A token of claims that no type of ours would write.
fn sign_text(auth: &Auth, claims: &str) -> String {
    auth.keys.find(None).expect("a secret").sign_text(claims)
}

fn sign(auth: &Auth, claims: &Claims) -> String {
    auth.keys.find(None).expect("a secret").sign(claims).expect("a token")
}

#[test]
fn a_token_names_its_user_until_it_expires() {
    let auth = auth("0123456789abcdef0123456789abcdef");
    let token = auth.issue("ann", Role::Admin, NOW_MS + 5_000).expect("a token");
    let headers = headers(&format!("Bearer {token}"));
    // Twice: verified, then remembered.
    for _ in 0..2 {
        let identity = identify(&auth, &headers, NOW_MS).expect("a valid token");
        assert_eq!((identity.user.id(), identity.role), ("ann", Role::Admin));
    }
    assert!(identify(&auth, &headers, NOW_MS + 9_999).is_ok(), "within the leeway");
    assert!(
        identify(&auth, &headers, NOW_MS + 10_000).is_err(),
        "a remembered token expires all the same"
    );
}

#[test]
fn times_may_have_fractions_and_clocks_may_differ() {
    let auth = auth("0123456789abcdef0123456789abcdef").leeway_ms(1_000);
    let second = NOW_MS / 1000;
    for (times, valid) in [
        (format!(r#""exp":{second}.5"#), true),
        (format!(r#""exp":{}"#, second - 1), false),
        (format!(r#""exp":{}.001"#, second - 1), true),
        (format!(r#""exp":{second}.5,"nbf":{}.999"#, second), true),
        (format!(r#""exp":{}.5,"nbf":{}.001"#, second + 9, second + 1), false),
        (format!(r#""exp":{second}.5,"iat":{}.999"#, second), true),
        (format!(r#""exp":{}.5,"iat":{}.001"#, second + 9, second + 1), false),
        (r#""exp":1e400"#.to_owned(), false),
        (r#""exp":1e15"#.to_owned(), true),
        (r#""exp":18446744073709551615"#.to_owned(), true),
        (r#""exp":-1"#.to_owned(), false),
        (r#""exp":"4000000000""#.to_owned(), false),
        (r#""exp":null"#.to_owned(), false),
    ] {
        let token = sign_text(&auth, &format!(r#"{{"sub":"ann",{times}}}"#));
        assert_eq!(auth.identify(&token, NOW_MS, never).is_ok(), valid, "{times}");
    }
}

#[test]
fn two_callers_in_one_request_are_none() {
    let auth = auth("0123456789abcdef0123456789abcdef");
    let token = auth.issue("ann", Role::User, NOW_MS + 5_000).expect("a token");
    let mut headers = headers(&format!("Bearer {token}"));
    headers.append(
        AUTHORIZATION,
        HeaderValue::from_str(&format!("Bearer {token}")).expect("a header value"),
    );
    let error = identify(&auth, &headers, NOW_MS).err().expect("it is refused");
    assert_eq!(error.code, Code::InvalidRequest);
}

#[test]
fn what_is_not_our_token_is_refused() {
    let auth = auth("0123456789abcdef0123456789abcdef");
    let other = super::tests::auth("another secret of thirty-two byte");
    let token = auth.issue("ann", Role::User, NOW_MS + 5_000).expect("a token");
    let foreign = other.issue("ann", Role::User, NOW_MS + 5_000).expect("a token");
    // {"alg":"none"} and {"sub":"ann","exp":9999999999}, without a signature.
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4iLCJleHAiOjk5OTk5OTk5OTl9.";
    let body = token.split('.').nth(1).expect("three parts");
    // {"alg":"HS384","typ":"JWT"} over our own body and signature.
    let relabelled = token.replacen(
        token.split('.').next().expect("three parts"),
        "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9",
        1,
    );
    let claims = |sub: &str, exp: TimeMs| Claims {
        sub: sub.into(),
        exp: NumericDate(exp),
        nbf: None,
        iat: None,
        role: None,
        iss: None,
        aud: None,
        link: None,
    };
    let timeless = sign(&auth, &claims("ann", 0));
    let nbf = Some(NumericDate(NOW_MS * 2));
    let early = sign(&auth, &Claims { nbf, ..claims("ann", u64::MAX) });
    let role = Some("root".into());
    let stranger = sign(&auth, &Claims { role, ..claims("ann", u64::MAX) });
    let nameless = sign(&auth, &claims("no/slash", u64::MAX));
    for wrong in [
        "Bearer",
        "Bearer ",
        "Basic abc",
        "Bearer a.b.c",
        &format!("Bearer {foreign}"),
        &format!("Bearer {unsigned}"),
        &format!("Bearer {relabelled}"),
        &format!("Bearer x.{body}.x"),
        &format!("Bearer {timeless}"),
        &format!("Bearer {early}"),
        &format!("Bearer {stranger}"),
        &format!("Bearer {nameless}"),
    ] {
        assert!(identify(&auth, &headers(wrong), NOW_MS).is_err(), "{wrong} must be refused");
    }
    assert!(identify(&auth, &HeaderMap::new(), NOW_MS).is_err(), "no header must be refused");
}

#[test]
fn a_short_secret_is_refused() {
    assert!(Auth::new(&SecretString::from("too short")).is_err());
}

#[test]
fn a_token_is_from_whom_it_should_be_and_for_us() {
    let open = auth("0123456789abcdef0123456789abcdef");
    let strict =
        auth("0123456789abcdef0123456789abcdef").issuer("https://id.example").audience("mall");
    let no_issuer = Some("the token names no issuer (iss)");
    let issuer = Some("the token is of another issuer (iss)");
    let no_audience = Some("the token names no audience (aud)");
    let audience = Some("the token is for another audience (aud)");
    for (names, refused) in [
        (r#""iss":"https://id.example","aud":"mall""#, None),
        (r#""iss":"https://id.example","aud":["till","mall"]"#, None),
        ("", no_issuer),
        (r#""aud":"mall""#, no_issuer),
        (r#""iss":null,"aud":"mall""#, no_issuer),
        (r#""iss":"https://id.example/","aud":"mall""#, issuer),
        (r#""iss":"","aud":"mall""#, issuer),
        (r#""iss":["https://id.example"],"aud":"mall""#, issuer),
        (r#""iss":7,"aud":"mall""#, issuer),
        (r#""iss":"https://id.example""#, no_audience),
        (r#""iss":"https://id.example","aud":"Mall""#, audience),
        (r#""iss":"https://id.example","aud":[]"#, audience),
        (r#""iss":"https://id.example","aud":["till",7]"#, audience),
        (r#""iss":"https://id.example","aud":{"mall":1}"#, audience),
    ] {
        let comma = if names.is_empty() { "" } else { "," };
        let claims = format!(r#"{{"sub":"ann","exp":{}{comma}{names}}}"#, NOW_MS / 1000 + 60);
        let token = sign_text(&strict, &claims);
        // Twice: what was verified is remembered, and what was refused is not.
        for _ in 0..2 {
            let found = user(&strict, &token);
            assert_eq!(
                found,
                refused.map_or(Ok("ann".into()), |it| Err(Some(it.into()))),
                "{names}"
            );
        }
        assert_eq!(user(&open, &token), Ok("ann".into()), "nobody is expected: {names}");
    }
    let own = strict.issue("ann", Role::User, NOW_MS + 60_000).expect("a token");
    assert_eq!(user(&strict, &own), Ok("ann".into()), "what is made here is taken here");
}
