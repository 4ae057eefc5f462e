//! Announces over WebSocket, without offers.

use std::io;
use std::net::SocketAddr;

use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::requests::{Request, passkey};
use super::{Clock, LOOPBACK, Latencies, Load, Run, accept_all, closed_loops, measure, since};
use crate::{Tracker, http};

/// Peers that one socket announces.
const PEERS: usize = 900;
/// An answer as the tracker gives it.
const ANSWER: &str = r#"{"action":"announce","info_hash":"00000000hhhhhhhhhhhh","interval":120,"complete":7,"incomplete":3}"#;

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
    measure(
        load,
        move |stop| accept_all(listener, stop, respond),
        || generate(address, requests, load, None),
    )
}

async fn respond(stream: TcpStream) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else {
        return;
    };
    while let Some(Ok(Message::Text(_))) = socket.next().await {
        if socket.send(Message::text(ANSWER)).await.is_err() {
            return;
        }
    }
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
