//! Announces over WebSocket, without offers.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

use super::requests::{Request, passkey};
use super::{Clock, Latencies, Load, Run, closed_loops, measure, since};
use crate::{Tracker, http};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Peers that one socket announces.
const PEERS: usize = 900;

/// Measures the tracker.
pub(super) fn run(
    tracker: &Tracker,
    requests: &[Request],
    load: Load,
    pace: Option<f64>,
) -> io::Result<Run> {
    let bound = http::bind(LOOPBACK, 1)?;
    let (address, tracker) = (bound.address(), tracker.clone());
    measure(
        load,
        move |stop| http::serve_here(&tracker, bound, stop),
        || generate(address, requests, load, pace),
    )
}

/// Measures a socket that answers each message with a fixed one.
pub(super) fn floor(requests: &[Request], load: Load) -> io::Result<Run> {
    let listener = std::net::TcpListener::bind(LOOPBACK)?;
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    measure(
        load,
        move |stop| respond(listener, stop),
        || generate(address, requests, load, None),
    )
}

fn respond(listener: std::net::TcpListener, mut stop: watch::Receiver<bool>) -> io::Result<()> {
    let answer = r#"{"action":"announce","info_hash":"00000000hhhhhhhhhhhh","interval":120,"complete":7,"incomplete":3}"#;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = tokio::select! {
                accepted = listener.accept() => accepted?,
                _ = stop.changed() => return Ok(()),
            };
            stream.set_nodelay(true)?;
            tokio::spawn(async move {
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else {
                    return;
                };
                while let Some(Ok(Message::Text(_))) = socket.next().await {
                    if socket.send(Message::text(answer)).await.is_err() {
                        return;
                    }
                }
            });
        }
    })
}

fn generate(
    address: SocketAddr,
    requests: &[Request],
    load: Load,
    pace: Option<f64>,
) -> io::Result<Latencies> {
    closed_loops(load, requests, |number, share| async move {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let url = format!("ws://{address}/announce/{}", passkey(number));
        let opened = tokio_tungstenite::client_async(url, stream).await;
        let (mut socket, _) = opened.map_err(io::Error::other)?;
        let share: Vec<String> = share.iter().take(PEERS).map(Request::json).collect();
        let mut clock = Clock::new(load, pace);
        let mut latencies = vec![];
        for message in share.iter().cycle() {
            let Some(sent) = clock.turn().await else {
                break;
            };
            let message = Message::text(message.as_str());
            socket.send(message).await.map_err(io::Error::other)?;
            let answer = socket.next().await.transpose().map_err(io::Error::other)?;
            if !matches!(answer, Some(Message::Text(_) | Message::Ping(_))) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            latencies.push(since(sent));
        }
        Ok(latencies)
    })
}
