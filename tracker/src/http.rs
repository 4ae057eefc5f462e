//! Announces over HTTP, by a loop of our own: a thread and a listener for each processor.
//!
//! Requests may be pipelined and connections are kept; a request's head has 8 KiB and a time limit.
//! Every announce is answered with status 200, also a refused one, as clients expect. An announce that
//! asks for an upgrade goes on as a WebSocket.

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use domain::address::behind;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

use crate::Tracker;
use crate::announce::Failure;
use crate::measure::{Listening, Transport};
use crate::query::{self, Endpoint};
use crate::websocket::{self, Caller};

mod answer;
pub(crate) mod proxy;
mod tls;
mod upgrade;

pub(crate) use tls::Certificate;

/// The most bytes of a request's head.
const LARGEST_HEAD: usize = 8 * 1024;
/// How long open connections may finish at shutdown.
const FINISH: Duration = Duration::from_millis(500);

/// Listeners on one address, one for each thread, that don't accept yet.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<std::net::TcpListener>,
    address: SocketAddr,
}

impl Bound {
    /// Gives the address, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Binds an address for a number of threads; 0 means one for each processor.
pub fn bind(address: SocketAddr, threads: usize) -> io::Result<Bound> {
    // Shared ports hide that another program of the same user has it: the first one asks for it alone.
    let probe = std::net::TcpListener::bind(address)?;
    let address = probe.local_addr()?;
    drop(probe);
    let listeners = (0..crate::threads(threads))
        .map(|_| shared(address))
        .collect::<io::Result<_>>()?;
    Ok(Bound { listeners, address })
}

fn shared(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1_024)?;
    Ok(socket.into())
}

/// Answers on bound listeners until `stop` turns true; the threads end soon after.
pub fn serve(
    tracker: &Tracker,
    bound: Bound,
    stop: &watch::Receiver<bool>,
) -> io::Result<Vec<JoinHandle<()>>> {
    let open = Arc::new(AtomicUsize::new(0));
    let mut threads = vec![];
    for listener in bound.listeners {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (tracker, stop, open) = (tracker.clone(), stop.clone(), Arc::clone(&open));
        let work = move || {
            runtime.block_on(accept(tracker, listener, stop, open));
            runtime.shutdown_timeout(FINISH);
        };
        threads.push(
            std::thread::Builder::new()
                .name("announce".to_owned())
                .spawn(work)?,
        );
    }
    Ok(threads)
}

/// Answers on the first of bound listeners, on this thread.
pub(crate) fn serve_here(
    tracker: &Tracker,
    mut bound: Bound,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if let Some(listener) = bound.listeners.pop() {
        runtime.block_on(accept(tracker.clone(), listener, stop, Arc::default()));
    }
    Ok(())
}

async fn accept(
    tracker: Tracker,
    listener: std::net::TcpListener,
    mut stop: watch::Receiver<bool>,
    open: Arc<AtomicUsize>,
) {
    let listening = Listening::new(&tracker);
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the tracker's listener failed"),
    };
    while !*stop.borrow() {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => continue,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors: the next try may find one.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        if open.load(Ordering::Relaxed) >= tracker.0.settings.most_connections {
            continue;
        }
        open.fetch_add(1, Ordering::Relaxed);
        let (tracker, open) = (tracker.clone(), Arc::clone(&open));
        tokio::spawn(async move {
            // A connection that breaks is the client's affair.
            let _broken = converse(&tracker, stream, peer.ip()).await;
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
    listening.end();
}

/// Answers a connection's requests until it ends.
async fn converse(tracker: &Tracker, mut stream: TcpStream, mut peer: IpAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let settings = &tracker.0.settings;
    let head = Duration::from_secs(settings.head_timeout);
    let mut asked = Vec::with_capacity(1_024);
    if settings.proxy_protocol
        && settings
            .trusted_proxies
            .contains(&crate::swarm::plain(peer))
    {
        // What few connections need lies outside of every connection's task, which is moved as a whole.
        let client = Box::pin(proxy::client(&mut stream, &mut asked, peer));
        peer = tokio::time::timeout(head, client).await??;
    }
    let Some(certificate) = tracker.0.certificate.get() else {
        return talk(tracker, stream, asked, peer).await;
    };
    let idle = Duration::from_secs(settings.idle_timeout);
    let mut first = [asked.first().copied().unwrap_or(0)];
    if asked.is_empty() {
        tokio::time::timeout(idle, stream.peek(&mut first)).await??;
    }
    if first != [tls::HANDSHAKE] {
        return talk(tracker, stream, asked, peer).await;
    }
    let (read, write) = stream.into_split();
    let stream = tokio::io::join(io::Cursor::new(asked).chain(read), write);
    let secured = async {
        let accepted = certificate.acceptor(tracker.now()).accept(stream);
        let stream = tokio::time::timeout(head, accepted).await??;
        talk(tracker, stream, Vec::with_capacity(1_024), peer).await
    };
    Box::pin(secured).await
}

/// Answers what is asked on a stream until it ends; some of it is read already.
async fn talk(
    tracker: &Tracker,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    mut asked: Vec<u8>,
    peer: IpAddr,
) -> io::Result<()> {
    let settings = &tracker.0.settings;
    let (head, idle) = (
        Duration::from_secs(settings.head_timeout),
        Duration::from_secs(settings.idle_timeout),
    );
    let mut answer = Vec::with_capacity(2_048);
    let mut deadline = Instant::now() + idle;
    let mut alarm = pin!(tokio::time::sleep_until(deadline));
    // What came with the PROXY header is there already.
    let mut ready = !asked.is_empty();
    loop {
        let waiting = asked.is_empty();
        if !std::mem::take(&mut ready)
            && !read(&mut stream, &mut asked, alarm.as_mut(), deadline).await
        {
            return Ok(());
        }
        answer.clear();
        let mut done = 0;
        let keep = loop {
            let rest = asked.get(done..).unwrap_or_default();
            match request(tracker, rest, peer, &mut answer) {
                Step::Answered { length, keep: true } => done += length,
                Step::Answered { keep: false, .. } => break false,
                Step::Upgraded { length, caller } => {
                    stream.write_all(&answer).await?;
                    stream.flush().await?;
                    asked.drain(..done + length);
                    let met = websocket::converse(tracker, stream, asked, caller);
                    return Box::pin(met).await;
                }
                Step::Incomplete if rest.len() < LARGEST_HEAD => break true,
                Step::Incomplete | Step::Malformed => {
                    answer::plain(&mut answer, "400 Bad Request", "not a request\n");
                    break false;
                }
            }
        };
        asked.drain(..done);
        stream.write_all(&answer).await?;
        stream.flush().await?;
        if asked.is_empty() {
            deadline = Instant::now() + idle;
        } else if waiting || done > 0 {
            // The clock of a head begins with its first byte.
            deadline = Instant::now() + head;
        }
        if !keep {
            return stream.shutdown().await;
        }
    }
}

/// Reads what has come, or waits for it till a deadline; tells whether something came.
///
/// The alarm stands while requests come, and is set again when it rings: setting it each time costs more
/// than an answer may.
async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    asked: &mut Vec<u8>,
    mut alarm: Pin<&mut Sleep>,
    deadline: Instant,
) -> bool {
    if deadline < alarm.deadline() {
        alarm.as_mut().reset(deadline);
    }
    loop {
        tokio::select! {
            biased;
            read = stream.read_buf(asked) => return matches!(read, Ok(1..)),
            () = &mut alarm => {
                if deadline <= Instant::now() {
                    return false;
                }
                alarm.as_mut().reset(deadline);
            }
        }
    }
}

/// What became of the bytes at hand.
enum Step {
    /// A request of this length was answered.
    Answered { length: usize, keep: bool },
    /// A request of this length goes on as a WebSocket.
    Upgraded { length: usize, caller: Caller },
    /// The request isn't complete yet.
    Incomplete,
    /// This isn't HTTP.
    Malformed,
}

/// What a request's headers say.
struct Head<'a> {
    keep: bool,
    forwarded: Option<&'a str>,
    body: bool,
    upgrade: upgrade::Asked<'a>,
}

impl<'a> Head<'a> {
    fn of(request: &httparse::Request<'_, 'a>) -> Self {
        let mut head = Self {
            keep: request.version == Some(1),
            forwarded: None,
            body: false,
            upgrade: upgrade::Asked::default(),
        };
        for header in request.headers.iter() {
            if header.name.eq_ignore_ascii_case("connection") {
                head.keep = !header.value.eq_ignore_ascii_case(b"close")
                    && (head.keep || header.value.eq_ignore_ascii_case(b"keep-alive"));
            } else if header.name.eq_ignore_ascii_case("x-forwarded-for") {
                head.forwarded = std::str::from_utf8(header.value).ok();
            } else if header.name.eq_ignore_ascii_case("content-length") && header.value != b"0"
                || header.name.eq_ignore_ascii_case("transfer-encoding")
            {
                head.body = true;
            } else {
                head.upgrade.take(header);
            }
        }
        head
    }
}

/// Answers the first request of some bytes, where there is one that isn't upgraded.
pub(crate) fn first(tracker: &Tracker, bytes: &[u8], peer: IpAddr, answer: &mut Vec<u8>) -> bool {
    matches!(request(tracker, bytes, peer, answer), Step::Answered { .. })
}

fn request(tracker: &Tracker, bytes: &[u8], peer: IpAddr, answer: &mut Vec<u8>) -> Step {
    if bytes.is_empty() {
        return Step::Incomplete;
    }
    // Room that nobody has to clear first.
    let mut headers = [const { MaybeUninit::uninit() }; 48];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, &mut headers) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Step::Incomplete,
        Err(_) => return Step::Malformed,
    };
    let Head {
        keep,
        forwarded,
        body,
        upgrade,
    } = Head::of(&request);
    if request.method != Some("GET") {
        answer::plain(
            answer,
            "405 Method Not Allowed",
            "a tracker answers GET alone\n",
        );
        // What a body holds is never read as a request.
        return Step::Answered {
            length,
            keep: false,
        };
    }
    if body {
        return Step::Malformed;
    }
    let from = behind(
        peer,
        forwarded.into_iter(),
        &tracker.0.settings.trusted_proxies,
    );
    let target = request.path.unwrap_or_default();
    if let Some(key) = upgrade.key() {
        return match upgrade::admit(tracker, target, from) {
            Ok(caller) => {
                upgrade::accepted(answer, key);
                Step::Upgraded { length, caller }
            }
            Err(failure) => {
                let reason = format!("{failure}\n");
                answer::plain(answer, upgrade::status(failure), &reason);
                Step::Answered {
                    length,
                    keep: false,
                }
            }
        };
    }
    respond(tracker, target, from, answer);
    Step::Answered { length, keep }
}

fn respond(tracker: &Tracker, target: &str, from: IpAddr, answer: &mut Vec<u8>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let measures = &tracker.0.measures;
    match query::endpoint(path) {
        Some(endpoint) if tracker.is_closed() => {
            if matches!(endpoint, Endpoint::Announce(_)) {
                let closed = Some(Failure::Closed);
                measures.count(Transport::HTTP, Duration::ZERO, closed);
            }
            answer::failure(answer, Failure::Closed);
        }
        Some(Endpoint::Announce(passkey)) => {
            let began = Instant::now();
            let passkey = passkey.or_else(|| query::passkey(query));
            let refused = announced(tracker, (passkey, query), from, began.into(), answer).err();
            if let Some(failure) = refused {
                answer::failure(answer, failure);
            }
            measures.count(Transport::HTTP, began.elapsed(), refused);
        }
        Some(Endpoint::Scrape(passkey)) => {
            let scraped = query::scrape(query).and_then(|hashes| {
                tracker.scrape(
                    &query::key(passkey.or_else(|| query::passkey(query)))?,
                    hashes,
                    from,
                )
            });
            match scraped {
                Ok(scraped) => {
                    let wait = tracker.0.rules.load().min_interval;
                    answer::scrape(answer, &scraped, wait);
                }
                Err(failure) => answer::failure(answer, failure),
            }
        }
        None => answer::plain(
            answer,
            "404 Not Found",
            "this is a tracker: /announce and /scrape\n",
        ),
    }
}

fn announced(
    tracker: &Tracker,
    (passkey, query): (Option<&str>, &str),
    from: IpAddr,
    at: std::time::Instant,
    answer: &mut Vec<u8>,
) -> Result<(), Failure> {
    let announce = query::announce(query)?;
    let member = tracker.admit(&query::key(passkey)?)?;
    let reply = tracker.announce_as(member, &announce, from, at)?;
    answer::announce(answer, &reply, announce.compact, announce.no_peer_id);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_told_before_anything_is_served() {
        let taken = bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let again = bind(taken.address(), 2)
            .map(|_| ())
            .map_err(|error| error.kind());
        assert_eq!(again, Err(io::ErrorKind::AddrInUse));
    }
}
