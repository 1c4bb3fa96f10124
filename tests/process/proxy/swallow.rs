//! Something between a proxy and a server that fails at the worst moment: a purchase is made, and its
//! answer is lost with the connection. Once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub(super) struct Swallow {
    pub(super) address: SocketAddr,
    swallowed: Arc<AtomicUsize>,
    /// Dropped with it, everything ends.
    _running: JoinSet<()>,
}

impl Swallow {
    pub(super) async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("an address");
        let swallowed = Arc::<AtomicUsize>::default();
        let count = swallowed.clone();
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let count = count.clone();
                connections.spawn(async move { drop(carry(client, server, &count).await) });
            }
        });
        Self { address, swallowed, _running: running }
    }

    pub(super) fn swallowed(&self) -> usize {
        self.swallowed.load(Ordering::SeqCst)
    }
}

/// Carries what both sides say, but for the answer to the first purchase.
async fn carry(
    mut client: TcpStream,
    server: SocketAddr,
    swallowed: &AtomicUsize,
) -> std::io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    let (mut asked, mut answered) = ([0; 4096], [0; 4096]);
    let mut is_purchase = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read? {
                0 => return Ok(()),
                read => {
                    let words = String::from_utf8_lossy(&asked[..read]);
                    is_purchase |= words.contains("POST /api/mall/exchange");
                    server.write_all(&asked[..read]).await?;
                }
            },
            read = server.read(&mut answered) => match read? {
                0 => return Ok(()),
                _ if is_purchase && swallowed.fetch_max(1, Ordering::SeqCst) == 0 => return Ok(()),
                read => client.write_all(&answered[..read]).await?,
            },
        }
    }
}
