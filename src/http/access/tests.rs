//! The documents say what the table says, and the server holds every route to it.

use std::net::SocketAddr;

use secrecy::SecretString;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::doc_tables;
use crate::engine::Engine;
use crate::http::route::{ROUTES, Route};
use crate::http::{App, Auth, Limits};
use crate::mall::{Mall, MallConfig};

/// The table, as documents have it.
fn table() -> (String, Vec<String>) {
    let told = |grant| match grant {
        Grant::Nothing => "no",
        Grant::Own => "yes",
        Grant::ForUser => "for the user it names",
    };
    let row = |access: &Access| {
        let grants = Role::ALL.iter().map(|role| told(access.grant(*role)));
        let grants: Vec<&str> = grants.collect();
        format!("| {} | {} |", access.name(), grants.join(" | "))
    };
    let names: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
    let head = format!("| a route for | {} |", names.join(" | "));
    (head, Access::ALL.iter().map(row).collect())
}

#[test]
fn the_table_is_in_the_api_document() {
    let (head, rows) = table();
    let document = include_str!("../../../docs/api.md");
    doc_tables::check("docs/api.md", document, "## Who may what", &rows);
    assert!(document.contains(&head), "docs/api.md has no table with the head {head}");
}

#[test]
fn the_table_is_in_the_openapi_document() {
    let document: Value = serde_json::from_str(include_str!("../../../docs/openapi.json"))
        .expect("the document is JSON");
    let scheme = &document["components"]["securitySchemes"]["token"];
    let text = scheme["description"].as_str().expect("the scheme has a description");
    let shown: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
    let (head, rows) = table();
    let expected: Vec<&str> = [&head].into_iter().chain(&rows).map(String::as_str).collect();
    assert_eq!(shown, expected, "docs/openapi.json, components.securitySchemes.token");
}

/// A server of an empty mall, and who signs for it.
struct House {
    address: SocketAddr,
    auth: Auth,
    _dir: tempfile::TempDir,
}

impl House {
    async fn open() -> Self {
        let auth = || {
            Auth::new(&SecretString::from("0123456789abcdef0123456789abcdef"))
                .expect("a long secret")
        };
        let dir = tempfile::tempdir().expect("a directory");
        let engine = Engine::builder(dir.path()).segment_bytes(128 << 10).open();
        let mall = engine.and_then(|engine| Mall::open(engine, MallConfig::default()));
        let app = App::new(mall.expect("it opens"), auth(), Limits::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(crate::http::run(listener, std::future::pending(), Arc::new(app)));
        Self { address, auth: auth(), _dir: dir }
    }

    /// The status and the body of what is answered to an empty object.
    async fn ask(&self, route: &Route, role: Option<Role>, named: &[&str]) -> (u16, String) {
        let row = &route.row;
        let path = row.path_with(&["x", "x", "x"]);
        let mut head =
            format!("{} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n", row.method);
        if let Some(role) = role {
            let token = self.auth.issue("ann", role, u64::MAX / 2).expect("a token");
            head += &format!("authorization: Bearer {token}\r\n");
        }
        for user in named {
            head += &format!("X-On-Behalf-Of: {user}\r\n");
        }
        head += "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        let mut stream = TcpStream::connect(self.address).await.expect("it accepts");
        stream.write_all(head.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), answer)
    }
}

/// What the server makes of a caller before it looks at the request.
#[derive(Debug, PartialEq, Eq)]
enum Let {
    In,
    Unknown,
    Forbidden,
    Nameless,
}

fn let_in((status, answer): &(u16, String)) -> Let {
    match status {
        401 => Let::Unknown,
        403 => Let::Forbidden,
        400 if answer.contains("X-On-Behalf-Of") => Let::Nameless,
        _ => Let::In,
    }
}

#[tokio::test]
async fn every_route_lets_in_whom_the_table_names_and_nobody_else() {
    let house = House::open().await;
    for route in ROUTES {
        let access = route.row.access;
        let stranger = if access == Access::Public { Let::In } else { Let::Unknown };
        let told = house.ask(route, None, &[]).await;
        assert_eq!(let_in(&told), stranger, "{:?} without a token: {told:?}", route.row);
        for role in Role::ALL {
            let (plain, named) = match access.grant(*role) {
                // Nobody asks who it is.
                Grant::Own if access == Access::Public => (Let::In, Let::In),
                Grant::Own => (Let::In, Let::Forbidden),
                Grant::Nothing => (Let::Forbidden, Let::Forbidden),
                Grant::ForUser => (Let::Nameless, Let::In),
            };
            for (user, expected) in [(&[][..], plain), (&["bob"], named)] {
                let told = house.ask(route, Some(*role), user).await;
                assert_eq!(let_in(&told), expected, "{:?} {role:?} {user:?}: {told:?}", route.row);
            }
        }
    }
}

#[tokio::test]
async fn a_service_acts_for_the_user_it_names_and_for_one_alone() {
    let house = House::open().await;
    let balance = ROUTES.iter().find(|route| route.row.path == "/api/points/balance");
    let balance = balance.expect("there is such a route");
    let (status, answer) = house.ask(balance, Some(Role::Service), &["bob"]).await;
    assert!(status == 200 && answer.contains(r#""userId":"bob""#), "{answer}");
    for named in [&["bob", "eve"][..], &["a/b"], &[""]] {
        let (status, answer) = house.ask(balance, Some(Role::Service), named).await;
        assert_eq!(status, 400, "{named:?}: {answer}");
    }
}
