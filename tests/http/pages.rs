//! Would catch pages that cannot be used without a script, a form that acts twice or for another site,
//! a link that lets two people in, a session that outlives its revocation, and stock that is not told.

use hyper::Method;
use serde_json::json;
use stockhold::http::{Audience, Limits, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Client, NOW_MS, Reply, Setup, Shop, token};

const HTML: &str = "text/html; charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded";

/// A browser: what it keeps is the session of whoever signed in.
pub struct Browser {
    client: Client,
    origin: String,
    cookie: String,
}

impl Browser {
    async fn open(shop: &Shop) -> Self {
        let origin = format!("http://{}", shop.address);
        Self { client: shop.guest().await, origin, cookie: String::new() }
    }

    /// Signs in with a token that somebody pastes.
    pub async fn of(shop: &Shop, user: &str) -> Self {
        Self::signed_in(shop, user, Role::User, "/").await
    }

    /// Signs in, and is sent on to `home`.
    pub async fn signed_in(shop: &Shop, user: &str, role: Role, home: &str) -> Self {
        let mut browser = Self::open(shop).await;
        let answer = browser.send("/sign-in", &format!("code={}", token(user, role))).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some(home)));
        browser.keep(&answer);
        browser
    }

    fn keep(&mut self, answer: &Reply) {
        let cookie = answer.header("set-cookie").expect("a session");
        for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        self.cookie = cookie.split(';').next().expect("a value").to_owned();
    }

    pub async fn see(&mut self, path: &str) -> Reply {
        let request = self.client.request(Method::GET, path).header("Accept", "text/html");
        let request = request.header("Cookie", &self.cookie).header("Accept-Language", "en");
        self.client.send(request, "").await
    }

    pub async fn send(&mut self, path: &str, form: &str) -> Reply {
        self.send_from(path, form, &self.origin.clone()).await
    }

    async fn send_from(&mut self, path: &str, form: &str, origin: &str) -> Reply {
        let request = self.client.request(Method::POST, path).header("Content-Type", FORM);
        let request = request.header("Cookie", &self.cookie).header("Accept-Language", "en");
        self.client.send(request.header("Origin", origin), form.to_owned()).await
    }
}

pub fn text(reply: &Reply) -> String {
    String::from_utf8(reply.body.to_vec()).expect("a page is text")
}

/// What stands between these in a page.
pub fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = page.split_once(start).unwrap_or_else(|| panic!("no {start} in {page}"));
    rest.split_once(end).expect("its end").0
}

#[tokio::test]
async fn an_exchange_goes_from_the_shelf_to_the_order_without_a_script() {
    let shop = Shop::open().await;
    let mut demo = Browser::of(&shop, "demo").await;
    let home = text(&demo.see("/").await);
    assert!(home.contains("/products/prod_kfc") && home.contains("1,000,000"), "{home}");
    let found = text(&demo.see("/products?keyword=KFC&category_id=").await);
    assert!(found.contains("prod_kfc") && !found.contains("prod_movie"), "{found}");
    let product = text(&demo.see("/products/prod_kfc").await);
    assert!(product.contains("action=\"/products/prod_kfc/exchange\""), "{product}");
    let review = text(&demo.see("/products/prod_kfc/exchange?quantity=2").await);
    assert!(review.contains("17,800") && review.contains("982,200"), "{review}");

    let key = between(&review, "name=\"key\" value=\"", "\"");
    let path = "/products/prod_kfc/exchange";
    let form = format!("key={key}&quantity=2&recipient=Ann&address=1+Main+St&phone=");
    let made = demo.send(path, &form).await;
    let again = demo.send(path, &form).await;
    let order = made.header("location").expect("the order's page").to_owned();
    assert_eq!((made.status, again.status), (303, 303), "{}", text(&made));
    assert_eq!(again.header("location"), Some(&*order), "a double click acts once");
    let other = demo.send(path, &form.replace("quantity=2", "quantity=3")).await;
    assert_eq!(other.status, 422, "{}", text(&other));

    let page = text(&demo.see(&order).await);
    assert!(
        page.contains("data-state=\"pending\"") && page.contains("value=\"1 Main St\""),
        "{page}"
    );
    assert_eq!(demo.send(&order, "do=confirm").await.status, 303);
    let delivery = format!("key={key}&do=delivery&phone=42");
    assert_eq!(demo.send(&order, &delivery).await.status, 303);
    let page = text(&demo.see(&order).await);
    assert!(page.contains("data-state=\"confirmed\"") && page.contains("value=\"42\""), "{page}");
    assert!(text(&demo.see("/orders").await).contains(&order));
    let points = text(&demo.see("/points").await);
    assert!(points.contains("982,200") && points.contains("−17,800"), "{points}");

    let mut eve = Browser::of(&shop, "eve").await;
    assert_eq!(eve.see(&order).await.status, 404, "another's order is nobody's business");
}

#[tokio::test]
async fn what_another_site_sends_changes_nothing() {
    let shop = Shop::open().await;
    let mut demo = Browser::of(&shop, "demo").await;
    let review = text(&demo.see("/products/prod_kfc/exchange").await);
    let form = format!("key={}&quantity=1", between(&review, "name=\"key\" value=\"", "\""));
    let path = "/products/prod_kfc/exchange";
    for origin in ["http://evil.example", "null", "http://127.0.0.1"] {
        let refused = demo.send_from(path, &form, origin).await;
        assert_eq!(refused.status, 403, "{origin}");
        assert!(text(&refused).contains("Nothing was changed."), "{}", text(&refused));
    }
    // The API does not let itself be asked so either: with the cookie alone it only reads.
    let request = demo.client.post_request("/api/mall/exchange").header("Cookie", &demo.cookie);
    let body = json!({"productId": "prod_kfc", "quantity": 1}).to_string();
    demo.client.send(request, body.clone()).await.failure(403, "FORBIDDEN");
    let request = demo.client.request(Method::GET, "/api/points/balance");
    let read = demo.client.send(request.header("Cookie", &demo.cookie), "").await.data();
    assert_eq!(read["balance"], 1_000_000);
    // A page of ours may ask it.
    let request = demo.client.post_request("/api/mall/exchange").header("Cookie", &demo.cookie);
    demo.client.send(request.header("Sec-Fetch-Site", "same-origin"), body).await.data();
    let page = demo.see("/").await;
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
}

#[tokio::test]
async fn who_is_not_signed_in_is_asked_to_and_goes_on_where_they_were() {
    let shop = Shop::open().await;
    let mut guest = Browser::open(&shop).await;
    for path in ["/", "/products", "/products/prod_kfc", "/sign-in"] {
        assert_eq!(guest.see(path).await.status, 200, "{path}");
    }
    let asked = guest.see("/orders").await;
    assert_eq!((asked.status, asked.header("location")), (303, Some("/sign-in?next=%2Forders")));
    let page = text(&guest.see("/sign-in?next=/orders").await);
    assert!(page.contains("name=\"next\" value=\"/orders\""), "{page}");
    let wrong = guest.send("/sign-in", "code=nonsense&next=/orders").await;
    assert_eq!(wrong.status, 401);
    let till = format!("code={}", token("till", Role::Service));
    assert_eq!(guest.send("/sign-in", &till).await.status, 403, "a program is nobody who looks");
    let code = token("demo", Role::User);
    for (next, goes) in [("/orders", "/orders"), ("//evil.example", "/"), ("http://evil", "/")] {
        let answer = guest.send("/sign-in", &format!("code={code}&next={next}")).await;
        assert_eq!(answer.header("location"), Some(goes), "{next}");
        guest.keep(&answer);
    }
    assert_eq!(guest.see("/orders").await.status, 200);
    let ended = guest.send("/sign-out", "").await;
    guest.keep(&ended);
    assert_eq!(guest.see("/orders").await.status, 303);
}

#[tokio::test]
async fn the_console_is_for_operators_and_says_who_did_what() {
    let shop = Shop::open().await;
    let mut demo = Browser::of(&shop, "demo").await;
    let mut olga = Browser::signed_in(&shop, "olga", Role::Operator, "/").await;
    let pages = ["/console", "/console/orders", "/console/products", "/console/products/prod_kfc"];
    for path in pages.into_iter().chain(["/console/users?user_id=demo"]) {
        assert_eq!(demo.see(path).await.status, 403, "{path}");
        assert_eq!(olga.see(path).await.status, 200, "{path}");
    }
    assert!(!text(&demo.see("/").await).contains("/console"));
    let path = "/console/products/prod_kfc";
    let page = text(&olga.see(path).await);
    let key = between(&page, "name=\"key\" value=\"", "\"");
    let form = format!("key={key}&do=receive&quantity=20&reason=a+delivery");
    assert_eq!(demo.send(path, &form).await.status, 403);
    for _ in 0..2 {
        assert_eq!(olga.send(path, &form).await.status, 303);
    }
    let page = text(&olga.see(path).await);
    assert!(page.contains("<td>olga</td><td>a delivery</td>"), "{page}");
    let picture = between(&page, "<svg class=\"life\"", "</svg>");
    assert!(
        picture.contains("; highest 520</desc>") && picture.contains("20 → 520</title>"),
        "{picture}"
    );
    assert!(!page.contains("<style") && !page.contains(" style="), "the policy forbids it");
    assert!(page.contains(">520<") && !page.contains(">540<"), "twice is once: {page}");
    let without = olga.send(path, &format!("key={key}2&do=receive&quantity=20&reason=")).await;
    assert_eq!(without.status, 400, "{}", text(&without));
    let award = format!("key={key}3&do=award&user_id=eve&points=500&reason=thanks");
    assert_eq!(olga.send("/console/users", &award).await.status, 303);
    let page = text(&olga.see("/console/users?user_id=eve").await);
    assert!(page.contains(">500<") && page.contains("thanks"), "{page}");
    assert_eq!(olga.send(path, "do=withdraw").await.status, 303);
    assert_eq!(demo.see("/products/prod_kfc").await.status, 404);
}

#[tokio::test]
async fn a_session_ends_with_its_tokens() {
    let shop = Shop::open().await;
    let mut demo = Browser::of(&shop, "demo").await;
    assert_eq!(demo.see("/points").await.status, 200);
    let mut root = shop.admin().await;
    root.post("/api/admin/revocations", json!({"userId": "demo"})).await.data();
    assert_eq!(demo.see("/points").await.status, 303);
}

#[tokio::test]
async fn what_is_wrong_is_said_on_a_page_in_the_language_of_who_looks() {
    let shop = Shop::open().await;
    let mut demo = Browser::of(&shop, "demo").await;
    for (path, status, says) in [
        ("/products/nix", 404, "This product is not for sale."),
        ("/orders/nix", 404, "You have no such order."),
        ("/products?sort=nix", 400, "sort must be one of"),
        ("/products/prod_kfc/exchange?quantity=0", 400, "quantity must be a number"),
        ("/points?x=1", 400, "there is no parameter"),
        ("/assets/nix.js", 404, "There is no such page."),
    ] {
        let page = demo.see(path).await;
        assert_eq!(page.status, status, "{path}");
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(text(&page).contains(says), "{path}: {}", text(&page));
    }
    let form = "key=a&quantity=9999";
    let short = demo.send("/products/prod_airpods/exchange", form).await;
    assert_eq!(short.status, 409);
    assert!(text(&short).contains("You have too few points."), "{}", text(&short));
    let chosen = demo.send("/language", "language=zh-CN&next=/points").await;
    assert_eq!(chosen.header("location"), Some("/points"));
    let cookie = chosen.header("set-cookie").expect("a cookie").split(';').next().expect("it");
    demo.cookie = format!("{}; {cookie}", demo.cookie);
    assert!(text(&demo.see("/points").await).contains("<html lang=\"zh-CN\""));
}

#[tokio::test]
async fn what_a_page_loads_is_kept_for_good_and_is_ours() {
    let shop = Shop::open().await;
    let mut guest = Browser::open(&shop).await;
    let page = text(&guest.see("/").await);
    let mut loaded = 0;
    for part in page.split(['"']).filter(|part| part.starts_with("/assets/")) {
        let asset = guest.see(part).await;
        assert_eq!(asset.status, 200, "{part}");
        assert!(asset.header("cache-control").expect("it").contains("immutable"), "{part}");
        loaded += 1;
    }
    assert_eq!(loaded, 3);
    assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
    assert!(!page.contains("<style") && !page.contains(" style="), "the policy forbids it");
}

#[tokio::test]
async fn stock_is_told_as_it_changes_to_everybody_who_watches() {
    let shop = Shop::open().await;
    let path = "/api/mall/products/prod_kfc/stock";
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n");
    let mut watching = Vec::new();
    for _ in 0..3 {
        let mut socket = TcpStream::connect(shop.address).await.expect("it accepts");
        socket.write_all(head.as_bytes()).await.expect("it reads");
        watching.push((socket, String::new()));
    }
    for (socket, read) in &mut watching {
        until(socket, read, "\"available\":500,").await;
    }
    let mut demo = shop.user("demo").await;
    let wanted = json!({"productId": "prod_kfc", "quantity": 7, "confirm": true});
    demo.post("/api/mall/exchange", wanted).await.data();
    for (socket, read) in &mut watching {
        until(socket, read, "\"available\":493,").await;
    }
    assert_eq!(demo.get(path).await.data(), json!({"available": 493, "waiting": 0, "sold": 7}));
    demo.get("/api/mall/products/nix/stock").await.failure(404, "PRODUCT_NOT_FOUND");
}

#[tokio::test]
async fn one_address_does_not_take_all_places_from_which_stock_is_watched() {
    let limits = Limits { stock_watchers: 3, stock_watchers_per_address: 2, ..Limits::default() };
    let shop = Shop::with(Setup { limits, ..Setup::default() }).await;
    let path = "/api/mall/products/prod_kfc/stock";
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n");
    let watch = async |from: &str| {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(format!("{from}:0").parse().expect("an address")).expect("it is ours");
        let mut socket = socket.connect(shop.address).await.expect("it accepts");
        socket.write_all(head.as_bytes()).await.expect("it reads");
        let mut read = String::new();
        until(&mut socket, &mut read, "\r\n\r\n").await;
        (socket, read)
    };
    let _first = watch("127.0.0.1").await;
    let _second = watch("127.0.0.1").await;
    let (mut third, mut told) = watch("127.0.0.1").await;
    assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("retry-after: 1\r\n"), "{told}");
    until(&mut third, &mut told, "from one address").await;
    let (mut other, mut told) = watch("127.0.0.2").await;
    until(&mut other, &mut told, "\"available\":500,").await;
}

#[tokio::test]
async fn who_is_turned_away_is_told_by_a_page() {
    let limits = Limits { user_reads_per_minute: Some(3), ..Limits::default() };
    let shop = Shop::with(Setup { limits, ..Setup::default() }).await;
    shop.user_with("ann", 1).await;
    let mut ann = Browser::of(&shop, "ann").await;
    let page = text(&ann.see("/").await);
    let style = page.split('"').find(|it| it.starts_with("/assets/style-")).expect("a style");
    for _ in 0..5 {
        assert_eq!(ann.see(style).await.status, 200, "what pages load is not counted");
    }
    assert_eq!(ann.see("/orders").await.status, 200);
    assert_eq!(ann.see("/orders").await.status, 200);
    let refused = ann.see("/orders").await;
    assert_eq!((refused.status, refused.header("content-type")), (429, Some(HTML)));
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert!(text(&refused).contains("data-code=\"RATE_LIMITED\""), "{refused:?}");

    let limits = Limits { user_requests_under_way: Some(0), ..Limits::default() };
    let shop = shop.reopen_with(Setup { limits, ..Setup::default() }).await;
    let mut browser = Browser::open(&shop).await;
    browser.cookie = ann.cookie;
    let refused = browser.see("/orders").await;
    assert_eq!((refused.status, refused.header("content-type")), (503, Some(HTML)));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(text(&refused).contains("data-code=\"OVERLOADED\""), "{refused:?}");
    assert_eq!(browser.see(style).await.status, 200);
}

async fn until(socket: &mut TcpStream, read: &mut String, part: &str) {
    while !read.contains(part) {
        let mut buffer = [0; 4096];
        let count = socket.read(&mut buffer).await.expect("it writes");
        assert!(count > 0, "no {part} in {read}");
        read.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
}

#[tokio::test]
async fn a_delivery_that_is_filled_in_keeps_what_else_is_known_and_is_written_once() {
    let shop = Shop::open().await;
    let mut api = shop.user("demo").await;
    let info = json!({"recipient": "Ann", "phone": "1", "note": "ring twice", "gate": {"code": 7}});
    let wanted = json!({"productId": "prod_kfc", "quantity": 1, "deliveryInfo": info});
    let order = api.post("/api/mall/exchange", wanted).await.data()["orderId"].clone();
    let order = order.as_str().expect("an id");
    let mut demo = Browser::of(&shop, "demo").await;
    let path = format!("/orders/{order}");
    let page = text(&demo.see(&path).await);
    let key = between(&page, "name=\"key\" value=\"", "\"");
    let form = format!("key={key}&do=delivery&recipient=&phone=42&address=1+Main+St");
    for _ in 0..2 {
        assert_eq!(demo.send(&path, &form).await.status, 303);
    }
    let now = api.get(&format!("/api/mall/orders/{order}")).await.data();
    let expected =
        json!({"phone": "42", "address": "1 Main St", "note": "ring twice", "gate": {"code": 7}});
    assert_eq!(now["deliveryInfo"], expected);
    let mut olga = shop.operator().await;
    let whole = olga.get(&format!("/api/admin/orders/{order}")).await.data();
    assert_eq!(whole["records"].as_array().expect("a list").len(), 1, "twice is once: {whole}");
    assert_eq!(demo.send(&path, "do=delivery&phone=42").await.status, 400, "it has no key");
}

#[tokio::test]
async fn the_board_shows_how_the_server_is_when_the_ledger_is_not_there() {
    let shop = Shop::open().await;
    let mut olga = Browser::signed_in(&shop, "olga", Role::Operator, "/").await;
    let board = text(&olga.see("/console").await);
    assert!(!board.contains("Not known at the moment"), "{board}");
    shop.engine.close().expect("it closes");
    let board = olga.see("/console").await;
    assert_eq!(board.status, 200, "{}", text(&board));
    let board = text(&board);
    assert!(board.contains("Durable events") && board.contains(">journal<"), "{board}");
    assert_eq!(board.matches("Not known at the moment").count(), 2, "{board}");
}

#[tokio::test]
async fn what_is_not_known_to_be_done_can_be_sent_again_as_it_was() {
    let shop = Shop::open().await;
    let mut demo = Browser::of(&shop, "demo").await;
    shop.engine.close().expect("it closes");
    let path = "/products/prod_kfc/exchange";
    let failed = demo.send(path, "key=once&quantity=2&recipient=A%22n&confirm=yes").await;
    assert_eq!(failed.status, 503);
    assert!(failed.header("retry-after").is_some(), "scripts are told when");
    let page = text(&failed);
    assert!(page.contains("What became of it is not known."), "{page}");
    let form = between(&page, "data-once>", "</form>");
    for (name, value) in
        [("key", "once"), ("quantity", "2"), ("recipient", "A&quot;n"), ("confirm", "yes")]
    {
        let field = format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
        assert!(form.contains(&field), "{field} in {form}");
    }
    // What cannot come to anything else is not offered again, and no token is written into a page.
    let refused = demo.send(path, "key=two&quantity=x").await;
    assert!(refused.status == 400 && !text(&refused).contains("data-once"), "{}", text(&refused));
    let refused = demo.send("/sign-in", "code=a-secret").await;
    assert!(!text(&refused).contains("a-secret"), "{}", text(&refused));
}

#[tokio::test]
async fn every_link_leads_somewhere_where_operators_have_a_listener_of_their_own() {
    for (audience, home) in [(Audience::Operators, "/console"), (Audience::Everybody, "/")] {
        let shop = Shop::with(Setup { audience, ..Setup::default() }).await;
        let mut olga = Browser::signed_in(&shop, "olga", Role::Operator, home).await;
        let mut pages = vec![home.to_owned(), "/sign-in".to_owned()];
        let mut seen = 0;
        while let Some(path) = pages.get(seen).cloned() {
            seen += 1;
            let page = olga.see(&path).await;
            assert_eq!(page.status, 200, "{audience:?}: {path}: {}", text(&page));
            for part in text(&page).split("href=\"").skip(1) {
                let link = part.split('"').next().expect("its end").replace("&amp;", "&");
                if !pages.contains(&link) && !link.starts_with('#') {
                    pages.push(link);
                }
            }
        }
        assert!(seen > 8, "{audience:?}: {pages:?}");
        let wrong = olga.see("/sign-in?nix=1").await;
        assert!(text(&wrong).contains(&format!("href=\"{home}\"")), "{}", text(&wrong));
        let ended = olga.send("/sign-out", "").await;
        assert_eq!(ended.header("location"), Some(home));
    }
}

#[tokio::test]
async fn a_sale_has_one_button_that_works_once_it_has_begun() {
    let shop = Shop::open().await;
    let mut olga = Browser::signed_in(&shop, "olga", Role::Operator, "/").await;
    // The clock stands at 15:06:40 in the mall's zone.
    let begin = "do=begin&begins=2025-06-15T15:07:40";
    assert_eq!(olga.send("/console/products/prod_kfc", begin).await.status, 303);
    let console = text(&olga.see("/console/products/prod_kfc").await);
    assert!(console.contains("value=\"2025-06-15T15:07:40\""), "{console}");
    let wrong = olga.send("/console/products/prod_kfc", "do=begin&begins=tomorrow").await;
    assert_eq!(wrong.status, 400);

    let mut demo = Browser::of(&shop, "demo").await;
    let product = text(&demo.see("/products/prod_kfc").await);
    assert!(product.contains("href=\"/products/prod_kfc/sale\""), "{product}");
    assert!(!product.contains("/exchange\""), "there is nothing to fill in yet: {product}");
    let path = "/products/prod_kfc/sale";
    let page = text(&demo.see(path).await);
    assert!(page.contains(&format!("data-opens=\"{}\"", NOW_MS + 60_000)), "{page}");
    assert!(page.contains(&format!("data-now=\"{NOW_MS}\"")), "{page}");
    let key = between(&page, "name=\"key\" value=\"", "\"").to_owned();
    let early = demo.send(path, &format!("key={key}")).await;
    assert_eq!(early.status, 409);
    let said = text(&early);
    assert!(
        said.contains("The sale has not begun.") && said.contains("2025-06-15 15:07:40"),
        "{said}"
    );
    assert!(said.contains(&format!("href=\"{path}\"")), "the way back is to the sale: {said}");
    let review = text(&demo.see("/products/prod_kfc/exchange").await);
    assert!(review.contains("The sale has not begun."), "{review}");

    shop.advance(60_000);
    let guest = text(&Browser::open(&shop).await.see(path).await);
    assert!(guest.contains("/sign-in?next=") && !guest.contains("data-when-open"), "{guest}");
    let made = demo.send(path, &format!("key={key}")).await;
    let order = made.header("location").expect("its order").to_owned();
    let again = demo.send(path, &format!("key={key}")).await;
    assert_eq!(again.header("location"), Some(&*order), "a double click acts once");
    assert!(text(&demo.see(&order).await).contains("data-state=\"confirmed\""));
    assert!(text(&demo.see("/products/prod_kfc").await).contains("/exchange\""));
    assert_eq!(olga.send("/console/products/prod_kfc", "do=begin&begins=").await.status, 303);
    assert!(!text(&demo.see(path).await).contains("data-opens"));
}
