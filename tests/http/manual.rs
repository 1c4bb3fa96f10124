//! Would catch a server that does not describe itself, or a page that may load or run anything.

use hyper::Method;
use serde_json::Value;

use crate::support::{Client, Reply, Shop};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn get(client: &mut Client, path: &str, headers: &[(&str, &str)]) -> Reply {
    let request = client.request(Method::GET, path);
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    client.send(request, "").await
}

#[tokio::test]
async fn the_description_is_served_as_it_is_in_the_tree() {
    let shop = Shop::open().await;
    let mut guest = shop.guest().await;
    let tree: Value =
        serde_json::from_str(include_str!("../../docs/openapi.json")).expect("it is JSON");
    for (accept, media_type) in [
        ("*/*", "application/json; charset=utf-8"),
        ("application/json", "application/json; charset=utf-8"),
        ("application/openapi+json", "application/openapi+json"),
        ("application/openapi+json, application/json;q=0.9", "application/openapi+json"),
        (BROWSER, "application/json; charset=utf-8"),
    ] {
        let served = get(&mut guest, "/openapi.json", &[("Accept", accept)]).await;
        assert_eq!((served.status, served.json() == tree), (200, true), "{accept}");
        assert_eq!(served.header("content-type"), Some(media_type), "{accept}");
        assert_eq!(served.header("vary"), Some("Accept"));
    }
    for accept in ["text/html", "application/msgpack"] {
        let refused = get(&mut guest, "/openapi.json", &[("Accept", accept)]).await;
        assert_eq!(refused.status, 406, "{accept}");
    }
    get(&mut guest, "/openapi.json?page=1", &[]).await.failure(400, "INVALID_REQUEST");
}

#[tokio::test]
async fn the_page_is_readable_and_may_load_nothing_but_its_own_style() {
    let shop = Shop::open().await;
    let mut guest = shop.guest().await;
    for accept in [BROWSER, "text/html", "*/*"] {
        let page = get(&mut guest, "/docs", &[("Accept", accept)]).await;
        assert_eq!(page.status, 200, "{accept}");
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        let policy = page.header("content-security-policy").expect("a policy");
        let directives: Vec<&str> = policy.split("; ").collect();
        let style = directives.iter().find_map(|it| it.strip_prefix("style-src 'sha256-"));
        assert_eq!(style.map(str::len), Some(45), "{policy}");
        let others: Vec<&&str> =
            directives.iter().filter(|it| !it.starts_with("style-src")).collect();
        assert!(others.iter().all(|it| it.ends_with(" 'none'")), "{policy}");
        assert!(others.contains(&&"default-src 'none'"), "{policy}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        let text = String::from_utf8(page.body.to_vec()).expect("UTF-8");
        assert!(text.contains("POST /api/mall/exchange") && text.contains("OUT_OF_STOCK"));
    }
    let refused = get(&mut guest, "/docs", &[("Accept", "application/json")]).await;
    refused.failure(406, "NOT_ACCEPTABLE");
    get(&mut guest, "/docs/", &[]).await.failure(404, "NOT_FOUND");
}

#[tokio::test]
async fn who_has_it_is_told_so() {
    let shop = Shop::open().await;
    let mut guest = shop.guest().await;
    for path in ["/openapi.json", "/docs"] {
        let first = get(&mut guest, path, &[]).await;
        assert_eq!(first.header("cache-control"), Some("no-cache"), "{path}");
        let tag = first.header("etag").expect("a tag").to_owned();
        let again = get(&mut guest, path, &[("If-None-Match", &tag)]).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        assert_eq!(again.header("etag"), Some(&*tag), "{path}");
        let other = get(&mut guest, path, &[("If-None-Match", "\"another\"")]).await;
        assert_eq!((other.status, &other.body), (200, &first.body), "{path}");
        let request = guest.request(Method::HEAD, path);
        let head = guest.send(request, "").await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
}
