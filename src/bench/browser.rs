//! A member's browser, as far as it takes: one connection, one cookie.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use api::sign_in::scram::{self, Exchange, Purpose};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};

/// What the client says against guesses at the server's words; here nobody guesses.
const NONCE: &str = "bm9uY2U=";

pub(super) struct Browser {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
    cookie: String,
}

impl Browser {
    pub(super) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        Self::over(TcpStream::connect(address).await?, address)
    }

    /// Opens a connection from an address of this machine.
    pub(super) async fn from(own: Ipv4Addr, address: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((own, 0).into())?;
        Self::over(socket.connect(address).await?, address)
    }

    fn over(stream: TcpStream, address: SocketAddr) -> anyhow::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            address,
            stream: BufReader::new(stream),
            cookie: String::new(),
        })
    }

    /// Opens another connection of the same session.
    pub(super) async fn another(&self) -> anyhow::Result<Self> {
        let mut other = Self::open(self.address).await?;
        other.cookie.clone_from(&self.cookie);
        Ok(other)
    }

    pub(super) async fn sign_in(&mut self, name: &str, password: &str) -> anyhow::Result<()> {
        let asked = self
            .get(&format!("/api/auth/challenge?username={name}"))
            .await?;
        let asked: Value = serde_json::from_str(&asked)?;
        let text = |field: &str| asked.get(field).and_then(Value::as_str).unwrap_or_default();
        let salt = STANDARD.decode(text("salt"))?;
        let salt = salt
            .try_into()
            .map_err(|_| anyhow::anyhow!("the salt is no salt"))?;
        let iterations = asked.get("iterations").and_then(Value::as_u64);
        let iterations = u32::try_from(iterations.context("no iterations")?)?;
        let credentials = scram::credentials(password, salt, iterations);
        let transcript = scram::transcript(&Exchange {
            purpose: Purpose::SignIn,
            origin: &format!("http://{}", self.address),
            username: name,
            credentials: &credentials,
            challenge: text("challenge"),
            client_nonce: NONCE,
        });
        let proof = STANDARD.encode(scram::prove(password, &credentials, &transcript));
        let body = json!({ "username": name, "challenge": text("challenge"), "proof": proof, "clientNonce": NONCE });
        self.ask("POST", "/api/auth/login", &body.to_string())
            .await?;
        anyhow::ensure!(!self.cookie.is_empty(), "nobody is signed in");
        Ok(())
    }

    pub(super) async fn get(&mut self, path: &str) -> anyhow::Result<String> {
        self.ask("GET", path, "").await
    }

    /// Asks for what may be no text.
    pub(super) async fn bytes(&mut self, path: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        self.send("GET", path, "").await?;
        self.answer().await
    }

    async fn ask(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<String> {
        self.send(method, path, body).await?;
        let (status, answer) = self.answer().await?;
        anyhow::ensure!(status == 200, "{path} is answered by {status}");
        Ok(String::from_utf8(answer)?)
    }

    async fn send(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<()> {
        let (address, cookie, length) = (self.address, &self.cookie, body.len());
        let asked = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAccept: text/html\r\nCookie: {cookie}\r\n\
             Origin: http://{address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        Ok(self.stream.get_mut().write_all(asked.as_bytes()).await?)
    }

    async fn answer(&mut self) -> anyhow::Result<(u16, Vec<u8>)> {
        let (mut status, mut length) = (None, 0);
        loop {
            let mut line = String::new();
            anyhow::ensure!(
                self.stream.read_line(&mut line).await? > 0,
                "the site hung up"
            );
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            if status.is_none() {
                status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
            } else if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            } else if name.eq_ignore_ascii_case("set-cookie") {
                value
                    .trim()
                    .split(';')
                    .next()
                    .unwrap_or_default()
                    .clone_into(&mut self.cookie);
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        let status = status.context("the answer has no status")?;
        Ok((status, body))
    }
}
