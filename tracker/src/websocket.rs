//! `WebTorrent` over WebSocket: announces as JSON, and what peers in browsers say to each other to meet.
//!
//! A browser has no address that others could connect to: it sends offers with its announce, the
//! tracker hands each to another peer, and that one's answer back. Both may be connected to different
//! trackers of a site. A socket that closes means `stopped` for everything announced on it.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use domain::info_hash::InfoHash;
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::Tracker;
use crate::access::Offer;
use crate::announce::{Announce, Event, Failure};
use crate::measure::Transport;
use crate::member::Member;

mod json;
mod meeting;

use json::Asked;
pub(crate) use meeting::Meeting;

/// The most bytes of a message.
const LARGEST: usize = 256 * 1024;
/// Messages that wait for a reader before others are dropped.
const WAITING: usize = 64;
/// How often a silent peer is asked whether it is there.
const PING: Duration = Duration::from_secs(30);
/// How long it may be silent.
const SILENCE: Duration = Duration::from_secs(90);
/// How long it may take to read a message.
const SLOW: Duration = Duration::from_secs(10);
/// How long until the next announce: browsers meet new peers then, and come and go.
pub(crate) const INTERVAL: Duration = Duration::from_mins(2);
/// Torrents that one socket may announce.
const MOST_TORRENTS: usize = 1_000;

/// Who is behind a socket.
pub(crate) struct Caller {
    pub(crate) member: Member,
    pub(crate) passkey: [u8; 32],
    pub(crate) from: IpAddr,
}

/// Answers on an upgraded connection until it ends, then lets its peers leave.
pub(crate) async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    tracker: &Tracker,
    stream: S,
    read: Vec<u8>,
    caller: Caller,
) -> io::Result<()> {
    let Some(_place) = tracker
        .0
        .meeting
        .enter(caller.member.id, tracker.0.settings.most_sockets)
    else {
        return Ok(());
    };
    let limits = WebSocketConfig::default()
        .max_message_size(Some(LARGEST))
        .max_frame_size(Some(LARGEST));
    let mut socket =
        WebSocketStream::from_partially_read(stream, read, Role::Server, Some(limits)).await;
    let (to, mut waiting) = mpsc::channel(WAITING);
    let mut talk = Talk {
        tracker,
        caller,
        to,
        announced: HashMap::new(),
    };
    let mut heard = Instant::now();
    let mut ping = tokio::time::interval_at(Instant::now() + PING, PING);
    loop {
        let answer = tokio::select! {
            message = socket.next() => {
                heard = Instant::now();
                match message {
                    Some(Ok(Message::Text(text))) => Message::text(talk.answer(text.as_str())),
                    Some(Ok(Message::Binary(bytes))) => match std::str::from_utf8(&bytes) {
                        Ok(text) => Message::text(talk.answer(text)),
                        Err(_) => break,
                    },
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                }
            }
            Some(text) = waiting.recv() => Message::text(text),
            _ = ping.tick() => {
                if heard.elapsed() > SILENCE {
                    break;
                }
                Message::Ping(vec![].into())
            }
        };
        if matches!(&answer, Message::Text(text) if text.is_empty()) {
            continue;
        }
        // Who doesn't read is not waited for.
        match tokio::time::timeout(SLOW, socket.send(answer)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => break,
        }
    }
    talk.leave();
    match tokio::time::timeout(SLOW, socket.close(None)).await {
        Ok(Err(Error::Io(error))) => Err(error),
        Ok(Ok(()) | Err(_)) | Err(_) => Ok(()),
    }
}

/// Answers messages as on one socket, which nobody reads, and closes it.
pub(crate) fn answers<'a>(
    tracker: &Tracker,
    caller: Caller,
    messages: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    let (to, _unread) = mpsc::channel(WAITING);
    let mut talk = Talk {
        tracker,
        caller,
        to,
        announced: HashMap::new(),
    };
    let answers = messages.map(|message| talk.answer(message)).collect();
    talk.leave();
    answers
}

/// What is said on one socket.
struct Talk<'a> {
    tracker: &'a Tracker,
    caller: Caller,
    to: mpsc::Sender<String>,
    /// The last announce of each peer that is there.
    announced: HashMap<(InfoHash, [u8; 20]), Announce>,
}

impl Talk<'_> {
    /// Does what a message asks for; gives the answer, or nothing.
    fn answer(&mut self, text: &str) -> String {
        let asked = match json::read(text) {
            Ok(asked) => asked,
            Err(failure) => return json::refused(failure, None),
        };
        match asked {
            Asked::Scrape(hashes) => {
                match self
                    .tracker
                    .scrape(&self.caller.passkey, hashes, self.caller.from)
                {
                    Ok(counts) => json::scraped(&counts),
                    Err(failure) => json::refused(failure, None),
                }
            }
            Asked::Answer(answer) => {
                // Nobody speaks for a peer that hasn't announced here.
                let key = (answer.info_hash, answer.peer_id);
                if self.announced.contains_key(&key)
                    && let Ok(Offer { torrent, .. }) =
                        self.tracker.0.access.torrent(answer.info_hash)
                {
                    let text = json::answered(&answer);
                    self.tracker.0.meeting.say(torrent, answer.to_peer, text);
                }
                String::new()
            }
            Asked::Announce { announce, offers } => {
                let (hash, began) = (announce.info_hash, Instant::now());
                let announced = self.announce(announce, &offers);
                let refused = announced.as_ref().err().copied();
                let measures = &self.tracker.0.measures;
                measures.count(Transport::WEBSOCKET, began.elapsed(), refused);
                announced.unwrap_or_else(|failure| json::refused(failure, Some(hash)))
            }
        }
    }

    fn announce(
        &mut self,
        announce: Announce,
        offers: &[json::Offer<'_>],
    ) -> Result<String, Failure> {
        let key = (announce.info_hash, announce.peer_id);
        if self.announced.len() >= MOST_TORRENTS && !self.announced.contains_key(&key) {
            return Err(Failure::Invalid("info_hash"));
        }
        let torrent = self.tracker.offer(announce.info_hash)?.torrent;
        let (passkey, from) = (&self.caller.passkey, self.caller.from);
        let reply = self.tracker.announce(passkey, &announce, from)?;
        let text = json::announced(announce.info_hash, &reply);
        let meeting = &self.tracker.0.meeting;
        if announce.event == Event::Stopped {
            meeting.leave(torrent, announce.peer_id, &self.to);
            self.announced.remove(&key);
            return Ok(text);
        }
        let seeds = announce.left == 0;
        meeting.join(
            torrent,
            announce.peer_id,
            self.caller.member.id,
            seeds,
            self.to.clone(),
        );
        let wanted = offers.len().min(announce.numwant.unwrap_or(usize::MAX));
        let others = meeting.others(
            torrent,
            announce.peer_id,
            self.caller.member.id,
            seeds,
            wanted,
        );
        for (other, offer) in others.into_iter().zip(offers) {
            meeting.say(torrent, other, json::offered(&announce, offer));
        }
        self.announced.insert(key, announce);
        Ok(text)
    }

    /// Stops every peer that was announced here.
    fn leave(&mut self) {
        // A tracker that was closed meanwhile has given its number to somebody else.
        let members = &self.tracker.0.swarms.members;
        let number = members.number(self.caller.member.id).number;
        let member = Member {
            number,
            ..self.caller.member
        };
        for ((hash, peer), announce) in self.announced.drain() {
            let Ok(Offer { torrent, .. }) = self.tracker.0.access.torrent(hash) else {
                continue;
            };
            if !self.tracker.0.meeting.leave(torrent, peer, &self.to) {
                // It goes on by another socket.
                continue;
            }
            let stopped = Announce {
                event: Event::Stopped,
                ..announce
            };
            // A member who was let in may leave, whatever became of the passkey.
            let _closed = self.tracker.announce_as(
                member,
                &stopped,
                self.caller.from,
                std::time::Instant::now(),
            );
        }
    }
}
