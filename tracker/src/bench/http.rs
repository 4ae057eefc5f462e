//! Announces over HTTP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::requests::Request;
use super::{Clock, LOOPBACK, Latencies, Load, Run, accept_all, closed_loops, measure, since};
use crate::{Tracker, http};

/// Measures the tracker.
pub(super) fn run(
    tracker: &Tracker,
    requests: &[Request],
    load: Load,
    pace: Option<f64>,
    keep: bool,
) -> io::Result<Run> {
    let bound = http::bind(LOOPBACK, 1)?;
    let (address, tracker) = (bound.address(), tracker.clone());
    measure(
        load,
        move |stop| http::serve_here(&tracker, bound, stop),
        || generate(address, requests, load, pace, keep),
    )
}

/// Measures a responder that sends fixed bytes for each head.
pub(super) fn floor(
    requests: &[Request],
    load: Load,
    typical: usize,
    keep: bool,
) -> io::Result<Run> {
    let listener = std::net::TcpListener::bind(LOOPBACK)?;
    let address = listener.local_addr()?;
    // What an answer holds besides the peers takes 150 bytes.
    let body = 150 + typical;
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {body:07}\r\n\r\n");
    let answer: Arc<[u8]> = [head.into_bytes(), vec![b'x'; body]].concat().into();
    measure(
        load,
        move |stop| {
            accept_all(listener, stop, move |stream| {
                respond(stream, Arc::clone(&answer), keep)
            })
        },
        || generate(address, requests, load, None, keep),
    )
}

async fn respond(mut stream: TcpStream, answer: Arc<[u8]>, keep: bool) {
    let mut asked = vec![0; 4_096];
    while let Ok(1..) = stream.read(&mut asked).await {
        if stream.write_all(&answer).await.is_err() || !keep {
            let _gone = stream.shutdown().await;
            return;
        }
    }
}

fn generate(
    address: SocketAddr,
    requests: &[Request],
    load: Load,
    pace: Option<f64>,
    keep: bool,
) -> io::Result<Latencies> {
    closed_loops(load, requests, |_, share| async move {
        let clock = Clock::new(load, pace);
        let share = share.iter().map(|request| request.http(keep)).collect();
        converse(address, share, clock, keep).await
    })
}

/// Sends requests over one connection or over one each, until the time is over.
pub(super) async fn converse(
    address: SocketAddr,
    share: Vec<Vec<u8>>,
    clock: Clock,
    keep: bool,
) -> io::Result<Latencies> {
    if keep {
        kept(address, share, clock).await
    } else {
        anew(address, share, clock).await
    }
}

async fn kept(address: SocketAddr, share: Vec<Vec<u8>>, mut clock: Clock) -> io::Result<Latencies> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut answer = vec![0; 8_192];
    let mut latencies = vec![];
    for request in share.iter().cycle() {
        let Some(sent) = clock.turn().await else {
            break;
        };
        stream.write_all(request).await?;
        read_answer(&mut stream, &mut answer).await?;
        latencies.push(since(sent));
    }
    Ok(latencies)
}

/// Asks over a connection each, which the server closes.
async fn anew(address: SocketAddr, share: Vec<Vec<u8>>, mut clock: Clock) -> io::Result<Latencies> {
    let mut answer = Vec::with_capacity(8_192);
    let mut latencies = vec![];
    for request in share.iter().cycle() {
        let Some(sent) = clock.turn().await else {
            break;
        };
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request).await?;
        answer.clear();
        stream.read_to_end(&mut answer).await?;
        if answer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        latencies.push(since(sent));
    }
    Ok(latencies)
}

/// Reads one answer by its Content-Length.
async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    loop {
        let room = buffer.get_mut(filled..).unwrap_or_default();
        let read = stream.read(room).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        let got = buffer.get(..filled).unwrap_or_default();
        if let Some(head) = got.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = std::str::from_utf8(got.get(..head).unwrap_or_default()).unwrap_or_default();
            let length = text
                .rsplit("Content-Length: ")
                .next()
                .and_then(|number| number.trim().parse::<usize>().ok());
            if filled >= head + 4 + length.unwrap_or(0) {
                return Ok(());
            }
        }
    }
}
