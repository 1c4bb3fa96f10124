//! What a host's name stands for.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use tokio::sync::Semaphore;

/// How many look-ups a client has under way: the system's cannot be called off, and each takes a
/// thread until it gives up.
const LOOKUPS_MAX: usize = 2;

/// Finds the addresses of a host and a port; it blocks.
pub(super) type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

#[derive(Clone)]
pub(super) struct Resolver {
    lookup: Arc<Lookup>,
    under_way: Arc<Semaphore>,
}

impl Resolver {
    pub(super) fn new(lookup: Arc<Lookup>) -> Self {
        Self { lookup, under_way: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }

    /// The addresses of a host; one that is an address stands for itself.
    pub(super) async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let permit = self.under_way.clone().acquire_owned().await.map_err(io::Error::other)?;
        let (lookup, host) = (self.lookup.clone(), host.to_owned());
        let looked_up = tokio::task::spawn_blocking(move || {
            let found = lookup(&host, port);
            // Also when nobody waits for it any more.
            drop(permit);
            found
        });
        looked_up.await.map_err(io::Error::other)?
    }
}

/// The system's own.
pub(super) fn system(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok((host, port).to_socket_addrs()?.collect())
}
