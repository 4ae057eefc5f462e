//! Announces over TLS, beside those without on the same port.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tracker::Settings;

use crate::server::{Client, Server, value};

const FROM_8_8_8_8: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x08\x08\x08\x08\x7f\0\0\x01\x1f\x90\0\x50";

/// Writes a new certificate and its key into a folder, and gives the settings that name them.
fn certified(folder: &Path) -> Settings {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    Settings {
        tls_certificate: chain.display().to_string(),
        tls_key: key.display().to_string(),
        ..Settings::default()
    }
}

/// Announces over TLS, behind some first bytes, and gives the answer.
async fn announced(server: SocketAddr, chain: &Path, first: &[u8]) -> Vec<u8> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(chain).unwrap())
        .unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots);
    let connector = TlsConnector::from(Arc::new(config.with_no_client_auth()));
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(first).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    let target = Client::new(1, 5).target();
    let asked = format!("GET {target} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut answer = vec![];
    // Who closes says so, or doesn't.
    let _closed = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test]
async fn announces_come_with_tls_and_without_on_one_port() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::with(certified(folder.path()), "127.0.0.1:0");
    server.tracker.secure().unwrap();
    let chain = folder.path().join("chain.pem");
    let answer = announced(server.address, &chain, b"").await;
    assert_eq!(value(&answer, "incomplete").unwrap(), b"1");
    let plain = server.announce(&Client::new(2, 5));
    assert_eq!(value(&plain, "incomplete").unwrap(), b"2");
    // What isn't a handshake ends the connection, and nothing else.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"\x16nonsense, and more of it")
        .await
        .unwrap();
    let mut answer = vec![];
    let _closed = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
    let answer = announced(server.address, &chain, b"").await;
    assert_eq!(value(&answer, "incomplete").unwrap(), b"2");
}

#[tokio::test]
async fn a_proxy_may_hand_tls_through_and_say_for_whom() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
        proxy_protocol: true,
        ..certified(folder.path())
    };
    let server = Server::with(settings, "127.0.0.1:0");
    server.tracker.secure().unwrap();
    let chain = folder.path().join("chain.pem");
    let answer = announced(server.address, &chain, FROM_8_8_8_8).await;
    assert_eq!(value(&answer, "external ip").unwrap(), [8, 8, 8, 8]);
}

#[test]
fn a_certificate_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let settings = certified(folder.path());
    std::fs::write(&settings.tls_key, "nothing").unwrap();
    let key = settings.tls_key.clone();
    let server = Server::with(settings, "127.0.0.1:0");
    let told = server.tracker.secure().unwrap_err().to_string();
    assert!(told.starts_with(&key), "{told}");
}
