//! The query strings of announce and scrape (BEP 3, 7, 23, 48), read without allocating.

use domain::info_hash::InfoHash;
use domain::passkey::Passkey;

use crate::announce::{Announce, Event, Failure, Families};

/// The most hashes of one scrape.
const MOST_HASHES: usize = 64;

/// What a request's path and query name besides the announce itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint<'a> {
    /// An announce, with the passkey's text where the path has it.
    Announce(Option<&'a str>),
    /// A scrape, with the passkey's text where the path has it.
    Scrape(Option<&'a str>),
}

/// Tells what a path asks for.
pub(crate) fn endpoint(path: &str) -> Option<Endpoint<'_>> {
    let mut parts = path.trim_matches('/').split('/');
    let (first, second) = (parts.next()?, parts.next());
    if parts.next().is_some() {
        return None;
    }
    match (first, second) {
        ("announce" | "announce.php", passkey) => Some(Endpoint::Announce(passkey)),
        ("scrape" | "scrape.php", passkey) => Some(Endpoint::Scrape(passkey)),
        (passkey, Some("announce")) => Some(Endpoint::Announce(Some(passkey))),
        (passkey, Some("scrape")) => Some(Endpoint::Scrape(Some(passkey))),
        _ => None,
    }
}

/// Gives the pairs of a query, undecoded, in one walk over its bytes.
fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = query;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let ends = |byte| byte == b'=' || byte == b'&';
        let name = rest.bytes().position(ends).unwrap_or(rest.len());
        let (name, mut after) = rest.split_at_checked(name)?;
        let mut value = "";
        if let Some(text) = after.strip_prefix('=') {
            let end = text.bytes().position(|byte| byte == b'&');
            (value, after) = text.split_at_checked(end.unwrap_or(text.len()))?;
        }
        rest = after.get(1..).unwrap_or_default();
        Some((name, value))
    })
    .filter(|(name, value)| !(name.is_empty() && value.is_empty()))
}

/// Finds the passkey's text in a query, under the names that trackers use.
pub(crate) fn passkey(query: &str) -> Option<&str> {
    let named = |name: &str| matches!(name, "passkey" | "uk" | "torrent_pass" | "authkey");
    pairs(query)
        .find(|(name, _)| named(name))
        .map(|(_, value)| value)
}

/// Reads a passkey's text, where there is one, as its bytes in lower case.
pub(crate) fn key(text: Option<&str>) -> Result<[u8; 32], Failure> {
    let text = text
        .filter(|text| !text.is_empty())
        .ok_or(Failure::PasskeyMissing)?;
    Passkey::parse(text).map_err(|_| Failure::PasskeyUnknown)?;
    let mut bytes: [u8; 32] = text
        .as_bytes()
        .try_into()
        .map_err(|_| Failure::PasskeyUnknown)?;
    bytes.make_ascii_lowercase();
    Ok(bytes)
}

/// Reads an announce.
pub(crate) fn announce(query: &str) -> Result<Announce, Failure> {
    let mut read = Fields::default();
    for (name, value) in pairs(query) {
        read.take(name, value)?;
    }
    Ok(Announce {
        info_hash: InfoHash(read.info_hash.ok_or(Failure::Invalid("info_hash"))?),
        peer_id: read.peer_id.ok_or(Failure::Invalid("peer_id"))?,
        port: read.port.ok_or(Failure::Invalid("port"))?,
        uploaded: read.uploaded.ok_or(Failure::Invalid("uploaded"))?,
        downloaded: read.downloaded.ok_or(Failure::Invalid("downloaded"))?,
        left: read.left.ok_or(Failure::Invalid("left"))?,
        event: read.event.unwrap_or(Event::Update),
        numwant: read.numwant,
        compact: read.compact,
        no_peer_id: read.no_peer_id,
        families: Families::Both,
    })
}

struct Fields {
    info_hash: Option<[u8; 20]>,
    peer_id: Option<[u8; 20]>,
    port: Option<u16>,
    uploaded: Option<u64>,
    downloaded: Option<u64>,
    left: Option<u64>,
    event: Option<Event>,
    numwant: Option<usize>,
    compact: bool,
    no_peer_id: bool,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            info_hash: None,
            peer_id: None,
            port: None,
            uploaded: None,
            downloaded: None,
            left: None,
            event: None,
            numwant: None,
            compact: true,
            no_peer_id: false,
        }
    }
}

impl Fields {
    fn take(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        match name {
            "info_hash" => once(&mut self.info_hash, decode_20(value), "info_hash"),
            "peer_id" => once(&mut self.peer_id, decode_20(value), "peer_id"),
            "port" => once(
                &mut self.port,
                value.parse().ok().filter(|port| *port != 0),
                "port",
            ),
            "uploaded" => once(&mut self.uploaded, amount(value), "uploaded"),
            "downloaded" => once(&mut self.downloaded, amount(value), "downloaded"),
            "left" => once(&mut self.left, amount(value), "left"),
            "event" => once(&mut self.event, event(value), "event"),
            "numwant" | "num%20want" | "num+want" => {
                // Some clients say -1 for "as you like".
                self.numwant = value.parse().ok();
                if self.numwant.is_some() || value.starts_with('-') {
                    Ok(())
                } else {
                    Err(Failure::Invalid("numwant"))
                }
            }
            "compact" => {
                self.compact = value != "0";
                Ok(())
            }
            "no_peer_id" => {
                self.no_peer_id = value == "1";
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn once<T>(field: &mut Option<T>, value: Option<T>, name: &'static str) -> Result<(), Failure> {
    if field.is_some() || value.is_none() {
        return Err(Failure::Invalid(name));
    }
    *field = value;
    Ok(())
}

/// Reads a number of bytes; the log keeps 63 bits.
fn amount(value: &str) -> Option<u64> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    value
        .parse()
        .ok()
        .filter(|number| digits && i64::try_from(*number).is_ok())
}

fn event(value: &str) -> Option<Event> {
    match value {
        "" | "empty" => Some(Event::Update),
        "started" => Some(Event::Started),
        "completed" => Some(Event::Completed),
        "stopped" => Some(Event::Stopped),
        "paused" => Some(Event::Paused),
        _ => None,
    }
}

/// Decodes twenty percent-encoded bytes.
fn decode_20(value: &str) -> Option<[u8; 20]> {
    let mut decoded = [0; 20];
    let mut bytes = value.bytes();
    for byte in &mut decoded {
        *byte = match bytes.next()? {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            b'+' => b' ',
            plain => plain,
        };
    }
    bytes.next().is_none().then_some(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Reads a scrape's hashes: at least one, at most sixty-four.
pub(crate) fn scrape(query: &str) -> Result<Vec<InfoHash>, Failure> {
    let mut hashes = vec![];
    for (_, value) in pairs(query).filter(|(name, _)| *name == "info_hash") {
        hashes.push(
            decode_20(value)
                .map(InfoHash)
                .ok_or(Failure::Invalid("info_hash"))?,
        );
        if hashes.len() > MOST_HASHES {
            return Err(Failure::Invalid("info_hash"));
        }
    }
    if hashes.is_empty() {
        Err(Failure::Invalid("info_hash"))
    } else {
        Ok(hashes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=-TR3000-%00%01%02%03%04%05%06%07%08%09%0a%0B\
                        &port=51413&uploaded=1&downloaded=2&left=3";

    #[test]
    fn nine_fields_are_enough_and_their_order_is_free() {
        let read = announce(GOOD).unwrap();
        assert_eq!(
            (read.port, read.uploaded, read.downloaded, read.left),
            (51413, 1, 2, 3)
        );
        assert_eq!(
            (read.event, read.numwant, read.compact),
            (Event::Update, None, true)
        );
        assert_eq!(read.peer_id.last(), Some(&11));
        let reversed: Vec<&str> = GOOD.split('&').rev().collect();
        assert_eq!(announce(&reversed.join("&")).unwrap(), read);
    }

    #[test]
    fn each_missing_or_doubled_field_is_named() {
        for field in [
            "info_hash",
            "peer_id",
            "port",
            "uploaded",
            "downloaded",
            "left",
        ] {
            let kept: Vec<&str> = GOOD
                .split('&')
                .filter(|pair| !pair.starts_with(field))
                .collect();
            assert_eq!(announce(&kept.join("&")), Err(Failure::Invalid(field)));
            let pair = GOOD
                .split('&')
                .find(|pair| pair.starts_with(field))
                .unwrap();
            assert_eq!(
                announce(&format!("{GOOD}&{pair}")),
                Err(Failure::Invalid(field))
            );
        }
    }

    #[test]
    fn fields_of_the_wrong_form_are_named() {
        for (from, to, field) in [
            ("aaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaa", "info_hash"),
            ("aaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaa", "info_hash"),
            (
                "aaaaaaaaaaaaaaaaaaaa",
                "%zzaaaaaaaaaaaaaaaaaaa",
                "info_hash",
            ),
            ("%0a%0B", "%0a%0", "peer_id"),
            ("51413", "0", "port"),
            ("51413", "65536", "port"),
            ("uploaded=1", "uploaded=-1", "uploaded"),
            ("uploaded=1", "uploaded=+1", "uploaded"),
            ("uploaded=1", "uploaded=9223372036854775808", "uploaded"),
            ("downloaded=2", "downloaded=two", "downloaded"),
            ("left=3", "left=", "left"),
            ("left=3", "left=3&event=exploded", "event"),
            ("left=3", "left=3&numwant=many", "numwant"),
        ] {
            assert_eq!(
                announce(&GOOD.replace(from, to)),
                Err(Failure::Invalid(field)),
                "{to}"
            );
        }
    }

    #[test]
    fn a_passkey_is_found_in_every_form() {
        for path in ["/announce/k", "/k/announce", "/announce.php/k"] {
            assert_eq!(
                endpoint(path),
                Some(Endpoint::Announce(Some("k"))),
                "{path}"
            );
        }
        assert_eq!(endpoint("/announce"), Some(Endpoint::Announce(None)));
        assert_eq!(endpoint("/k/scrape"), Some(Endpoint::Scrape(Some("k"))));
        assert_eq!(endpoint("/scrape"), Some(Endpoint::Scrape(None)));
        for path in ["/", "/announce/a/b", "/x/y", "/peers"] {
            assert_eq!(endpoint(path), None, "{path}");
        }
        for name in ["passkey", "uk", "torrent_pass", "authkey"] {
            assert_eq!(passkey(&format!("a=b&{name}=k")), Some("k"));
        }
    }

    #[test]
    fn a_scrape_names_1_to_64_hashes() {
        let one = "info_hash=aaaaaaaaaaaaaaaaaaaa";
        assert_eq!(scrape(one).map(|hashes| hashes.len()), Ok(1));
        assert_eq!(
            scrape(&[one; 64].join("&")).map(|hashes| hashes.len()),
            Ok(64)
        );
        assert_eq!(
            scrape(&[one; 65].join("&")),
            Err(Failure::Invalid("info_hash"))
        );
        assert_eq!(scrape(""), Err(Failure::Invalid("info_hash")));
        assert_eq!(
            scrape("info_hash=short"),
            Err(Failure::Invalid("info_hash"))
        );
    }

    proptest! {
        #[test]
        fn no_query_makes_it_panic(query: String) {
            let _ = (announce(&query).is_ok(), scrape(&query).is_ok(), endpoint(&query), passkey(&query));
        }

        #[test]
        fn a_hash_is_read_back_however_it_is_encoded(bytes: [u8; 20], upper: bool, plain: bool) {
            let encode = |byte: &u8| match (plain && byte.is_ascii_alphanumeric(), upper) {
                (true, _) => char::from(*byte).to_string(),
                (false, true) => format!("%{byte:02X}"),
                (false, false) => format!("%{byte:02x}"),
            };
            let text: String = bytes.iter().map(encode).collect();
            prop_assert_eq!(decode_20(&text), Some(bytes));
        }
    }
}
