//! Which of many networks an address lies in: sorted once, found by one binary search.

use ipnet::IpNet;
use std::net::IpAddr;

/// Values by network. Networks of one family either lie inside each other or apart, so that those around an address
/// are found by climbing from the innermost one: at most 33 of IPv4 and 129 of IPv6.
#[derive(Clone, Debug)]
pub(super) struct NetworkMap<T> {
    v4: Vec<Span<T>>,
    v6: Vec<Span<T>>,
}

impl<T> Default for NetworkMap<T> {
    fn default() -> Self {
        Self { v4: Vec::new(), v6: Vec::new() }
    }
}

/// A network, and what was said of it.
#[derive(Clone, Debug)]
struct Span<T> {
    first: u128,
    last: u128,
    /// The next network around it.
    around: Option<u32>,
    values: Vec<T>,
}

impl<T> NetworkMap<T> {
    /// A map of these networks; values of one network keep their order.
    pub(super) fn new(entries: impl IntoIterator<Item = (IpNet, T)>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (net, value) in entries {
            let (first, last) = (bits(net.network()), bits(net.broadcast()));
            let family = if matches!(net, IpNet::V4(_)) { &mut v4 } else { &mut v6 };
            family.push((first, last, value));
        }
        Self { v4: nested(v4), v6: nested(v6) }
    }

    /// The values of every network around an address, from the innermost outwards. An IPv4 address in IPv6 form is an
    /// IPv4 address.
    pub(super) fn around(&self, address: IpAddr) -> impl Iterator<Item = &[T]> {
        let address = address.to_canonical();
        let family = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        let bits = bits(address);
        let mut next = family.partition_point(|span| span.first <= bits).checked_sub(1);
        std::iter::from_fn(move || {
            loop {
                let span = family.get(next?)?;
                next = span.around.and_then(|around| usize::try_from(around).ok());
                if bits <= span.last {
                    return Some(span.values.as_slice());
                }
            }
        })
    }

    /// Whether an address lies in any of them.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.around(address).next().is_some()
    }
}

/// Sorts networks, outer before inner, and tells each the one around it.
fn nested<T>(mut entries: Vec<(u128, u128, T)>) -> Vec<Span<T>> {
    entries.sort_by_key(|(first, last, _)| (*first, u128::MAX - *last));
    let mut spans: Vec<Span<T>> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for (first, last, value) in entries {
        if let Some(same) = spans.last_mut().filter(|span| (span.first, span.last) == (first, last)) {
            same.values.push(value);
            continue;
        }
        while open.last().and_then(|around| spans.get(*around)).is_some_and(|around| around.last < first) {
            open.pop();
        }
        let around = open.last().and_then(|around| u32::try_from(*around).ok());
        open.push(spans.len());
        spans.push(Span { first, last, around, values: vec![value] });
    }
    spans
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(nets: &[&str]) -> NetworkMap<usize> {
        NetworkMap::new(nets.iter().enumerate().map(|(number, net)| (net.parse().expect("a network"), number)))
    }

    fn around(map: &NetworkMap<usize>, address: &str) -> Vec<usize> {
        map.around(address.parse().expect("an address")).flatten().copied().collect()
    }

    #[test]
    fn every_network_around_an_address_is_found_from_the_inside_out() {
        let map = map(&["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "0.0.0.0/0", "10.1.0.0/16", "10.1.3.0/24"]);
        assert_eq!(around(&map, "10.1.2.3"), [2, 1, 4, 0, 3]);
        assert_eq!(around(&map, "10.1.255.255"), [1, 4, 0, 3]);
        assert_eq!(around(&map, "10.2.0.0"), [0, 3]);
        assert_eq!(around(&map, "9.255.255.255"), [3]);
        assert_eq!(map.v4.len(), 5);
    }

    #[test]
    fn the_families_stay_apart_but_for_addresses_in_the_other_ones_form() {
        let map = map(&["0.0.0.0/0", "2001:db8::/32", "::/0"]);
        assert_eq!(around(&map, "203.0.113.9"), [0]);
        assert_eq!(around(&map, "::ffff:203.0.113.9"), [0]);
        assert_eq!(around(&map, "2001:db8::1"), [1, 2]);
        assert!(!super::NetworkMap::<()>::default().contains("::1".parse().expect("an address")));
    }

    proptest::proptest! {
        #[test]
        fn it_finds_what_a_look_at_each_network_finds(
            nets in proptest::collection::vec((proptest::prelude::any::<u32>(), 0_u8..=32), 0..60),
            addresses in proptest::collection::vec(proptest::prelude::any::<u32>(), 0..20),
        ) {
            let nets: Vec<IpNet> = nets
                .into_iter()
                .map(|(bits, length)| IpNet::new(IpAddr::from(bits.to_be_bytes()), length).expect("a length").trunc())
                .collect();
            let map = NetworkMap::new(nets.iter().copied().zip(0_usize..));
            let ends = nets.iter().flat_map(|net| [net.network(), net.broadcast()]);
            for address in addresses.into_iter().map(|bits| IpAddr::from(bits.to_be_bytes())).chain(ends) {
                let mut found: Vec<usize> = map.around(address).flatten().copied().collect();
                found.sort_unstable();
                let looked: Vec<usize> = (0..nets.len()).filter(|number| nets[*number].contains(&address)).collect();
                proptest::prop_assert_eq!(found, looked);
            }
        }
    }
}
