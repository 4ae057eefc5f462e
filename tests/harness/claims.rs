//! A proxy before the tracker that writes down what clients claim: the judge of what is credited.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What a client claimed in one announce that the tracker answered.
#[derive(Debug, Clone)]
pub struct Claim {
    pub passkey: String,
    pub peer: String,
    pub uploaded: u64,
    pub downloaded: u64,
}

/// The proxy, and what it has heard.
#[derive(Debug, Clone)]
pub struct Claims {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<Claim>>>,
    tracker: Arc<Mutex<Option<SocketAddr>>>,
}

impl Claims {
    pub async fn listen(ip: &str) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let claims = Self {
            address,
            heard: Arc::default(),
            tracker: Arc::default(),
        };
        let serving = claims.clone();
        tokio::spawn(async move {
            while let Ok((stream, from)) = listener.accept().await {
                let claims = serving.clone();
                tokio::spawn(async move { claims.relay(stream, from).await });
            }
        });
        claims
    }

    pub fn forward_to(&self, tracker: SocketAddr) {
        *self.tracker.lock().unwrap() = Some(tracker);
    }

    /// Relays one request, with the client's address; a tracker that is away breaks the connection.
    async fn relay(&self, mut client: TcpStream, from: SocketAddr) -> Option<()> {
        let mut asked = vec![];
        while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
            if client.read_buf(&mut asked).await.ok()? == 0 {
                return None;
            }
        }
        let text = String::from_utf8_lossy(&asked).into_owned();
        let target = text.split(' ').nth(1)?.to_owned();
        let tracker = (*self.tracker.lock().unwrap())?;
        let mut tracker = TcpStream::connect(tracker).await.ok()?;
        let request = format!(
            "GET {target} HTTP/1.1\r\nX-Forwarded-For: {}\r\nConnection: close\r\n\r\n",
            from.ip()
        );
        tracker.write_all(request.as_bytes()).await.ok()?;
        let mut answer = vec![];
        tracker.read_to_end(&mut answer).await.ok()?;
        if answer.windows(8).any(|part| part == b"interval") {
            self.heard.lock().unwrap().extend(claim(&target));
        }
        client.write_all(&answer).await.ok()
    }

    pub fn all(&self) -> Vec<Claim> {
        self.heard.lock().unwrap().clone()
    }

    /// What each passkey claims in all: the greatest totals of each of its peers.
    pub fn totals(&self) -> HashMap<String, (u64, u64)> {
        let mut peers: HashMap<(String, String), (u64, u64)> = HashMap::new();
        for claim in self.all() {
            let totals = peers.entry((claim.passkey, claim.peer)).or_default();
            *totals = (totals.0.max(claim.uploaded), totals.1.max(claim.downloaded));
        }
        let mut members: HashMap<String, (u64, u64)> = HashMap::new();
        for ((passkey, _), totals) in peers {
            let sums = members.entry(passkey).or_default();
            *sums = (sums.0 + totals.0, sums.1 + totals.1);
        }
        members
    }
}

fn claim(target: &str) -> Option<Claim> {
    let pairs: HashMap<&str, &str> = target
        .split_once('?')?
        .1
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    Some(Claim {
        passkey: (*pairs.get("passkey")?).to_owned(),
        peer: (*pairs.get("peer_id")?).to_owned(),
        uploaded: pairs.get("uploaded")?.parse().ok()?,
        downloaded: pairs.get("downloaded")?.parse().ok()?,
    })
}
