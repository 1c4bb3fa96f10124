//! Would catch a client whose retry has a second effect or another answer, one that waits past its
//! deadline, and a follower that misses an event or tells one twice when the server is restarted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use stockhold::client::{
    Batch, BatchCommand, Client, ClientError, CommandResult, ConfirmRequest, ExtendRequest, Found,
    NewReservation, OwnerRequest, RefundRequest, RequestKey, ReservationStatus, TakenLine,
};
use stockhold::http::Role;
use stockhold::{AccountKey, Policy};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Shop, token};

/// Something between client and server that loses answers: the server has done what it was asked, and
/// nobody hears of it.
struct Proxy {
    address: SocketAddr,
    server: Arc<Mutex<SocketAddr>>,
    /// How many answers are still to be lost.
    losses: Arc<AtomicUsize>,
}

impl Proxy {
    async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (server, losses) = (Arc::new(Mutex::new(server)), Arc::new(AtomicUsize::new(0)));
        let (to, to_lose) = (Arc::clone(&server), Arc::clone(&losses));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let to = *to.lock();
                let lose = to_lose
                    .try_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
                tokio::spawn(pass(client, to, lose.is_ok()));
            }
        });
        Self { address, server, losses }
    }

    fn lose(&self, answers: usize) {
        self.losses.store(answers, Ordering::SeqCst);
    }

    fn client(&self) -> Client {
        let url = format!("http://{}", self.address);
        Client::new(&url, &token("box-office", Role::Service)).expect("it is an address")
    }
}

/// Carries one connection, or loses its answer.
async fn pass(mut client: TcpStream, to: SocketAddr, lose: bool) {
    let Ok(mut server) = TcpStream::connect(to).await else { return };
    if !lose {
        drop(copy_bidirectional(&mut client, &mut server).await);
        return;
    }
    let (mut asked, mut answer) = (vec![0; 64 << 10], [0]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read {
                Ok(count) if count > 0 => server.write_all(&asked[..count]).await.expect("it reads"),
                Ok(_) | Err(_) => return,
            },
            // The server has done it.
            _ = server.read(&mut answer) => return,
        }
    }
}

fn key(name: &str) -> RequestKey {
    RequestKey::new(name).expect("a key")
}

fn seat(name: &str) -> AccountKey {
    AccountKey::custom("seat", &[name]).expect("a key")
}

fn taking(quantity: u64) -> NewReservation {
    let lines = vec![TakenLine { account: seat("1").into(), quantity }];
    NewReservation { lines, ttl_ms: Some(60_000), ..NewReservation::default() }
}

#[tokio::test]
async fn a_lost_answer_costs_a_try_and_has_no_second_effect() {
    every_call_survives(|client| client).await;
}

#[tokio::test]
async fn the_same_holds_of_messagepack() {
    every_call_survives(Client::messagepack).await;
}

/// Would catch a format in which something cannot be said, or is read as something else.
#[tokio::test]
async fn both_formats_are_told_the_same() {
    let shop = Shop::open().await;
    let json = Proxy::before(shop.address).await.client();
    let packed = json.clone().messagepack();
    let opened = packed.open_account(&seat("1"), Policy::backorder(3)).await.expect("it opens");
    assert_eq!(json.account(opened.account).await.expect("it is there"), opened);
    packed.receive(&seat("1"), 20, "eröffnet 八", &key("1")).await.expect("it comes in");
    let held = packed.reserve(&taking(4), &key("2")).await.expect("there is enough").reservation;
    let paid = ConfirmRequest { quantities: Some(vec![3]), ..ConfirmRequest::default() };
    packed.confirm(held, &paid, &key("3")).await.expect("it waits");
    let batch = Batch {
        commands: vec![
            BatchCommand::Receive { account: seat("1").into(), quantity: 1, note: None },
            BatchCommand::Receive { account: seat("2").into(), quantity: 1, note: None },
        ],
        atomic: None,
    };
    let one = json.batch(&batch, &key("4")).await.expect("it is answered");
    // It is another request, though it says the same: what counts are the bytes.
    let conflict = json.reserve(&taking(4), &key("2")).await.expect_err("the key was used");
    assert_eq!(conflict.code(), Some("IDEMPOTENCY_CONFLICT"));
    let other = packed.batch(&batch, &key("5")).await.expect("it is answered");
    assert_eq!(one.results[1], other.results[1], "there is no such account");
    for client in [&json, &packed] {
        let refused = client.reserve(&taking(400), &key("6")).await.expect_err("there are fewer");
        // 20 came in and one in each batch, three of four were taken, and three may be owed.
        let found = refused.found();
        assert!(matches!(found, Some(Found::Units(it)) if it.available == 22), "{found:?}");
    }
    let reservation = json.reservation(held).await.expect("it is there");
    assert_eq!(packed.reservation(held).await.expect("it is there"), reservation);
    let page = json.accounts("seat/", None, 10).await.expect("it is told");
    assert_eq!(packed.accounts("seat/", None, 10).await.expect("it is told"), page);
    let page = json.event_page(1, 1_000).await.expect("they are kept");
    assert_eq!(packed.event_page(1, 1_000).await.expect("they are kept"), page);
}

async fn every_call_survives(spoken: fn(Client) -> Client) {
    let shop = Shop::open().await;
    let proxy = Proxy::before(shop.address).await;
    let client = spoken(proxy.client());
    let lose = || proxy.lose(2);
    lose();
    let opened = client.open_account(&seat("1"), Policy::strict()).await.expect("it opens");
    lose();
    assert_eq!(client.account(opened.account).await.expect("it is there"), opened);
    client.open_account(&seat("2"), Policy::strict()).await.expect("it opens");
    lose();
    let changed = client.receive(&seat("1"), 20, "built", &key("1")).await.expect("it comes in");
    assert_eq!(changed.available, 20);
    lose();
    assert_eq!(
        client.adjust(&seat("1"), -1, "x", &key("2")).await.expect("it changes").available,
        19
    );
    lose();
    assert_eq!(
        client.count(&seat("1"), 18, "x", &key("3")).await.expect("it changes").available,
        18
    );
    lose();
    assert_eq!(
        client.write_off(&seat("1"), 1, "x", &key("4")).await.expect("it goes").available,
        17
    );
    lose();
    let moved = client.transfer(&seat("1"), &seat("2"), 2, "x", &key("5")).await.expect("it moves");
    assert_eq!((moved.from.available, moved.to.available), (15, 2));

    lose();
    let held = client.reserve(&taking(4), &key("6")).await.expect("there is enough").reservation;
    lose();
    let request = ExtendRequest { ttl_ms: Some(90_000), ..ExtendRequest::default() };
    client.extend(held, &request, &key("7")).await.expect("it waits");
    lose();
    let request = ConfirmRequest { quantities: Some(vec![3]), ..ConfirmRequest::default() };
    let paid = client.confirm(held, &request, &key("8")).await.expect("it waits");
    assert_eq!(paid.status, ReservationStatus::Confirmed);
    lose();
    let lines = vec![TakenLine { account: opened.account.into(), quantity: 1 }];
    let request = RefundRequest { lines: Some(lines), ..RefundRequest::default() };
    client.refund(held, &request, &key("9")).await.expect("it was consumed");
    let given_up =
        client.reserve(&taking(2), &key("10")).await.expect("there is enough").reservation;
    lose();
    client.release(given_up, &OwnerRequest::default(), &key("11")).await.expect("it waits");
    let lapsed = client.reserve(&taking(2), &key("12")).await.expect("there is enough").reservation;
    shop.advance(60_000);
    lose();
    client.reacquire(lapsed, &OwnerRequest::default(), &key("13")).await.expect("it expired");
    lose();
    let receive =
        |quantity| BatchCommand::Receive { account: seat("2").into(), quantity, note: None };
    let batch = Batch { commands: vec![receive(1), receive(2)], atomic: None };
    let told = client.batch(&batch, &key("14")).await.expect("it is answered");
    assert!(told.results.iter().all(|result| matches!(result, CommandResult::Done(_))));
    lose();
    let told = client.reservation(held).await.expect("it is there");
    assert_eq!((told.lines[0].consumed, told.lines[0].returned), (3, 1));

    // Each once: 20 - 1 - 1 - 1 - 2 came to 15; 3 and 2 consumed, 1 back.
    let level = client.account(&seat("1")).await.expect("it is there");
    let told = (level.available, level.reserved, level.consumed, level.received, level.written_off);
    assert_eq!(told, (11, 0, 4, 20, 5));
    assert_eq!(client.account(&seat("2")).await.expect("it is there").available, 5);
    let page = client.accounts("seat/", None, 10).await.expect("it is told");
    assert_eq!((page.accounts.len(), page.next_after), (2, None));
    client.write_off(&seat("2"), 5, "x", &key("15")).await.expect("it goes");
    let number = page.accounts.iter().find(|it| it.key == seat("2")).expect("it is one").account;
    lose();
    assert!(client.close_account(number).await.expect("it is empty").closed);
}

#[tokio::test]
async fn a_refusal_is_told_at_once_and_a_deadline_is_kept() {
    let shop = Shop::open().await;
    let proxy = Proxy::before(shop.address).await;
    let client = proxy.client();
    client.open_account(&seat("1"), Policy::strict()).await.expect("it opens");
    let refused = client.reserve(&taking(4), &key("1")).await.expect_err("there is none");
    assert_eq!(refused.code(), Some("INSUFFICIENT_UNITS"));
    assert!(matches!(refused.found(), Some(Found::Units(found)) if found.available == 0));
    let refused = client.open_account(&seat("1"), Policy::backorder(1)).await;
    assert_eq!(refused.expect_err("it is open").code(), Some("ALREADY_EXISTS"));

    proxy.lose(usize::MAX);
    let hasty = client.clone().deadline(Duration::from_millis(300));
    let outcome = hasty.receive(&seat("1"), 5, "x", &key("2")).await;
    assert!(matches!(outcome, Err(ClientError::Deadline(_))), "{outcome:?}");
    proxy.lose(0);
    let told = client.receive(&seat("1"), 5, "x", &key("2")).await.expect("it is answered");
    assert_eq!(told.available, 5, "once, however often it was tried");
    assert!(
        Client::new("ledger.example", "t").is_err() && Client::new("http://x", "a\nb").is_err()
    );
    assert!(RequestKey::new("").is_err() && RequestKey::new("a b").is_err());
    assert_ne!(RequestKey::random().expect("a key"), RequestKey::random().expect("a key"));
}

#[tokio::test]
async fn a_follower_hears_each_event_once_though_the_server_is_restarted() {
    let mut shop = Shop::open().await;
    let proxy = Proxy::before(shop.address).await;
    let client = proxy.client();
    client.open_account(&seat("1"), Policy::strict()).await.expect("it opens");
    let mut events = client.events(Some(1));
    let mut seen = Vec::new();
    for round in 0..3 {
        for at in 0..5 {
            let key = key(&format!("{round}-{at}"));
            client.receive(&seat("1"), 1, "x", &key).await.expect("it comes in");
        }
        let last = shop.engine.status().last_seq;
        // In the middle of what there is.
        while seen.len() as u64 + 2 < last {
            seen.push(events.next().await.expect("there is one"));
        }
        shop = shop.reopen().await;
        *proxy.server.lock() = shop.address;
    }
    let last = shop.engine.status().last_seq;
    while (seen.len() as u64) < last {
        seen.push(events.next().await.expect("there is one"));
    }
    let told: Vec<u64> = seen.iter().map(|event| event.seq).collect();
    assert_eq!(told, (1..=last).collect::<Vec<_>>());
    let page = client.event_page(1, 1_000).await.expect("it is told");
    assert_eq!((page.events, page.next), (seen, last + 1));
}
