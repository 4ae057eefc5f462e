//! The addresses of a swarm's peers, column by column.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use projections::swarm::Count;
use serde::{Deserialize, Serialize};

use super::{Chosen, number, place, push, share};
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

/// A peer as it is handed out, in fourteen bytes side by side.
#[derive(Clone, Copy)]
struct Row {
    v4: [u8; 6],
    member: [u8; 4],
    session: [u8; 4],
}

impl Row {
    /// The peer's member, by number.
    fn member(self) -> u32 {
        u32::from_ne_bytes(self.member)
    }

    /// The place of the peer's session.
    fn session(self) -> usize {
        place(u32::from_ne_bytes(self.session))
    }
}

/// The peers of one side.
#[derive(Default)]
struct Column {
    rows: Vec<Row>,
    /// Empty where no peer has one.
    v6: Vec<Option<Box<[u8; 18]>>>,
}

/// The peers of a swarm, seeders and leechers apart.
#[derive(Default)]
pub(crate) struct Peers {
    seeders: Column,
    leechers: Column,
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
            seeders: number(self.seeders.rows.len()),
            leechers: number(self.leechers.rows.len()),
        }
    }

    pub(super) fn length(&self, side: Side) -> u32 {
        number(self.side(side).rows.len())
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
        let row = Row {
            v4: addresses.v4,
            member: member.to_ne_bytes(),
            session: number(session).to_ne_bytes(),
        };
        push(&mut column.rows, row);
        let slot = column.rows.len() - 1;
        if !column.v6.is_empty() || addresses.v6.is_some() {
            column.set_v6(slot, addresses.v6);
        }
        number(slot)
    }

    /// Gives a peer's addresses.
    pub(super) fn get(&self, side: Side, slot: u32) -> Addresses {
        let column = self.side(side);
        let row = column.rows.get(place(slot));
        Addresses {
            v4: row.map(|row| row.v4).unwrap_or_default(),
            v6: column.v6(place(slot)).copied(),
        }
    }

    /// Notes all addresses of a peer.
    pub(super) fn put(&mut self, side: Side, slot: u32, addresses: Addresses) {
        let column = self.side_mut(side);
        if let Some(row) = column.rows.get_mut(place(slot)) {
            row.v4 = addresses.v4;
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
                if let Some(row) = column.rows.get_mut(place(slot)) {
                    row.v4 = compact_v4(v4, address.port());
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
        if slot >= column.rows.len() {
            return (Addresses::default(), None);
        }
        let v4 = column.rows.swap_remove(slot).v4;
        let v6 = if column.v6.is_empty() {
            None
        } else {
            column.v6.swap_remove(slot).map(|boxed| *boxed)
        };
        let moved = column.rows.get(slot).map(|row| row.session());
        (Addresses { v4, v6 }, moved)
    }

    /// Swaps two slots; gives the sessions that stood in them and now stand in the other.
    pub(super) fn swap(&mut self, side: Side, one: u32, other: u32) -> Option<(usize, usize)> {
        let column = self.side_mut(side);
        let (one, other) = (place(one), place(other));
        if one == other || one.max(other) >= column.rows.len() {
            return None;
        }
        column.rows.swap(one, other);
        if !column.v6.is_empty() {
            column.v6.swap(one, other);
        }
        Some((
            column.rows.get(one)?.session(),
            column.rows.get(other)?.session(),
        ))
    }

    /// Tells a peer's session from another place from here on.
    pub(super) fn renumber(&mut self, side: Side, slot: u32, session: usize) {
        if let Some(row) = self.side_mut(side).rows.get_mut(place(slot)) {
            row.session = number(session).to_ne_bytes();
        }
    }

    /// Gives the sessions of all peers.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = usize> {
        let rows = self.seeders.rows.iter().chain(&self.leechers.rows);
        rows.map(|row| row.session())
    }

    /// Gives how many seeders and how many peers are in the ring from which somebody is answered.
    fn ring(&self, side: Side) -> (usize, usize) {
        let seeders = match side {
            Side::Seeders => 0,
            Side::Leechers => self.seeders.rows.len(),
        };
        (seeders, seeders + self.leechers.rows.len())
    }

    /// Gives the peer of a place in the ring.
    fn in_ring(&self, seeders: usize, at: usize) -> Option<&Row> {
        match at.checked_sub(seeders) {
            None => self.seeders.rows.get(at),
            Some(slot) => self.leechers.rows.get(slot),
        }
    }

    /// Reads what an announce will need of other peers, if it is there still, before it needs it: memory
    /// fetches it while the session is looked for.
    pub(super) fn read_early(&self, seeds: bool, [start, other]: [u32; 2]) {
        let side = if seeds { Side::Seeders } else { Side::Leechers };
        let (seeders, ring) = self.ring(side);
        let first = place(share(start, number(ring)));
        let other = place(share(other, self.length(side)));
        let member = |row: &Row| row.member;
        black_box(self.in_ring(seeders, first).map(member));
        black_box(self.side(side).rows.get(other).map(member));
    }

    /// Gives a window of the ring of leechers and, for a leecher, seeders; it begins at random, and
    /// leaves out the member's own peers.
    pub(super) fn window(
        &self,
        (side, luck): (Side, u32),
        member: u32,
        from: IpAddr,
        (wanted, families): (usize, Families),
        mut seen: impl FnMut(&mut Chosen, usize),
    ) -> Chosen {
        let (seeders, ring) = self.ring(side);
        let mut chosen = Chosen::default();
        if ring == 0 || wanted == 0 || families == Families::None {
            return chosen;
        }
        if families != Families::V6 {
            chosen.v4.reserve_exact(6 * wanted.min(ring));
        }
        let outside = !is_private(plain(from));
        let start = place(share(luck, number(ring)));
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
            if let Some(row) = column.rows.get(slot).filter(|row| row.member() != member) {
                found += column.hand_out((slot, row), (outside, families), &mut chosen, &mut seen);
            }
        }
        chosen
    }
}

impl Column {
    fn v6(&self, slot: usize) -> Option<&[u8; 18]> {
        self.v6.get(slot).and_then(Option::as_deref)
    }

    /// Notes a peer's IPv6 address; where no other peer has one and it has none, there is no column.
    fn set_v6(&mut self, slot: usize, address: Option<[u8; 18]>) {
        if self.v6.len() < self.rows.len() && (address.is_some() || !self.v6.is_empty()) {
            self.v6.resize_with(self.rows.len(), || None);
        }
        if let Some(kept) = self.v6.get_mut(slot) {
            *kept = address.map(Box::new);
        }
    }

    /// Hands out a peer's addresses that the asker can use; gives how many there were.
    fn hand_out(
        &self,
        (slot, row): (usize, &Row),
        (outside, families): (bool, Families),
        chosen: &mut Chosen,
        seen: &mut impl FnMut(&mut Chosen, usize),
    ) -> usize {
        let mut given = 0;
        if families != Families::V6 && row.v4 != [0; 6] && !(outside && is_private(ip_v4(row.v4))) {
            chosen.v4.extend_from_slice(&row.v4);
            given += 1;
            seen(chosen, row.session());
        }
        if let Some(v6) = self.v6(slot)
            && families != Families::V4
            && !(outside && is_private(ip_v6(v6)))
        {
            chosen.v6.extend_from_slice(v6);
            given += 1;
            seen(chosen, row.session());
        }
        given
    }
}

impl Addresses {
    /// Gives the address over IPv4, where there is one.
    pub(super) fn ip_v4(&self) -> Option<IpAddr> {
        (self.v4 != [0; 6]).then(|| ip_v4(self.v4))
    }

    /// Gives the address over IPv6, where there is one.
    pub(super) fn ip_v6(&self) -> Option<IpAddr> {
        self.v6.as_ref().map(ip_v6)
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
