//! What a client is called, by its peer id (BEP 20).

/// Clients by the two letters of the Azureus style.
const KNOWN: [(&[u8], &str); 14] = [
    (b"TR", "Transmission"),
    (b"qB", "qBittorrent"),
    (b"DE", "Deluge"),
    (b"UT", "µTorrent"),
    (b"UM", "µTorrent Mac"),
    (b"LT", "libtorrent"),
    (b"lt", "rTorrent"),
    (b"AZ", "Vuze"),
    (b"BI", "BiglyBT"),
    (b"WW", "WebTorrent"),
    (b"BC", "BitComet"),
    (b"KT", "KTorrent"),
    (b"FD", "Free Download Manager"),
    (b"PI", "PicoTorrent"),
];

/// Names a client and its version, such as `Transmission 3.00`.
pub(crate) fn name(id: &[u8; 20]) -> String {
    match id {
        [b'A', b'2', b'-', a, b'-', b, b'-', c, b'-', ..] => {
            format!("aria2 {}", version(&[*a, *b, *c]))
        }
        [b'A', b'2', b'-', a, b'-', b, c, b'-', d, ..] => {
            format!("aria2 {}", version(&[*a, *b, *c, *d]))
        }
        [b'-', b'T', b'R', major, minor, patch, _, b'-', ..] => {
            let shown = |digit: &u8| char::from(*digit);
            format!(
                "Transmission {}.{}{}",
                shown(major),
                shown(minor),
                shown(patch)
            )
        }
        [b'-', one, two, a, b, c, _, b'-', ..] => {
            let known = KNOWN.iter().find(|(letters, _)| *letters == [*one, *two]);
            known.map_or_else(
                || "another client".to_owned(),
                |(_, name)| format!("{name} {}", version(&[*a, *b, *c])),
            )
        }
        _ => "another client".to_owned(),
    }
}

fn version(digits: &[u8]) -> String {
    let shown: Vec<String> = digits
        .iter()
        .filter(|digit| digit.is_ascii_alphanumeric())
        .map(|digit| char::from(*digit).to_string())
        .collect();
    shown.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_clients_are_named() {
        assert_eq!(name(b"-TR3000-abcdefghijkl"), "Transmission 3.00");
        assert_eq!(name(b"-qB4520-abcdefghijkl"), "qBittorrent 4.5.2");
        assert_eq!(name(b"A2-1-36-0-abcdefghij"), "aria2 1.3.6.0");
        assert_eq!(name(b"-XX0000-abcdefghijkl"), "another client");
        assert_eq!(name(&[0; 20]), "another client");
    }
}
