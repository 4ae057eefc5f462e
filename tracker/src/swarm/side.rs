//! The addresses of a swarm's peers, column by column.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use projections::swarm::Count;
use rand::RngExt as _;

use serde::{Deserialize, Serialize};

use super::Chosen;
use crate::announce::Families;

/// Seeders stand apart from leechers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Side {
    Seeders,
    Leechers,
}

/// A peer's addresses in compact form; zeros where it has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Addresses {
    v4: [u8; 6],
    v6: Option<[u8; 18]>,
}

/// The peers of one side.
#[derive(Default)]
struct Column {
    v4: Vec<[u8; 6]>,
    /// Empty where no peer has one.
    v6: Vec<Option<Box<[u8; 18]>>>,
    /// Each peer's member, by number.
    member: Vec<u32>,
    /// The place of each peer's session.
    session: Vec<u32>,
}

/// The peers of a swarm, seeders and leechers apart.
#[derive(Default)]
pub(crate) struct Peers {
    seeders: Column,
    leechers: Column,
}

fn place(slot: u32) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}

fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// Gives an address without the disguise of an IPv4 address as IPv6.
pub(crate) fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// Tells whether an address means something on its own network alone.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

impl Peers {
    fn side(&self, side: Side) -> &Column {
        match side {
            Side::Seeders => &self.seeders,
            Side::Leechers => &self.leechers,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut Column {
        match side {
            Side::Seeders => &mut self.seeders,
            Side::Leechers => &mut self.leechers,
        }
    }

    pub(crate) fn count(&self) -> Count {
        Count {
            seeders: number(self.seeders.v4.len()),
            leechers: number(self.leechers.v4.len()),
        }
    }

    pub(super) fn length(&self, side: Side) -> u32 {
        number(self.side(side).v4.len())
    }

    /// Adds a peer and gives its slot.
    pub(super) fn push(
        &mut self,
        side: Side,
        session: usize,
        member: u32,
        addresses: Addresses,
    ) -> u32 {
        let column = self.side_mut(side);
        push(&mut column.v4, addresses.v4);
        push(&mut column.member, member);
        push(&mut column.session, number(session));
        let slot = column.v4.len() - 1;
        if !column.v6.is_empty() || addresses.v6.is_some() {
            column.set_v6(slot, addresses.v6);
        }
        number(slot)
    }

    /// Gives a peer's addresses.
    pub(super) fn get(&self, side: Side, slot: u32) -> Addresses {
        let column = self.side(side);
        Addresses {
            v4: column.v4.get(place(slot)).copied().unwrap_or_default(),
            v6: column.v6(place(slot)).copied(),
        }
    }

    /// Notes all addresses of a peer.
    pub(super) fn put(&mut self, side: Side, slot: u32, addresses: Addresses) {
        let column = self.side_mut(side);
        if let Some(v4) = column.v4.get_mut(place(slot)) {
            *v4 = addresses.v4;
            column.set_v6(place(slot), addresses.v6);
        }
    }

    /// Notes one more address of a peer, or a changed one; without a port nobody can reach it.
    pub(super) fn set(&mut self, side: Side, slot: u32, address: SocketAddr) {
        if address.port() == 0 {
            return;
        }
        let column = self.side_mut(side);
        match plain(address.ip()) {
            IpAddr::V4(v4) => {
                if let Some(kept) = column.v4.get_mut(place(slot)) {
                    *kept = compact_v4(v4, address.port());
                }
            }
            IpAddr::V6(v6) => {
                let mut bytes = [0; 18];
                let parts = v6.octets().into_iter().chain(address.port().to_be_bytes());
                bytes
                    .iter_mut()
                    .zip(parts)
                    .for_each(|(to, from)| *to = from);
                column.set_v6(place(slot), Some(bytes));
            }
        }
    }

    /// Removes a peer; gives its addresses and the session of the peer that moved into its slot.
    pub(super) fn remove(&mut self, side: Side, slot: u32) -> (Addresses, Option<usize>) {
        let column = self.side_mut(side);
        let slot = place(slot);
        if slot >= column.v4.len() {
            return (Addresses::default(), None);
        }
        let v4 = column.v4.swap_remove(slot);
        let v6 = if column.v6.is_empty() {
            None
        } else {
            column.v6.swap_remove(slot).map(|boxed| *boxed)
        };
        column.member.swap_remove(slot);
        column.session.swap_remove(slot);
        (
            Addresses { v4, v6 },
            column.session.get(slot).map(|session| place(*session)),
        )
    }

    /// Swaps two slots; gives the sessions that stood in them and now stand in the other.
    pub(super) fn swap(&mut self, side: Side, one: u32, other: u32) -> Option<(usize, usize)> {
        let column = self.side_mut(side);
        let (one, other) = (place(one), place(other));
        if one == other || one.max(other) >= column.v4.len() {
            return None;
        }
        column.v4.swap(one, other);
        if !column.v6.is_empty() {
            column.v6.swap(one, other);
        }
        column.member.swap(one, other);
        column.session.swap(one, other);
        Some((
            place(*column.session.get(one)?),
            place(*column.session.get(other)?),
        ))
    }

    /// Tells a peer's session from another place from here on.
    pub(super) fn renumber(&mut self, side: Side, slot: u32, session: usize) {
        if let Some(kept) = self.side_mut(side).session.get_mut(place(slot)) {
            *kept = number(session);
        }
    }

    /// Gives the sessions of all peers.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = usize> {
        self.seeders
            .session
            .iter()
            .chain(&self.leechers.session)
            .map(|session| place(*session))
    }

    /// Tells whether a member has several seeders; it looks at every seeder, where one joins them.
    pub(super) fn has_several(&self, member: u32) -> bool {
        let own = |known: &&u32| **known == member;
        self.seeders.member.iter().filter(own).nth(1).is_some()
    }

    /// Tells whether one more address would be too many for a member.
    ///
    /// It looks at every peer, but only where a client joins that isn't a peer yet.
    pub(super) fn addresses(&self, member: u32, from: IpAddr, most: usize) -> bool {
        let from = plain(from);
        let mut others: Vec<IpAddr> = vec![];
        for column in [&self.seeders, &self.leechers] {
            for (slot, _) in column
                .member
                .iter()
                .enumerate()
                .filter(|(_, known)| **known == member)
            {
                let v4 = column
                    .v4
                    .get(slot)
                    .filter(|v4| **v4 != [0; 6])
                    .map(|v4| ip_v4(*v4));
                let v6 = column.v6(slot).map(ip_v6);
                // A peer with both families is one place.
                let known = v4
                    .or(v6)
                    .filter(|ip| *ip != from && v6 != Some(from) && !others.contains(ip));
                others.extend(known);
            }
        }
        others.len() >= most
    }

    /// Gives a window of the ring of leechers and, for a leecher, seeders; it begins at random, and
    /// leaves out the member's own peers.
    pub(super) fn window(
        &self,
        side: Side,
        member: u32,
        from: IpAddr,
        (wanted, families): (usize, Families),
        mut seen: impl FnMut(&mut Chosen, usize),
    ) -> Chosen {
        let seeders = if side == Side::Seeders {
            0
        } else {
            self.seeders.v4.len()
        };
        let ring = seeders + self.leechers.v4.len();
        let mut chosen = Chosen::default();
        if ring == 0 || wanted == 0 || families == Families::None {
            return chosen;
        }
        if families != Families::V6 {
            chosen.v4.reserve_exact(6 * wanted.min(ring));
        }
        let outside = !is_private(plain(from));
        let start = rand::rng().random_range(0..ring);
        let mut found = 0;
        // A member's own peers are few; the bound keeps a window of them from walking a whole swarm.
        for at in (start..ring)
            .chain(0..start)
            .take(wanted.saturating_mul(4).max(64))
        {
            if found >= wanted {
                break;
            }
            let (column, slot) = if at < seeders {
                (&self.seeders, at)
            } else {
                (&self.leechers, at - seeders)
            };
            if column.member.get(slot) != Some(&member) {
                found += column.hand_out(slot, (outside, families), &mut chosen, &mut seen);
            }
        }
        chosen
    }
}

/// Adds a value; room grows by an eighth.
fn push<T>(to: &mut Vec<T>, value: T) {
    if to.len() == to.capacity() {
        to.reserve_exact(to.len() / 8 + 2);
    }
    to.push(value);
}

impl Column {
    fn v6(&self, slot: usize) -> Option<&[u8; 18]> {
        self.v6.get(slot).and_then(Option::as_deref)
    }

    /// Notes a peer's IPv6 address; where no other peer has one and it has none, there is no column.
    fn set_v6(&mut self, slot: usize, address: Option<[u8; 18]>) {
        if self.v6.len() < self.v4.len() && (address.is_some() || !self.v6.is_empty()) {
            self.v6.resize_with(self.v4.len(), || None);
        }
        if let Some(kept) = self.v6.get_mut(slot) {
            *kept = address.map(Box::new);
        }
    }

    /// Hands out a peer's addresses that the asker can use; gives how many there were.
    fn hand_out(
        &self,
        slot: usize,
        (outside, families): (bool, Families),
        chosen: &mut Chosen,
        seen: &mut impl FnMut(&mut Chosen, usize),
    ) -> usize {
        let mut given = 0;
        let session = self.session.get(slot).map_or(0, |session| place(*session));
        if let Some(v4) = self
            .v4
            .get(slot)
            .filter(|v4| families != Families::V6 && **v4 != [0; 6])
            && !(outside && is_private(ip_v4(*v4)))
        {
            chosen.v4.extend_from_slice(v4);
            given += 1;
            seen(chosen, session);
        }
        if let Some(v6) = self.v6(slot)
            && families != Families::V4
            && !(outside && is_private(ip_v6(v6)))
        {
            chosen.v6.extend_from_slice(v6);
            given += 1;
            seen(chosen, session);
        }
        given
    }
}

impl Chosen {
    /// Names the peer whose address was added last.
    pub(super) fn fill_ids(&mut self, id: [u8; 20]) {
        if self.ids.len() < self.v4.len() / 6 {
            self.ids.push(id);
        }
        if self.ids6.len() < self.v6.len() / 18 {
            self.ids6.push(id);
        }
    }
}

fn compact_v4(ip: Ipv4Addr, port: u16) -> [u8; 6] {
    let ([a, b, c, d], [high, low]) = (ip.octets(), port.to_be_bytes());
    [a, b, c, d, high, low]
}

fn ip_v4([a, b, c, d, _, _]: [u8; 6]) -> IpAddr {
    IpAddr::from([a, b, c, d])
}

fn ip_v6(bytes: &[u8; 18]) -> IpAddr {
    let mut ip = [0; 16];
    ip.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    IpAddr::from(ip)
}
