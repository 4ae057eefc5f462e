//! How clients reach one node: HTTP, UDP and WebSocket, each over what it keeps open.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use domain::bencode;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tests::make;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// How long an answer may take.
const WAIT: Duration = Duration::from_secs(10);
/// How long a connection id over UDP is used.
const GOOD: Duration = Duration::from_secs(50);

/// How a client announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Http,
    Udp,
    Ws,
}

/// What happened, in the words of BEP 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Update,
    Started,
    Completed,
    Stopped,
}

impl Event {
    fn name(self) -> &'static str {
        ["", "started", "completed", "stopped"][self.place()]
    }

    fn place(self) -> usize {
        match self {
            Self::Update => 0,
            Self::Started => 1,
            Self::Completed => 2,
            Self::Stopped => 3,
        }
    }
}

/// One announce.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) transport: Transport,
    pub(crate) passkey: String,
    pub(crate) hash: [u8; 20],
    pub(crate) id: String,
    pub(crate) port: u16,
    pub(crate) uploaded: u64,
    pub(crate) downloaded: u64,
    pub(crate) left: u64,
    pub(crate) event: Event,
}

/// What an announce is answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) seeders: u64,
    pub(crate) leechers: u64,
    /// The ports of the peers, which tell them apart.
    pub(crate) ports: Vec<u16>,
}

/// An answer, or why the announce was refused.
pub(crate) type Said = Result<Answer, String>;

/// What clients keep open to one node.
pub(crate) struct Ways {
    node: SocketAddr,
    http: Option<TcpStream>,
    udp: Option<(UdpSocket, [u8; 8], Instant)>,
    /// Packets so far: an answer that comes late belongs to none that follow.
    packets: u32,
    sockets: HashMap<String, WebSocketStream<TcpStream>>,
    /// The peer ids of offers that came, with the passkey of the socket.
    pub(crate) offers: Vec<(String, String)>,
}

impl Ways {
    pub(crate) fn to(node: SocketAddr) -> Self {
        Self {
            node,
            http: None,
            udp: None,
            packets: 0,
            sockets: HashMap::new(),
            offers: vec![],
        }
    }

    /// Announces; nothing if nobody answers there.
    pub(crate) async fn tell(&mut self, report: &Report) -> Option<Said> {
        // What was kept open may have been closed meanwhile.
        for _ in 0..2 {
            let told = match report.transport {
                Transport::Http => self.http(report).await,
                Transport::Udp => self.udp(report).await,
                Transport::Ws => self.ws(report).await,
            };
            if told.is_some() {
                return told;
            }
            match report.transport {
                Transport::Http => self.http = None,
                Transport::Udp => self.udp = None,
                Transport::Ws => drop(self.sockets.remove(&report.passkey)),
            }
        }
        None
    }

    async fn http(&mut self, report: &Report) -> Option<Said> {
        let (hash, event) = (make::encode(&report.hash), report.event.name());
        let target = format!(
            "/announce?passkey={}&info_hash={hash}&peer_id={}&port={}&uploaded={}&downloaded={}&left={}\
             &event={event}",
            report.passkey, report.id, report.port, report.uploaded, report.downloaded, report.left
        );
        let body = self.get(&target).await?;
        let value = bencode::read(&body).unwrap();
        if let Some(reason) = value.get("failure reason") {
            return Some(Err(
                String::from_utf8_lossy(reason.bytes().unwrap()).into_owned()
            ));
        }
        let number = |key: &str| u64::try_from(value.get(key).unwrap().integer().unwrap()).unwrap();
        Some(Ok(Answer {
            seeders: number("complete"),
            leechers: number("incomplete"),
            ports: ports(value.get("peers").unwrap().bytes().unwrap()),
        }))
    }

    /// Asks how many seeders and leechers there are.
    pub(crate) async fn scrape(&mut self, passkey: &str, hash: [u8; 20]) -> Option<(u64, u64)> {
        let target = format!(
            "/scrape?passkey={passkey}&info_hash={}",
            make::encode(&hash)
        );
        let mut body = self.get(&target).await;
        if body.is_none() {
            // What was kept open was closed, where the node was restarted meanwhile.
            self.http = None;
            body = self.get(&target).await;
        }
        let body = body?;
        let value = bencode::read(&body).unwrap();
        let (_, counts) = value.get("files")?.dict()?.first()?;
        let number = |key: &str| u64::try_from(counts.get(key)?.integer()?).ok();
        Some((number("complete")?, number("incomplete")?))
    }

    /// Gets a body over the connection that is kept.
    async fn get(&mut self, target: &str) -> Option<Vec<u8>> {
        if self.http.is_none() {
            let stream = timeout(WAIT, TcpStream::connect(self.node)).await.ok()?;
            self.http = Some(stream.ok()?);
        }
        let stream = self.http.as_mut()?;
        let request = format!("GET {target} HTTP/1.1\r\nHost: tracker\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut got = vec![];
        loop {
            let read = timeout(WAIT, stream.read_buf(&mut got)).await;
            if read.ok()?.ok()? == 0 {
                return None;
            }
            let Some(head) = got.windows(4).position(|end| end == b"\r\n\r\n") else {
                continue;
            };
            let text = String::from_utf8_lossy(&got[..head]);
            let length = text
                .split("Content-Length: ")
                .nth(1)?
                .split("\r\n")
                .next()?;
            let length: usize = length.parse().ok()?;
            if got.len() >= head + 4 + length {
                return Some(got.split_off(head + 4));
            }
        }
    }

    async fn udp(&mut self, report: &Report) -> Option<Said> {
        if self.udp.as_ref().is_none_or(|udp| udp.2.elapsed() > GOOD) {
            let socket = UdpSocket::bind("127.0.0.1:0").await.ok()?;
            socket.connect(self.node).await.ok()?;
            let asked = [&0x0417_2710_1980_u64.to_be_bytes()[..], b"\0\0\0\0conn"].concat();
            let answer = exchange(&socket, &asked).await?;
            let connection = answer.get(8..16)?.try_into().ok()?;
            self.udp = Some((socket, connection, Instant::now()));
        }
        self.packets += 1;
        let transaction = self.packets.to_be_bytes();
        let (socket, connection, _) = self.udp.as_ref()?;
        let answer = exchange(socket, &report.packet(*connection, transaction)).await?;
        let number = |at: usize| {
            let bytes = answer.get(at..at + 4)?.try_into().ok()?;
            Some(u64::from(u32::from_be_bytes(bytes)))
        };
        if answer.get(..4)? == [0, 0, 0, 3] {
            return Some(Err(String::from_utf8_lossy(&answer[8..]).into_owned()));
        }
        assert_eq!(answer.get(..4)?, [0, 0, 0, 1]);
        Some(Ok(Answer {
            leechers: number(12)?,
            seeders: number(16)?,
            ports: ports(&answer[20..]),
        }))
    }

    async fn ws(&mut self, report: &Report) -> Option<Said> {
        if !self.sockets.contains_key(&report.passkey) {
            let stream = timeout(WAIT, TcpStream::connect(self.node)).await;
            let url = format!("ws://{}/announce/{}", self.node, report.passkey);
            let opened = tokio_tungstenite::client_async(url, stream.ok()?.ok()?).await;
            self.sockets.insert(report.passkey.clone(), opened.ok()?.0);
        }
        let socket = self.sockets.get_mut(&report.passkey)?;
        socket.send(Message::text(report.json())).await.ok()?;
        loop {
            let Message::Text(text) = timeout(WAIT, socket.next()).await.ok()??.ok()? else {
                continue;
            };
            let value: Value = serde_json::from_str(&text).unwrap();
            if let Some(from) = value["peer_id"].as_str() {
                assert!(value["offer"]["sdp"].is_string(), "{value}");
                self.offers.push((report.passkey.clone(), from.to_owned()));
                continue;
            }
            if let Some(reason) = value["failure reason"].as_str() {
                return Some(Err(reason.to_owned()));
            }
            return Some(Ok(Answer {
                seeders: value["complete"].as_u64()?,
                leechers: value["incomplete"].as_u64()?,
                ports: vec![],
            }));
        }
    }
}

impl Report {
    fn packet(&self, connection: [u8; 8], transaction: [u8; 4]) -> Vec<u8> {
        let mut packet = [&connection[..], &[0, 0, 0, 1], &transaction, &self.hash].concat();
        packet.extend(self.id.bytes());
        for amount in [self.downloaded, self.left, self.uploaded] {
            packet.extend(amount.to_be_bytes());
        }
        let event = [0_u32, 2, 1, 3][self.event.place()];
        packet.extend(event.to_be_bytes());
        packet.extend([0; 8]);
        packet.extend((-1_i32).to_be_bytes());
        packet.extend(self.port.to_be_bytes());
        let url = format!("/announce/{}", self.passkey);
        packet.extend([2, u8::try_from(url.len()).unwrap()]);
        packet.extend(url.bytes());
        packet
    }

    fn json(&self) -> String {
        let hash: String = self.hash.iter().copied().map(char::from).collect();
        let offer = json!({ "offer_id": self.id, "offer": { "type": "offer", "sdp": "v=0\r\n" } });
        json!({
            "action": "announce", "info_hash": hash, "peer_id": self.id, "uploaded": self.uploaded,
            "downloaded": self.downloaded, "left": self.left, "event": self.event.name(),
            "numwant": 1, "offers": [offer],
        })
        .to_string()
    }
}

/// Sends a packet until it is answered; nothing where nobody listens.
async fn exchange(socket: &UdpSocket, packet: &[u8]) -> Option<Vec<u8>> {
    for _ in 0..3 {
        socket.send(packet).await.ok()?;
        let answer = timeout(Duration::from_secs(2), heard(socket, &packet[12..16])).await;
        if let Ok(answer) = answer {
            return answer;
        }
    }
    None
}

/// Waits for the answer of a transaction.
async fn heard(socket: &UdpSocket, transaction: &[u8]) -> Option<Vec<u8>> {
    loop {
        let mut answer = vec![0; 4_096];
        let length = socket.recv(&mut answer).await.ok()?;
        answer.truncate(length);
        if answer.get(4..8) == Some(transaction) {
            return Some(answer);
        }
    }
}

fn ports(compact: &[u8]) -> Vec<u16> {
    let (peers, rest) = compact.as_chunks::<6>();
    assert!(rest.is_empty());
    peers
        .iter()
        .map(|peer| {
            assert_eq!(peer[..4], [127, 0, 0, 1]);
            u16::from_be_bytes([peer[4], peer[5]])
        })
        .collect()
}
