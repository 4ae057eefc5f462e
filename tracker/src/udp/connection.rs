//! Who is behind an address: connection ids that need no table, and sockets that have shown a passkey.

use std::hash::Hasher as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

use siphasher::sip::SipHasher13;

/// Seconds of a slot; an id is good in its own slot and the two that follow, as BEP 15 asks for two minutes.
const SLOT: u64 = 60;
/// Bits of an id that tell its slot.
const SLOT_BITS: u64 = 0b11;
/// Sockets that are remembered; who is pushed out asks again by announcing.
const SOCKETS: usize = 1 << 16;

/// Connection ids: the keyed hash (SipHash-1-3) of an address and a slot of time.
///
/// A scrape over UDP has no room for a passkey. It is answered on the socket that announced with one
/// while the connection id of that announce is good.
pub(crate) struct Connections {
    key: [u8; 16],
    /// When the socket of each hash last showed a passkey, with the rest of the hash.
    proved: Box<[AtomicU64]>,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Connections {
    /// Makes them from a key, which every tracker of a site shares.
    pub(crate) fn new(key: [u8; 16]) -> Self {
        let proved = std::iter::repeat_with(AtomicU64::default)
            .take(SOCKETS)
            .collect();
        Self { key, proved }
    }

    fn hash(&self, ip: IpAddr, more: u64) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        match ip {
            IpAddr::V4(ip) => hasher.write(&ip.octets()),
            IpAddr::V6(ip) => hasher.write(&ip.octets()),
        }
        hasher.write_u64(more);
        hasher.finish()
    }

    /// Gives the id of an address at a time in seconds since 1970.
    pub(super) fn id(&self, ip: IpAddr, now: u64) -> [u8; 8] {
        self.of_slot(ip, now / SLOT).to_be_bytes()
    }

    fn of_slot(&self, ip: IpAddr, slot: u64) -> u64 {
        self.hash(ip, slot) & !SLOT_BITS | slot & SLOT_BITS
    }

    /// Tells whether an address was given this id a short while ago.
    pub(super) fn is_good(&self, id: [u8; 8], ip: IpAddr, now: u64) -> bool {
        let (id, slot) = (u64::from_be_bytes(id), now / SLOT);
        // How many slots ago it was made; the fourth would lie ahead.
        let ago = slot.wrapping_sub(id) & SLOT_BITS;
        ago != SLOT_BITS && id == self.of_slot(ip, slot.wrapping_sub(ago))
    }

    /// Notes that a socket has shown a passkey.
    pub(super) fn prove(&self, socket: SocketAddr, now: u64) {
        let (place, kept) = self.socket(socket, now / SLOT);
        if let Some(place) = place {
            place.store(kept, Ordering::Relaxed);
        }
    }

    /// Tells whether a socket has shown a passkey a short while ago.
    pub(super) fn is_proved(&self, socket: SocketAddr, now: u64) -> bool {
        let slot = now / SLOT;
        (0..SLOT_BITS).any(|ago| {
            let (place, kept) = self.socket(socket, slot.wrapping_sub(ago));
            place.is_some_and(|place| place.load(Ordering::Relaxed) == kept)
        })
    }

    /// Gives the place of a socket and what stands there when it showed a passkey in a slot.
    fn socket(&self, socket: SocketAddr, slot: u64) -> (Option<&AtomicU64>, u64) {
        let port = u64::from(socket.port()) | 1 << 63;
        let hash = self.hash(socket.ip(), port);
        let place = usize::try_from(hash >> 48).unwrap_or(0);
        (self.proved.get(place), hash & !0xffff | slot & 0xffff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    #[test]
    fn an_id_is_good_for_its_address_for_two_minutes() {
        let connections = Connections::new([7; 16]);
        let [one, other]: [IpAddr; 2] = ["192.0.2.1", "2001:db8::1"].map(|ip| ip.parse().unwrap());
        let id = connections.id(one, NOW);
        for later in 0..=120 {
            assert!(connections.is_good(id, one, NOW + later), "after {later} s");
        }
        assert!(!connections.is_good(id, one, NOW + 181));
        assert!(!connections.is_good(id, one, NOW - 61));
        assert!(!connections.is_good(id, other, NOW));
        assert!(!connections.is_good([0; 8], one, NOW));
        let stranger = Connections::new([8; 16]);
        assert!(!stranger.is_good(id, one, NOW));
    }

    #[test]
    fn a_socket_that_showed_a_passkey_is_known_for_a_while() {
        let connections = Connections::new([7; 16]);
        let [one, other]: [SocketAddr; 2] =
            ["192.0.2.1:5", "192.0.2.1:6"].map(|socket| socket.parse().unwrap());
        connections.prove(one, NOW);
        assert!(connections.is_proved(one, NOW + 120));
        assert!(!connections.is_proved(one, NOW + 181));
        assert!(!connections.is_proved(other, NOW));
    }
}
