//! The PROXY protocol, version 2: a proxy's word on whom it speaks for.

use std::io;
use std::net::IpAddr;

use ppp::v2::{Addresses, Command, Header, ParseError};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The most bytes of a header with its additions.
const LARGEST: usize = 1_024;

/// Reads the header and gives the client's address; what came behind it is left in `read`.
pub(crate) async fn client(
    stream: &mut (impl AsyncRead + Unpin),
    read: &mut Vec<u8>,
    proxy: IpAddr,
) -> io::Result<IpAddr> {
    loop {
        match Header::try_from(read.as_slice()) {
            Ok(header) => {
                let client = match (header.command, header.addresses) {
                    (Command::Proxy, Addresses::IPv4(it)) => IpAddr::V4(it.source_address),
                    (Command::Proxy, Addresses::IPv6(it)) => IpAddr::V6(it.source_address),
                    // The proxy asks for itself, such as whether we live.
                    (Command::Local | Command::Proxy, _) => proxy,
                };
                let length = header.len();
                read.drain(..length);
                return Ok(client);
            }
            Err(ParseError::Incomplete(_) | ParseError::Partial(..)) if read.len() < LARGEST => {
                if stream.read_buf(read).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Err(_) => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x08\x08\x08\x08\x7f\0\0\x01\x1f\x90\0\x50";

    async fn read(bytes: &[u8]) -> (io::Result<IpAddr>, Vec<u8>) {
        let (mut stream, mut kept) = (bytes, vec![]);
        let proxy = "10.0.0.1".parse().unwrap();
        let client = client(&mut stream, &mut kept, proxy).await;
        (client, kept)
    }

    #[tokio::test]
    async fn the_client_is_whom_the_proxy_names_and_the_request_follows() {
        let (client, rest) = read(&[HEADER, b"GET /"].concat()).await;
        assert_eq!(client.unwrap(), "8.8.8.8".parse::<IpAddr>().unwrap());
        assert_eq!(rest, b"GET /");
    }

    #[tokio::test]
    async fn a_proxy_may_ask_for_itself() {
        let mut local = HEADER.to_vec();
        local[12] = 0x20;
        let (client, _) = read(&local).await;
        assert_eq!(client.unwrap(), "10.0.0.1".parse::<IpAddr>().unwrap());
    }

    #[tokio::test]
    async fn anything_else_ends_the_connection() {
        for bytes in [&HEADER[..20], b"GET /announce HTTP/1.1\r\n\r\n", b""] {
            assert!(read(bytes).await.0.is_err(), "{bytes:?}");
        }
    }
}
