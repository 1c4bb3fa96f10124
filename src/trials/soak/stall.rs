//! Clients that hold a connection and do not go on. They must cost the server a bounded time and
//! nobody else anything.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::base::error::{Error, Result};

/// How many lists are asked for: their answers are longer than what sockets keep.
const LISTS: usize = 400;

/// Opens one client that reads none of its answers, one that never ends its head, and one that
/// never ends its body. They stall until they are dropped.
pub(super) async fn stall(address: SocketAddr, token: &str) -> Result<Vec<TcpStream>> {
    let host = format!("host: {address}\r\nauthorization: {token}\r\n");
    let list = format!("GET /api/mall/orders?page_size=100 HTTP/1.1\r\n{host}\r\n");
    let half_a_body = format!(
        "POST /api/mall/exchange HTTP/1.1\r\n{host}content-type: application/json\r\ncontent-length: 60\r\n\r\n{{\"productId\""
    );
    let sent = [list.repeat(LISTS), "GET /health HTTP/1.1\r\nhost: stall".to_owned(), half_a_body];
    let mut clients = Vec::new();
    for text in sent {
        let mut stream = TcpStream::connect(address)
            .await
            .map_err(|cause| Error::io("connecting a client", cause))?;
        // The server may stop reading before it has all.
        let _ = tokio::time::timeout(
            std::time::Duration::from_secs(1),
            stream.write_all(text.as_bytes()),
        )
        .await;
        clients.push(stream);
    }
    Ok(clients)
}
