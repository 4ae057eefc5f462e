//! The packets of the UDP tracker protocol (BEP 15) and the URL data behind an announce (BEP 41).
//!
//! Numbers are big-endian. A packet that isn't ours is `None`: it is dropped, never answered.

use std::borrow::Cow;

use domain::info_hash::InfoHash;

use crate::announce::{Announce, Event, Failure, Families, Reply};
use crate::scrape::Scraped;

/// The connection id of a packet that asks for one.
const PROTOCOL: [u8; 8] = 0x0417_2710_1980_u64.to_be_bytes();
const CONNECT: [u8; 4] = [0, 0, 0, 0];
const ANNOUNCE: [u8; 4] = [0, 0, 0, 1];
const SCRAPE: [u8; 4] = [0, 0, 0, 2];
const ERROR: [u8; 4] = [0, 0, 0, 3];

/// The kinds of options: nothing is said, a part of the URL.
const NOTHING: u8 = 1;
const URL_DATA: u8 = 2;

/// The most hashes that a scrape may name.
const MOST_HASHES: usize = 74;

/// What a packet asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    /// Given back in the answer.
    pub(super) transaction: [u8; 4],
    /// What the client was given by a connect.
    pub(super) connection: [u8; 8],
    pub(super) what: What<'a>,
}

/// The three actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What<'a> {
    Connect,
    Announce {
        announce: Result<Announce, Failure>,
        /// The path and the query of the announce URL, as far as the client sent them.
        url: Cow<'a, [u8]>,
    },
    Scrape {
        hashes: Vec<InfoHash>,
    },
}

/// Reads a packet that came over one family.
pub(super) fn read(packet: &[u8], families: Families) -> Option<Asked<'_>> {
    let mut fields = Reader(packet);
    let connection = fields.take()?;
    let action = fields.take()?;
    let transaction = fields.take()?;
    let what = match action {
        CONNECT if connection == PROTOCOL => What::Connect,
        ANNOUNCE => {
            let announce = announce(&mut fields, families)?;
            let url = url_data(fields.0);
            What::Announce { announce, url }
        }
        SCRAPE => What::Scrape {
            hashes: hashes(fields.0)?,
        },
        _ => return None,
    };
    Some(Asked {
        transaction,
        connection,
        what,
    })
}

/// What is still to be read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    /// Takes a number of bytes; the log keeps 63 bits.
    fn amount(&mut self, name: &'static str) -> Option<Result<u64, Failure>> {
        let amount = i64::from_be_bytes(self.take()?);
        Some(u64::try_from(amount).map_err(|_| Failure::Invalid(name)))
    }
}

/// Reads the 82 bytes of an announce; `None` where they aren't there.
fn announce(fields: &mut Reader<'_>, families: Families) -> Option<Result<Announce, Failure>> {
    let (info_hash, peer_id) = (InfoHash(fields.take()?), fields.take()?);
    let downloaded = fields.amount("downloaded")?;
    let left = fields.amount("left")?;
    let uploaded = fields.amount("uploaded")?;
    let event = match u32::from_be_bytes(fields.take()?) {
        0 => Ok(Event::Update),
        1 => Ok(Event::Completed),
        2 => Ok(Event::Started),
        3 => Ok(Event::Stopped),
        _ => Err(Failure::Invalid("event")),
    };
    // Where a client says that it is: believed from nobody. Its key: the member's is better.
    let (_address, _key): ([u8; 4], [u8; 4]) = (fields.take()?, fields.take()?);
    let numwant = i32::from_be_bytes(fields.take()?);
    let port = u16::from_be_bytes(fields.take()?);
    let read = || {
        Ok(Announce {
            info_hash,
            peer_id,
            port: Some(port)
                .filter(|port| *port != 0)
                .ok_or(Failure::Invalid("port"))?,
            uploaded: uploaded?,
            downloaded: downloaded?,
            left: left?,
            event: event?,
            numwant: usize::try_from(numwant).ok(),
            compact: true,
            no_peer_id: true,
            families,
        })
    };
    Some(read())
}

/// Puts the parts of the URL together; what is cut off or unknown ends them.
fn url_data(mut options: &[u8]) -> Cow<'_, [u8]> {
    let mut url = Cow::Borrowed([].as_slice());
    loop {
        match options {
            [NOTHING, rest @ ..] => options = rest,
            [URL_DATA, length, rest @ ..] => {
                let Some((part, rest)) = rest.split_at_checked(usize::from(*length)) else {
                    return url;
                };
                if url.is_empty() {
                    url = Cow::Borrowed(part);
                } else {
                    url.to_mut().extend(part);
                }
                options = rest;
            }
            // Nothing more, or what nobody knows.
            [..] => return url,
        }
    }
}

/// Reads the hashes of a scrape: 1 to 74, and nothing else.
fn hashes(bytes: &[u8]) -> Option<Vec<InfoHash>> {
    let (hashes, rest) = bytes.as_chunks();
    let fits = rest.is_empty() && (1..=MOST_HASHES).contains(&hashes.len());
    fits.then(|| hashes.iter().copied().map(InfoHash).collect())
}

/// Writes the answer to a connect: the 16 bytes that it takes to ask.
pub(super) fn connected(answer: &mut Vec<u8>, transaction: [u8; 4], connection: [u8; 8]) {
    answer.extend(CONNECT);
    answer.extend(transaction);
    answer.extend(connection);
}

/// Writes the answer to an announce, with peers of its own family.
pub(super) fn announced(answer: &mut Vec<u8>, transaction: [u8; 4], reply: &Reply) {
    answer.extend(ANNOUNCE);
    answer.extend(transaction);
    for number in [reply.interval, reply.leechers, reply.seeders] {
        answer.extend(number.to_be_bytes());
    }
    answer.extend(&reply.peers.v4);
    answer.extend(&reply.peers.v6);
}

/// Writes the answer to a scrape: an entry for each hash in their order, zeros where it isn't known.
pub(super) fn scraped(
    answer: &mut Vec<u8>,
    transaction: [u8; 4],
    hashes: &[InfoHash],
    known: &[Scraped],
) {
    answer.extend(SCRAPE);
    answer.extend(transaction);
    for hash in hashes {
        let swarm = known
            .binary_search_by_key(hash, |swarm| swarm.hash)
            .ok()
            .and_then(|at| known.get(at));
        let counts = swarm.map_or([0; 3], |swarm| {
            [swarm.seeders, swarm.completed, swarm.leechers]
        });
        for number in counts {
            answer.extend(number.to_be_bytes());
        }
    }
}

/// Writes why something is refused.
pub(super) fn refused(answer: &mut Vec<u8>, transaction: [u8; 4], failure: Failure) {
    answer.extend(ERROR);
    answer.extend(transaction);
    answer.extend(failure.to_string().bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An announce as clients send it, with options behind it.
    fn packet(options: &[u8]) -> Vec<u8> {
        let mut packet = vec![7; 8];
        packet.extend(ANNOUNCE);
        packet.extend(*b"tran");
        packet.extend([b'h'; 20]);
        packet.extend([b'p'; 20]);
        for amount in [2_u64, 3, 1] {
            packet.extend(amount.to_be_bytes());
        }
        packet.extend(2_u32.to_be_bytes());
        packet.extend([0; 4]);
        packet.extend([9; 4]);
        packet.extend((-1_i32).to_be_bytes());
        packet.extend(6_881_u16.to_be_bytes());
        packet.extend(options);
        packet
    }

    fn url(options: &[u8]) -> Vec<u8> {
        let packet = packet(options);
        match read(&packet, Families::V4).unwrap().what {
            What::Announce { url, .. } => url.into_owned(),
            What::Connect | What::Scrape { .. } => panic!("not an announce"),
        }
    }

    #[test]
    fn an_announce_is_read_field_by_field() {
        let packet = packet(&[]);
        assert_eq!(packet.len(), 98);
        let asked = read(&packet, Families::V4).unwrap();
        assert_eq!((asked.transaction, asked.connection), (*b"tran", [7; 8]));
        let What::Announce { announce, .. } = asked.what else {
            panic!("{asked:?}");
        };
        let announce = announce.unwrap();
        assert_eq!(
            (announce.uploaded, announce.downloaded, announce.left),
            (1, 2, 3)
        );
        assert_eq!(
            (announce.event, announce.numwant, announce.port),
            (Event::Started, None, 6_881)
        );
    }

    #[test]
    fn a_url_comes_in_one_part_or_many_with_padding_anywhere() {
        assert_eq!(url(b"\x02\x05/a/bc\x00"), b"/a/bc");
        assert_eq!(url(b"\x01\x02\x02/a\x01\x01\x02\x03/bc"), b"/a/bc");
        assert_eq!(url(b"\x02\x02/a\x02\x00\x02\x01b\x00\x02\x01c"), b"/ab");
        assert_eq!(url(b"\x02\x09/a"), b"", "a part that is cut off");
        assert_eq!(url(b"\x07\x02\x02/a"), b"", "an option that nobody knows");
        assert_eq!(url(b""), b"");
    }

    #[test]
    fn wrong_fields_are_named() {
        for (at, bytes, field) in [
            (56, &[0xff][..], "downloaded"),
            (64, &[0x80], "left"),
            (72, &[0x80], "uploaded"),
            (83, &[9], "event"),
            (96, &[0, 0], "port"),
        ] {
            let mut packet = packet(&[]);
            packet[at..at + bytes.len()].copy_from_slice(bytes);
            let What::Announce { announce, .. } = read(&packet, Families::V4).unwrap().what else {
                panic!();
            };
            assert_eq!(announce, Err(Failure::Invalid(field)));
        }
    }

    #[test]
    fn what_is_too_short_or_another_protocol_is_dropped() {
        let whole = packet(&[]);
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length], Families::V4), None, "{length} bytes");
        }
        let mut scrape = [whole[..8].to_vec(), SCRAPE.to_vec(), vec![0; 4]].concat();
        assert_eq!(read(&scrape, Families::V4), None, "without a hash");
        scrape.extend([b'h'; 74 * 20]);
        assert!(read(&scrape, Families::V4).is_some());
        scrape.extend([b'h'; 20]);
        assert_eq!(read(&scrape, Families::V4), None, "with too many");
        let connect = [[7; 8].as_slice(), &CONNECT, b"tran"].concat();
        assert_eq!(read(&connect, Families::V4), None);
        let dns = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www";
        assert_eq!(read(dns, Families::V4), None);
    }

    proptest! {
        #[test]
        fn no_packet_makes_it_panic(bytes: Vec<u8>, action in 0_u8..4) {
            let _ = read(&bytes, Families::V6).is_some();
            let begun = [&[7; 8][..], &[0, 0, 0, action], &bytes].concat();
            let _ = read(&begun, Families::V4).is_some();
        }
    }
}
