//! Whose requests they are: on loopback every address of 127.0.0.0/8 may be one's own, so each can be another network.

use std::net::{Ipv4Addr, TcpListener};

/// Client networks that the flood comes from, spread over many /16: one /16 alone counts for little.
pub(super) const FLOOD_NETWORKS: u8 = 100;
/// First the flood's /16, then the visitors'. The browser of whoever watches comes from 127.0.0.1 and is in neither.
const FLOOD_FIRST: u8 = 10;
const VISITORS_FIRST: u8 = 200;
const VISITORS_SPREAD: u8 = 50;

/// Where requests of the demo may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Networks {
    /// From as many as are wanted.
    Many,
    /// From 127.0.0.1 alone: this system does not give out the others.
    One,
}

impl Networks {
    /// Tries whether this system gives out other addresses than 127.0.0.1.
    pub(super) fn find() -> Self {
        let tried = [Self::Many.of_flood(0), Self::Many.of_flood(FLOOD_NETWORKS - 1), Self::Many.of_visitor(0)];
        if tried.into_iter().all(|address| TcpListener::bind((address, 0)).is_ok()) { Self::Many } else { Self::One }
    }

    /// The address of the flood's network with this number.
    pub(super) const fn of_flood(self, number: u8) -> Ipv4Addr {
        match self {
            Self::Many => Ipv4Addr::new(127, FLOOD_FIRST + number % FLOOD_NETWORKS / 2, 1 + number % 2, 1),
            Self::One => Ipv4Addr::LOCALHOST,
        }
    }

    /// The address of the visitor with this number.
    pub(super) fn of_visitor(self, number: u32) -> Ipv4Addr {
        let [.., spread, low] = number.to_be_bytes();
        match self {
            Self::Many => Ipv4Addr::new(127, VISITORS_FIRST + low % VISITORS_SPREAD, spread.wrapping_add(low), 1),
            Self::One => Ipv4Addr::LOCALHOST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use puzzle::ClientNetwork;
    use std::collections::HashSet;

    #[test]
    fn flood_and_visitors_are_networks_of_their_own_and_all_on_loopback() {
        let flood: HashSet<Ipv4Addr> = (0..FLOOD_NETWORKS).map(|number| Networks::Many.of_flood(number)).collect();
        let visitors: HashSet<Ipv4Addr> = (0..200).map(|number| Networks::Many.of_visitor(number)).collect();
        let network = |address: &Ipv4Addr| ClientNetwork::of((*address).into()).to_string();
        let networks: HashSet<String> =
            flood.iter().chain(&visitors).chain([&Ipv4Addr::LOCALHOST]).map(network).collect();
        assert_eq!(networks.len(), flood.len() + visitors.len() + 1);
        assert_eq!(flood.len(), usize::from(FLOOD_NETWORKS));
        assert!(flood.iter().chain(&visitors).all(Ipv4Addr::is_loopback));
        let wide: HashSet<u8> = flood.iter().map(|address| address.octets()[1]).collect();
        assert!(wide.len() >= 50, "a /16 counts for four /24 at the most");
    }

    #[test]
    fn where_there_is_one_address_everything_comes_from_it() {
        assert_eq!(Networks::One.of_flood(7), Ipv4Addr::LOCALHOST);
        assert_eq!(Networks::One.of_visitor(7), Ipv4Addr::LOCALHOST);
    }
}
