//! Whose a request is: the client behind the proxies that are trusted, and the network that one
//! subscriber has.

use std::net::IpAddr;

/// Gives an IPv4 address that was written as an IPv6 one in its own form.
pub fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Gives the client's address: the last hop that isn't a trusted proxy, told by proxies that are.
///
/// `forwarded` are the lines of `X-Forwarded-For` or `Forwarded`, in the order in which they came.
pub fn behind<'a>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'a str>,
    trusted: &[IpAddr],
) -> IpAddr {
    let peer = plain(peer);
    if !trusted.contains(&peer) {
        return peer;
    }
    let hops = forwarded.rev().flat_map(|line| line.rsplit(','));
    hops.map_while(hop)
        .map(plain)
        .find(|hop| !trusted.contains(hop))
        .unwrap_or(peer)
}

/// Reads one hop, also in the form of `Forwarded` (RFC 7239): `for="[2001:db8::1]:4711";proto=https`.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let named = text.split(';').find_map(|part| {
        let (name, value) = part.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    });
    let bare = named.unwrap_or(text).trim_matches('"');
    if let Some(inner) = bare.strip_prefix('[') {
        return inner.split(']').next()?.parse().ok();
    }
    let address = bare.parse().ok();
    address.or_else(|| bare.rsplit_once(':')?.0.parse::<IpAddr>().ok())
}

/// Gives who has an address, of IPv6 the network of 64 bits, and the version of the protocol.
pub fn network(address: IpAddr) -> (u64, u8) {
    match plain(address) {
        IpAddr::V4(address) => (address.to_bits().into(), 4),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments().map(u64::from);
            (a << 48 | b << 32 | c << 16 | d, 6)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_forwarded_address_is_believed_from_trusted_proxies_alone() {
        let (proxy, client, liar) = (at("10.0.0.1"), at("8.8.8.8"), at("9.9.9.9"));
        let chain = || ["1.1.1.1, 8.8.8.8, 10.0.0.1"].into_iter();
        assert_eq!(behind(proxy, chain(), &[proxy]), client);
        assert_eq!(behind(liar, chain(), &[proxy]), liar);
        assert_eq!(behind(proxy, [].into_iter(), &[proxy]), proxy);
        assert_eq!(behind(proxy, ["nonsense"].into_iter(), &[proxy]), proxy);
        let lines = ["1.1.1.1", "8.8.8.8"].into_iter();
        assert_eq!(behind(proxy, lines, &[proxy]), client);
        let mapped = at("::ffff:10.0.0.1");
        assert_eq!(behind(mapped, chain(), &[proxy]), client);
    }

    #[test]
    fn forwarded_is_read_in_its_own_form() {
        let proxy = at("10.0.0.1");
        for (line, client) in [
            ("for=8.8.8.8;proto=https", "8.8.8.8"),
            (
                "for=1.1.1.1, For=\"[2001:db8::1]:4711\";by=10.0.0.1",
                "2001:db8::1",
            ),
            ("for=\"8.8.8.8:99\"", "8.8.8.8"),
        ] {
            assert_eq!(behind(proxy, [line].into_iter(), &[proxy]), at(client));
        }
        assert_eq!(behind(proxy, ["for=_hidden"].into_iter(), &[proxy]), proxy);
    }

    #[test]
    fn a_subscriber_has_one_network() {
        assert_eq!(network(at("2001:db8::1")), network(at("2001:db8::2:3")));
        assert_ne!(network(at("2001:db8::1")), network(at("2001:db8:0:1::1")));
        assert_eq!(network(at("::ffff:192.0.2.1")), network(at("192.0.2.1")));
        assert_ne!(network(at("0.0.0.0")), network(at("::")));
        assert_eq!(network(at("1:2:3:4::")), (0x0001_0002_0003_0004, 6));
        assert_eq!(network(at("192.0.2.1")), (0xc000_0201, 4));
    }
}
