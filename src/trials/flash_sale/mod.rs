//! `stockhold flash-sale`: a sale under load, and whether its books balance at the end.

mod load;
mod shop;
mod verdict;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use self::load::Load;
use self::shop::Shop;
use crate::base::error::{Error, Result};
use crate::engine::Engine;
use crate::http::{self, App, Auth, Limits};
use crate::mall::{Category, Mall, MallConfig, Product};
use crate::process::{print, runtime};
use crate::settings::{Flags, OfData, secret};

/// What is sold when the command starts its own server.
const OWN_PRODUCT: &str = "flash_sale";
const OWN_CATEGORY: &str = "flash_sale";
const OWN_PRICE: u64 = 100;
/// What is sold on another server unless `--product` names something.
const OTHER_PRODUCT: &str = "prod_starbucks";

#[derive(Args)]
pub(crate) struct FlashSaleArgs {
    /// A running server, as http://HOST:PORT; without it the command starts its own, in a temporary
    /// directory
    #[arg(long)]
    url: Option<String>,
    /// How many users take part
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    users: u32,
    /// How many keep-alive connections they share
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// How many units are received before the sale
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    stock: u64,
    /// What is sold [default: a product of its own; with --url prod_starbucks]
    #[arg(long, value_name = "ID")]
    product: Option<String>,
    /// How many requests to send
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    requests: u64,
    /// For how long to send requests, instead of counting them
    #[arg(long, conflicts_with = "requests", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,
    #[command(flatten)]
    settings: Flags<OfData>,
}

pub(crate) fn flash_sale(args: &FlashSaleArgs) -> Result<ExitCode> {
    let dir =
        tempfile::tempdir().map_err(|cause| Error::io("making a temporary directory", cause))?;
    // Declared after the directory, so that it ends before, with every task that works in it.
    let runtime = runtime()?;
    runtime.block_on(async {
        let caught = signal(SignalKind::interrupt());
        let mut interrupt = caught.map_err(|cause| Error::io("catching signals", cause))?;
        tokio::select! {
            sold = hold(args, dir.path()) => sold,
            _ = interrupt.recv() => Err(Error::unavailable("the sale was interrupted")),
        }
    })
}

async fn hold(args: &FlashSaleArgs, dir: &Path) -> Result<ExitCode> {
    match &args.url {
        Some(url) => {
            let address = resolve(url).await?;
            sell(args, address, other_auth(args)?, OTHER_PRODUCT).await
        }
        None => on_own_server(args, dir).await,
    }
}

/// The sale itself: set up, load, look at the books, judge.
async fn sell(
    args: &FlashSaleArgs,
    address: SocketAddr,
    auth: Auth,
    product: &str,
) -> Result<ExitCode> {
    let product = args.product.as_deref().unwrap_or(product);
    print(&format!(
        "Preparing {} users and {} units of {product} on http://{address}\n",
        args.users, args.stock
    ))?;
    let shop = Arc::new(Shop::new(address, &auth, product, args.users)?);
    let before = shop.prepare(args.stock, args.connections).await?;
    let load =
        Load { connections: args.connections, requests: args.requests, seconds: args.seconds };
    let heard = load::run(&load, &shop).await?;
    let after = shop.holdings(args.connections).await?;
    let verdict = verdict::judge(&before, &after, &heard);
    print(&format!("{verdict}\n"))?;
    Ok(if verdict.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn on_own_server(args: &FlashSaleArgs, dir: &Path) -> Result<ExitCode> {
    let engine = Engine::builder(dir).open()?;
    let mall = Mall::open(engine.clone(), MallConfig::default())?;
    put_product(&mall, args.product.as_deref().unwrap_or(OWN_PRODUCT))?;
    let secret = secret::random()?;
    // The whole crowd comes from this machine.
    let limits =
        Limits { connections_per_address: Limits::default().connections, ..Limits::default() };
    let app = Arc::new(App::new(mall, Auth::new(&secret)?, limits));
    let failed = |cause| Error::io("starting a server", cause);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let (stop, stopped) = oneshot::channel::<()>();
    // Ends when the sender is dropped as well, so that a failed sale stops the server.
    let server = tokio::spawn(http::run(listener, async { drop(stopped.await) }, app));
    let sold = sell(args, address, Auth::new(&secret)?, OWN_PRODUCT).await;
    drop(stop);
    server.await.map_err(|cause| Error::unavailable("the server failed").with_source(cause))?;
    let closed = engine.close();
    let code = sold?;
    closed?;
    Ok(code)
}

fn put_product(mall: &Mall, id: &str) -> Result<()> {
    mall.put_category(&Category::new(OWN_CATEGORY, "秒杀"))?;
    mall.put_product(&Product {
        is_hot: true,
        is_new: true,
        ..Product::new(id, "秒杀商品", OWN_CATEGORY, OWN_PRICE)
    })
}

fn other_auth(args: &FlashSaleArgs) -> Result<Auth> {
    let config = args.settings.settings()?;
    Auth::new(&secret::configured_or_demo(config.auth_secret, &config.data_dir)?)
}

async fn resolve(url: &str) -> Result<SocketAddr> {
    let wrong = || Error::invalid(format!("--url is {url:?}: it must be http://HOST:PORT"));
    let authority = url.strip_prefix("http://").ok_or_else(wrong)?;
    let (host, port) =
        authority.strip_suffix('/').unwrap_or(authority).rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() {
        return Err(wrong());
    }
    let found = tokio::net::lookup_host((host, port)).await;
    let mut addresses = found.map_err(|cause| Error::io(format!("finding {host}"), cause))?;
    addresses.next().ok_or_else(wrong)
}
