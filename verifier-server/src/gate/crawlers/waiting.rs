//! Addresses whose names are to be asked for: how many wait, and how many of them come from one network.

use super::Wish;
use super::generations::Generations;
use crate::gate::networks::{HashKey, Nested, Prefix};
use puzzle::{ClientNetwork, UnixSeconds};
use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;

/// Addresses that wait to be asked for.
pub const WAITING_MAX: usize = 256;
/// Of one /24, or one /48 of IPv6.
pub const WAITING_OF_NETWORK_MAX: usize = 4;
/// Of one /16, or one /32 of IPv6.
const WAITING_OF_ALLOCATION_MAX: usize = 32;
/// Times that addresses of one /24, or one /48 of IPv6, are asked for within ten to twenty minutes, where no crawler is
/// known in it.
pub const ASKED_OF_NETWORK_MAX: u32 = 64;
/// The same in a network in which there is a crawler: a neighbour of one leaves lookups to others.
const ASKED_NEAR_MAX: u32 = 16 * ASKED_OF_NETWORK_MAX;
const ASKED_SECONDS: u32 = 600;
/// More networks than can be asked for in that time.
const ASKED_NETWORKS_MAX: usize = 16_384;

/// The network and the allocation that an address is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Networks {
    network: Prefix,
    allocation: Prefix,
}

impl Networks {
    pub(super) fn of(address: IpAddr) -> Self {
        match Nested::of(ClientNetwork::of(address)) {
            Nested::V4([network, allocation]) | Nested::V6([_, network, allocation]) => Self { network, allocation },
        }
    }
}

/// Those that wait, the next one first.
#[derive(Debug)]
pub(super) struct Waiting {
    queue: VecDeque<(IpAddr, Networks)>,
    queued: HashSet<IpAddr, HashKey>,
    asked: Generations<Prefix, u32>,
}

impl Waiting {
    pub(super) fn new(key: HashKey) -> Self {
        Self {
            queue: VecDeque::new(),
            queued: HashSet::with_hasher(key.part("queued")),
            asked: Generations::new(key.part("asked"), ASKED_NETWORKS_MAX, ASKED_SECONDS),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Adds an address. One that `is_near` a crawler goes first, and where there is no room the last one leaves for it.
    pub(super) fn add(&mut self, address: IpAddr, networks: Networks, is_near: bool, now: UnixSeconds) -> Wish {
        if self.queued.contains(&address) {
            return Wish::Idle;
        }
        let asked = self.asked.get(&networks.network, now).copied().unwrap_or(0);
        let count = |fits: &dyn Fn(&Networks) -> bool| self.queue.iter().filter(|(_, waits)| fits(waits)).count();
        let of_network = count(&|waits| waits.network == networks.network);
        let of_allocation = count(&|waits| waits.allocation == networks.allocation);
        let asked_max = if is_near { ASKED_NEAR_MAX } else { ASKED_OF_NETWORK_MAX };
        let has_its_share = of_network >= WAITING_OF_NETWORK_MAX
            || asked >= asked_max
            || (!is_near && of_allocation >= WAITING_OF_ALLOCATION_MAX);
        if has_its_share || (self.queue.len() >= WAITING_MAX && !is_near) {
            return Wish::Dropped;
        }
        if self.queue.len() >= WAITING_MAX
            && let Some((last, _)) = self.queue.pop_back()
        {
            self.queued.remove(&last);
        }
        self.asked.put(networks.network, asked + 1, now);
        self.queued.insert(address);
        if is_near {
            self.queue.push_front((address, networks));
        } else {
            self.queue.push_back((address, networks));
        }
        Wish::Waits
    }

    pub(super) fn next(&mut self) -> Option<IpAddr> {
        let (address, _) = self.queue.pop_front()?;
        self.queued.remove(&address);
        Some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    struct Row(Waiting);

    impl Row {
        fn new() -> Self {
            Self(Waiting::new(HashKey([1; 16])))
        }

        fn add(&mut self, address: impl Into<IpAddr>, is_near: bool) -> Wish {
            let address = address.into();
            self.0.add(address, Networks::of(address), is_near, NOW)
        }
    }

    fn v4(bits: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(bits)
    }

    #[test]
    fn one_network_and_one_allocation_leave_room_for_others() {
        let mut row = Row::new();
        let waits = (0..100).filter(|host| row.add(v4(0x0a00_0000 + host), false) == Wish::Waits).count();
        assert_eq!(waits, WAITING_OF_NETWORK_MAX);
        let waits = (0..60_000).filter(|net| row.add(v4(0x0a00_0000 + (net << 8)), false) == Wish::Waits).count();
        assert!(waits <= WAITING_MAX - WAITING_OF_NETWORK_MAX);
        let mut row = Row::new();
        let of_allocation = |net: u16| Ipv6Addr::new(0x2001, 0xdb8, net, 0, 0, 0, 0, 1);
        let waits = (0..1_000).filter(|net| row.add(of_allocation(*net), false) == Wish::Waits).count();
        assert_eq!(waits, WAITING_OF_ALLOCATION_MAX);
        assert_eq!(row.add(v4(1), false), Wish::Waits);
    }

    #[test]
    fn a_network_is_asked_for_so_often_in_ten_minutes_and_one_with_a_crawler_more_often() {
        let mut row = Row::new();
        let mut asked = |is_near: bool| {
            let asked = (0..200_u32)
                .filter(|host| row.add(v4(0x0a00_0000 + host), is_near) == Wish::Waits && row.0.next().is_some());
            asked.count()
        };
        assert_eq!(asked(false), usize::try_from(ASKED_OF_NETWORK_MAX).expect("few"));
        assert_eq!((asked(false), asked(true)), (0, 200));
        let further: usize = (0..10).map(|_| asked(true)).sum();
        let all = usize::try_from(ASKED_OF_NETWORK_MAX).expect("few") + 200 + further;
        assert_eq!(all, usize::try_from(ASKED_NEAR_MAX).expect("few"), "and not without end");
    }

    #[test]
    fn who_is_near_a_crawler_goes_first_and_finds_room() {
        let mut row = Row::new();
        let mut nets = 0_u32;
        while row.0.len() < WAITING_MAX {
            row.add(v4(nets << 16), false);
            nets += 1;
        }
        assert_eq!(row.add(v4(nets << 16), false), Wish::Dropped);
        assert_eq!(row.add(v4(0xc000_0201), true), Wish::Waits);
        assert_eq!((row.0.len(), row.0.next()), (WAITING_MAX, Some(v4(0xc000_0201).into())));
        assert_eq!(row.add(v4((nets - 1) << 16), false), Wish::Waits, "the last one had left");
    }
}
