//! A program that keeps seats on a server of its own: the client of the generic API, from opening an
//! account to following what happened. The server runs in this process here; it is usually elsewhere.
//!
//! `cargo run --features server,client --example ledger_client`

use std::sync::Arc;

use secrecy::SecretString;
use stockhold::client::{
    Client, ClientError, ConfirmRequest, Found, LedgerFact, NewReservation, RequestKey, TakenLine,
};
use stockhold::http::{App, Auth, Limits, Role};
use stockhold::mall::{Mall, MallConfig};
use stockhold::{AccountKey, Engine, Policy};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let engine = Engine::in_memory().open()?;
    let auth = Auth::new(&SecretString::from("a secret of thirty-two bytes or more"))?;
    let token = auth.issue("box-office", Role::Service, engine.now_ms() + 3_600_000)?;
    let mall = Mall::open(engine.clone(), MallConfig::default())?;
    let app = Arc::new(App::new(mall, auth, Limits::default()));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(stockhold::http::run(listener, async { drop(stopped.await) }, app));

    sell(&Client::new(&url, &token)?).await?;

    drop(stop);
    server.await?;
    engine.close()?;
    Ok(())
}

async fn sell(client: &Client) -> Outcome<()> {
    let seats = AccountKey::custom("seat", &["hall-1"])?;
    let opened = client.open_account(&seats, Policy::strict()).await?;
    client.receive(&seats, 3, "the hall was built", &RequestKey::new("built")?).await?;

    // Two seats, held for a quarter of an hour. The key is the cart's: whoever asks again for this
    // cart, after a lost answer or a restart, hears the same answer and takes nothing more.
    let key = RequestKey::new("cart-4711")?;
    let held = client.reserve(&two(&seats), &key).await?;
    assert_eq!(client.reserve(&two(&seats), &key).await?, held);

    // Another cart is told the truth.
    match client.reserve(&two(&seats), &RequestKey::random()?).await {
        Err(ClientError::Refused(refusal)) => {
            let Some(Found::Units(found)) = refusal.found else {
                return Err("what is short?".into());
            };
            println!(
                "{}: {} left, more may come at {:?}",
                refusal.code, found.available, found.next_release_at
            );
            assert_eq!(found.available, 1);
        }
        other => return Err(format!("there was one seat left: {other:?}").into()),
    }

    // The payment arrived.
    let paid = RequestKey::new("paid-4711")?;
    client.confirm(held.reservation, &ConfirmRequest::default(), &paid).await?;
    let level = client.account(&seats).await?;
    println!("{} sold, {} left", level.consumed, level.available);
    assert_eq!((level.consumed, level.available), (2, 1));

    // What happened, as it is told to whoever follows, from the first event on.
    let mut events = client.events(Some(1));
    loop {
        let event = events.next().await?;
        for fact in &event.facts {
            println!("{}: {fact:?}", event.seq);
            if let LedgerFact::Confirmed { reservation, lines } = fact {
                assert_eq!((*reservation, lines[0].account), (held.reservation, opened.account));
                return Ok(());
            }
        }
    }
}

fn two(seats: &AccountKey) -> NewReservation {
    let lines = vec![TakenLine { account: seats.into(), quantity: 2 }];
    NewReservation { lines, ttl_ms: Some(15 * 60 * 1000), ..NewReservation::default() }
}
