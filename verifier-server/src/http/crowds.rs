//! Who makes room: of the network that has most over its shares the oldest, one by one.

use puzzle::ClientNetwork;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use tokio::time::Instant;

/// Parts of a share that are told apart.
const PARTS_OF_A_SHARE: u64 = 1 << 16;

/// How crowded a network is: so many of something, over its shares. Ordered, in parts of a share.
pub(super) fn crowding(count: usize, shares: u32) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(PARTS_OF_A_SHARE) / u64::from(shares.max(1))
}

/// At most `count` of `all`, each the oldest of the network that has most left over its shares.
pub(super) fn most_crowded<T>(
    all: impl Iterator<Item = T>,
    count: usize,
    of: impl Fn(&T) -> (ClientNetwork, Instant),
    shares: impl Fn(ClientNetwork) -> u32,
) -> Vec<T> {
    let mut networks: HashMap<ClientNetwork, Vec<(Instant, T)>> = HashMap::new();
    for item in all {
        let (network, began) = of(&item);
        networks.entry(network).or_default().push((began, item));
    }
    let mut groups: Vec<(u32, Vec<(Instant, T)>)> =
        networks.into_iter().map(|(network, items)| (shares(network), items)).collect();
    for (_, items) in &mut groups {
        // The oldest last, so that it is popped first.
        items.sort_by_key(|(began, _)| Reverse(*began));
    }
    let mut order: BinaryHeap<(u64, usize)> =
        groups.iter().enumerate().map(|(index, (shares, items))| (crowding(items.len(), *shares), index)).collect();
    let mut chosen = Vec::new();
    while chosen.len() < count
        && let Some((_, index)) = order.pop()
    {
        let (shares, items) = &mut groups[index];
        chosen.extend(items.pop().map(|(_, item)| item));
        if !items.is_empty() {
            order.push((crowding(items.len(), *shares), index));
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_oldest_of_whoever_has_most_over_its_shares_comes_first() {
        let begin = Instant::now();
        let network = |third: u8| ClientNetwork::of([203, 0, third, 9].into());
        let items = [(1, 5), (2, 1), (2, 3), (2, 2), (3, 9), (3, 8), (3, 7), (3, 6)];
        let of = |item: &(u8, u64)| (network(item.0), begin + Duration::from_secs(item.1));
        let shares = |of| if of == network(3) { 8 } else { 1 };
        let chosen = most_crowded(items.into_iter(), 4, of, shares);
        assert_eq!(chosen[..2], [(2, 1), (2, 2)]);
        assert_eq!(chosen.len(), 4);
        assert!(!chosen[2..].iter().any(|item| item.0 == 3), "{chosen:?}");
        assert_eq!(most_crowded(items.into_iter(), 99, of, shares).len(), 8);
    }
}
