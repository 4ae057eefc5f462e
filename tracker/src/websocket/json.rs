//! The messages of `WebTorrent`: JSON, in which twenty bytes are twenty characters up to U+00FF.

use std::borrow::Cow;
use std::collections::BTreeMap;

use domain::info_hash::InfoHash;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::INTERVAL;
use crate::announce::{Announce, Event, Failure, Families, Reply};
use crate::scrape::Scraped;

/// Offers of one announce.
const MOST_OFFERS: usize = 10;
/// The most hashes of one scrape.
const MOST_HASHES: usize = 64;
/// What is left for who doesn't know yet: browsers say `null` until they have the metainfo.
const UNKNOWN: u64 = i64::MAX.unsigned_abs();

/// What a message asks for.
#[derive(Debug)]
pub(super) enum Asked<'a> {
    Announce {
        announce: Announce,
        offers: Vec<Offer<'a>>,
    },
    Answer(Answer<'a>),
    Scrape(Vec<InfoHash>),
}

/// An offer to another peer, which is read by nobody on the way.
#[derive(Debug, Deserialize)]
pub(super) struct Offer<'a> {
    #[serde(borrow)]
    offer: &'a RawValue,
    #[serde(borrow)]
    offer_id: Cow<'a, str>,
}

/// An answer to another peer's offer.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) info_hash: InfoHash,
    pub(super) peer_id: [u8; 20],
    pub(super) to_peer: [u8; 20],
    said: &'a RawValue,
    offer_id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Read<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    info_hash: Option<Hashes>,
    peer_id: Option<String>,
    to_peer_id: Option<String>,
    uploaded: Option<u64>,
    downloaded: Option<u64>,
    left: Option<u64>,
    event: Option<String>,
    numwant: Option<i64>,
    #[serde(borrow)]
    offers: Option<Vec<Offer<'a>>>,
    #[serde(borrow)]
    answer: Option<&'a RawValue>,
    #[serde(borrow)]
    offer_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Hashes {
    One(String),
    Many(Vec<String>),
}

/// Reads a message.
pub(super) fn read(text: &str) -> Result<Asked<'_>, Failure> {
    let read: Read<'_> = serde_json::from_str(text).map_err(|_| Failure::Invalid("message"))?;
    match &*read.action {
        "scrape" => scrape(read.info_hash).map(Asked::Scrape),
        "announce" if read.answer.is_some() => answer(read).map(Asked::Answer),
        "announce" => announce(read),
        _ => Err(Failure::Invalid("action")),
    }
}

fn scrape(hashes: Option<Hashes>) -> Result<Vec<InfoHash>, Failure> {
    let hashes = match hashes {
        Some(Hashes::One(hash)) => vec![hash],
        Some(Hashes::Many(hashes)) => hashes,
        None => vec![],
    };
    if !(1..=MOST_HASHES).contains(&hashes.len()) {
        return Err(Failure::Invalid("info_hash"));
    }
    let read = |hash: String| bytes(Some(&hash), "info_hash").map(InfoHash);
    hashes.into_iter().map(read).collect()
}

fn one(hashes: Option<Hashes>) -> Result<InfoHash, Failure> {
    match hashes {
        Some(Hashes::One(hash)) => bytes(Some(&hash), "info_hash").map(InfoHash),
        Some(Hashes::Many(_)) | None => Err(Failure::Invalid("info_hash")),
    }
}

fn answer(read: Read<'_>) -> Result<Answer<'_>, Failure> {
    Ok(Answer {
        info_hash: one(read.info_hash)?,
        peer_id: bytes(read.peer_id.as_deref(), "peer_id")?,
        to_peer: bytes(read.to_peer_id.as_deref(), "to_peer_id")?,
        said: read.answer.ok_or(Failure::Invalid("answer"))?,
        offer_id: read.offer_id.ok_or(Failure::Invalid("offer_id"))?,
    })
}

fn announce(read: Read<'_>) -> Result<Asked<'_>, Failure> {
    let event = match read.event.as_deref() {
        None | Some("" | "update") => Event::Update,
        Some("started") => Event::Started,
        Some("completed") => Event::Completed,
        Some("stopped") => Event::Stopped,
        Some("paused") => Event::Paused,
        Some(_) => return Err(Failure::Invalid("event")),
    };
    let amount = |amount: Option<u64>, name| {
        amount
            .filter(|amount| *amount <= UNKNOWN)
            .ok_or(Failure::Invalid(name))
    };
    let announce = Announce {
        info_hash: one(read.info_hash)?,
        peer_id: bytes(read.peer_id.as_deref(), "peer_id")?,
        port: 0,
        uploaded: amount(read.uploaded, "uploaded")?,
        downloaded: amount(read.downloaded, "downloaded")?,
        left: amount(Some(read.left.unwrap_or(UNKNOWN)), "left")?,
        event,
        numwant: read.numwant.and_then(|wanted| usize::try_from(wanted).ok()),
        compact: true,
        no_peer_id: true,
        families: Families::None,
    };
    let mut offers = read.offers.unwrap_or_default();
    offers.truncate(MOST_OFFERS);
    Ok(Asked::Announce { announce, offers })
}

/// Reads twenty bytes.
fn bytes(text: Option<&str>, name: &'static str) -> Result<[u8; 20], Failure> {
    let invalid = Failure::Invalid(name);
    let mut bytes = [0; 20];
    let mut characters = text.ok_or(invalid)?.chars();
    for byte in &mut bytes {
        let character = characters.next().ok_or(invalid)?;
        *byte = u8::try_from(character).map_err(|_| invalid)?;
    }
    characters.next().map_or(Ok(bytes), |_| Err(invalid))
}

/// Writes twenty bytes.
fn text(bytes: &[u8; 20]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

#[derive(Serialize, Default)]
struct Told<'a> {
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    info_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offer: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offer_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "failure reason")]
    failure: Option<String>,
}

impl Told<'_> {
    fn json(&self) -> String {
        // Nothing in it can't be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Writes the answer to an announce.
pub(super) fn announced(hash: InfoHash, reply: &Reply) -> String {
    let longest = u32::try_from(INTERVAL.as_secs()).unwrap_or(u32::MAX);
    let told = Told {
        action: "announce",
        info_hash: Some(text(&hash.0)),
        interval: Some(reply.interval.min(longest)),
        complete: Some(reply.seeders),
        incomplete: Some(reply.leechers),
        ..Told::default()
    };
    told.json()
}

/// Writes an offer for another peer.
pub(super) fn offered(from: &Announce, offer: &Offer<'_>) -> String {
    let told = Told {
        action: "announce",
        info_hash: Some(text(&from.info_hash.0)),
        peer_id: Some(text(&from.peer_id)),
        offer: Some(offer.offer),
        offer_id: Some(&offer.offer_id),
        ..Told::default()
    };
    told.json()
}

/// Writes an answer for the peer that made the offer.
pub(super) fn answered(answer: &Answer<'_>) -> String {
    let told = Told {
        action: "announce",
        info_hash: Some(text(&answer.info_hash.0)),
        peer_id: Some(text(&answer.peer_id)),
        answer: Some(answer.said),
        offer_id: Some(&answer.offer_id),
        ..Told::default()
    };
    told.json()
}

/// Writes why an announce or a scrape is refused.
pub(super) fn refused(failure: Failure, hash: Option<InfoHash>) -> String {
    let told = Told {
        action: "announce",
        info_hash: hash.map(|hash| text(&hash.0)),
        interval: failure.interval(),
        failure: Some(failure.to_string()),
        ..Told::default()
    };
    told.json()
}

/// Writes the answer to a scrape.
pub(super) fn scraped(counts: &[Scraped]) -> String {
    let files: BTreeMap<String, serde_json::Value> = counts
        .iter()
        .map(|swarm| {
            let counts = serde_json::json!({
                "complete": swarm.seeders, "incomplete": swarm.leechers, "downloaded": swarm.completed,
            });
            (text(&swarm.hash.0), counts)
        })
        .collect();
    serde_json::json!({ "action": "scrape", "files": files }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An announce as a browser sends it, with further fields.
    fn message(more: &str) -> String {
        let hash = "\u{ff}aaaaaaaaaaaaaaaaaaa";
        format!(
            r#"{{"action":"announce","info_hash":"{hash}","peer_id":"-WW0100-aaaaaaaaaaaa","numwant":5,
               "uploaded":1,"downloaded":2,"left":3{more}}}"#
        )
    }

    #[test]
    fn an_announce_with_offers_is_read() {
        let text = message(
            r#","event":"started","offers":[{"offer_id":"one","offer":{"type":"offer","sdp":"v=0\r\n"}}]"#,
        );
        let Asked::Announce { announce, offers } = read(&text).unwrap() else {
            panic!();
        };
        assert_eq!(announce.info_hash.0[..2], [0xff, b'a']);
        assert_eq!(
            (announce.uploaded, announce.downloaded, announce.left),
            (1, 2, 3)
        );
        assert_eq!(
            (announce.event, announce.numwant),
            (Event::Started, Some(5))
        );
        let sent = offered(&announce, &offers[0]);
        assert!(
            sent.contains(r#""offer":{"type":"offer","sdp":"v=0\r\n"}"#),
            "{sent}"
        );
        assert!(sent.contains("\u{ff}aaa"), "{sent}");
    }

    #[test]
    fn a_browser_that_does_not_know_what_is_left_says_null() {
        let text = message("").replace("\"left\":3", "\"left\":null");
        let Asked::Announce { announce, .. } = read(&text).unwrap() else {
            panic!();
        };
        assert_eq!(announce.left, UNKNOWN);
    }

    #[test]
    fn no_more_than_ten_offers_are_taken() {
        let offer = r#"{"offer_id":"x","offer":1}"#;
        let text = message(&format!(r#","offers":[{}]"#, [offer; 30].join(",")));
        let Asked::Announce { offers, .. } = read(&text).unwrap() else {
            panic!();
        };
        assert_eq!(offers.len(), MOST_OFFERS);
    }

    #[test]
    fn wrong_fields_are_named() {
        for (from, to, field) in [
            ("announce", "dance", "action"),
            ("aaaaaaaaaaaaaaaaaaa\",\"peer", "a\",\"peer", "info_hash"),
            ("\u{ff}", "\u{100}", "info_hash"),
            ("-WW0100-", "-WW0100", "peer_id"),
            ("\"uploaded\":1,", "", "uploaded"),
            ("\"left\":3", "\"left\":9223372036854775808", "left"),
            ("\"left\":3", "\"left\":3,\"event\":\"exploded\"", "event"),
            ("\"left\":3", "\"left\":-3", "message"),
        ] {
            let text = message("").replace(from, to);
            assert_eq!(read(&text).err(), Some(Failure::Invalid(field)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_message_makes_it_panic(text: String, more: String) {
            let _ = read(&text).is_ok();
            let _ = read(&message(&more)).is_ok();
        }
    }
}
