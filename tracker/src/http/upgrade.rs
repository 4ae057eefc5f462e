//! The way from a request to a WebSocket (RFC 6455, section 4.2).

use std::io::Write as _;
use std::net::IpAddr;

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::Tracker;
use crate::announce::Failure;
use crate::query::{self, Endpoint};
use crate::websocket::Caller;

/// What a request's headers say of an upgrade.
#[derive(Default)]
pub(super) struct Asked<'a> {
    upgrade: bool,
    version: bool,
    key: Option<&'a [u8]>,
}

impl<'a> Asked<'a> {
    /// Takes a header, if it is about an upgrade.
    pub(super) fn take(&mut self, header: &httparse::Header<'a>) {
        if header.name.eq_ignore_ascii_case("upgrade") {
            self.upgrade = header.value.eq_ignore_ascii_case(b"websocket");
        } else if header.name.eq_ignore_ascii_case("sec-websocket-version") {
            self.version = header.value == b"13";
        } else if header.name.eq_ignore_ascii_case("sec-websocket-key") {
            self.key = Some(header.value);
        }
    }

    /// Gives the client's key, if it asks for a WebSocket.
    pub(super) fn key(&self) -> Option<&'a [u8]> {
        self.key.filter(|_| self.upgrade && self.version)
    }
}

/// Says who is let in by the URL's passkey.
pub(super) fn admit(tracker: &Tracker, target: &str, from: IpAddr) -> Result<Caller, Failure> {
    let (path, asked) = target.split_once('?').unwrap_or((target, ""));
    let Some(Endpoint::Announce(passkey)) = query::endpoint(path) else {
        return Err(Failure::Invalid("path"));
    };
    let passkey = query::key(passkey.or_else(|| query::passkey(asked)))?;
    let member = tracker.admit(&passkey)?;
    let most = tracker.0.settings.most_sockets;
    if tracker.0.meeting.sockets(member.id) >= most {
        return Err(Failure::TooManySockets);
    }
    Ok(Caller {
        member,
        passkey,
        from,
    })
}

/// Gives the status of a refusal.
pub(super) fn status(failure: Failure) -> &'static str {
    match failure {
        Failure::Closed => "503 Service Unavailable",
        Failure::Invalid(_) => "400 Bad Request",
        Failure::TooManySockets | Failure::TooOften => "429 Too Many Requests",
        Failure::PasskeyMissing
        | Failure::PasskeyUnknown
        | Failure::Banned
        | Failure::ClientNotAllowed
        | Failure::TorrentNotApproved
        | Failure::RatioTooLow { .. }
        | Failure::TooManyHitAndRuns(_)
        | Failure::TorrentUnknown
        | Failure::TorrentWithdrawn
        | Failure::TooManyAddresses => "403 Forbidden",
    }
}

/// Writes that the connection is a WebSocket from here on.
pub(super) fn accepted(answer: &mut Vec<u8>, key: &[u8]) {
    let accept = derive_accept_key(key);
    // Writing to memory can't fail.
    let _written = write!(
        answer,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
}
