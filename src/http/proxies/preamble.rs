//! What a connection begins with where a proxy speaks the PROXY protocol, of version 1 or 2.

use std::io;
use std::net::IpAddr;

use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The shortest head, and less than the fixed part of version 2. No byte behind the head may be read.
const SHORTEST: usize = "PROXY UNKNOWN\r\n".len();
/// The fixed part of version 2, which says how much follows.
const FIXED: usize = 16;
/// The longest head of version 1.
const LINE_MAX: usize = 107;
/// The most that may follow in version 2: addresses, and what proxies tell besides.
const REST_MAX: usize = 4 << 10;

/// Reads the head of a connection and no byte more. The address of whom the proxy connects for;
/// `None` when it connects for itself, or does not know.
///
/// # Errors
/// When there is no such head.
pub(in crate::http) async fn of_connection(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<IpAddr>> {
    let mut head = vec![0; SHORTEST];
    stream.read_exact(&mut head).await?;
    let ip = match head.starts_with(v2::PROTOCOL_PREFIX) {
        true => binary(head, stream).await?,
        false => line(head, stream).await?,
    };
    Ok(ip.map(|ip| ip.to_canonical()))
}

async fn line(
    mut head: Vec<u8>,
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<IpAddr>> {
    if !head.starts_with(b"PROXY ") {
        return Err(wrong("there is no head of the PROXY protocol"));
    }
    while !head.ends_with(b"\r\n") {
        if head.len() == LINE_MAX {
            return Err(wrong("the head of the PROXY protocol is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    let head = v1::Header::try_from(&*head).map_err(wrong)?;
    Ok(match head.addresses {
        v1::Addresses::Tcp4(both) => Some(both.source_address.into()),
        v1::Addresses::Tcp6(both) => Some(both.source_address.into()),
        v1::Addresses::Unknown => None,
    })
}

async fn binary(
    mut head: Vec<u8>,
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<IpAddr>> {
    head.push(stream.read_u8().await?);
    let rest = usize::from(u16::from_be_bytes([head[FIXED - 2], head[FIXED - 1]]));
    if rest > REST_MAX {
        return Err(wrong("the head of the PROXY protocol is too long"));
    }
    head.resize(FIXED + rest, 0);
    stream.read_exact(&mut head[FIXED..]).await?;
    let head = v2::Header::try_from(&*head).map_err(wrong)?;
    let ip = match head.addresses {
        v2::Addresses::IPv4(both) => Some(both.source_address.into()),
        v2::Addresses::IPv6(both) => Some(both.source_address.into()),
        v2::Addresses::Unix(_) | v2::Addresses::Unspecified => None,
    };
    Ok(match head.command {
        v2::Command::Proxy => ip,
        // A look at whether the server lives.
        v2::Command::Local => None,
    })
}

fn wrong(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, cause)
}
