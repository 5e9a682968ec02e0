//! Fair shares between nested networks: a /24 in a /16, a /56 in a /48 in a /32.
//!
//! Shares are kept by virtual time: a network's own clock goes on by what it is served, divided by its shares, and the
//! network whose clock is furthest behind is served next (start-time fair queueing; Goyal, Vin and Cheng, 1996). In the
//! long run that is what deficit round robin gives. In the short run a network that asks for less than its share waits
//! for nobody's turn: an office of fifty shares among a thousand networks would wait for a whole round before each
//! asset, which is longer than a page may take. A network around others has as many shares as those of them that wait,
//! up to a limit of its own.

use super::Request;
use super::lane::{Lane, Token, Waiter};
use super::waits::speaker;
use crate::gate::networks::{HashKey, Nested, Prefix};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// The most that a request counts for here, in millionths of a credit: a hundred credits.
const COST_MAX: u64 = 100_000_000;
/// What a network's clock goes on by for a millionth of a credit and one share.
const TICKS: u64 = 4_096;
/// Networks that wait for nothing and whose clocks are remembered: they are ahead of the others.
const REMEMBERED_MAX: usize = 8_192;
/// Lanes that are looked at to find one that makes room for another.
const LOOKED_AT: usize = 32;
/// A prime, so that a look goes all over the tree.
const LOOKED_AT_EVERY: usize = 8_191;

type Index = usize;

/// The networks that wait in one class.
#[derive(Debug)]
pub(super) struct Tree<T> {
    nodes: Vec<Option<Node<T>>>,
    unused: Vec<Index>,
    by_prefix: HashMap<Prefix, Index>,
    /// The outermost networks.
    ring: Ring,
    len: usize,
    /// Where the next look for a lane that makes room begins.
    hand: usize,
}

/// Networks side by side, by their clocks.
#[derive(Debug, Default)]
struct Ring {
    /// Those that wait, the one that is served next first. Of equal clocks the one that came first.
    waiting: BTreeSet<(u64, u64, Index)>,
    /// Those that wait for nothing and are ahead.
    ahead: BTreeSet<(u64, Index)>,
    /// The clock of the one that was served last, when it was: nobody begins behind it.
    now: u64,
    /// Numbers those that come.
    arrivals: u64,
}

#[derive(Debug)]
struct Node<T> {
    prefix: Prefix,
    around: Option<Index>,
    /// Its shares at the most,
    shares: u64,
    /// and those of the networks in it that wait; of a client network both are the same.
    inside: u64,
    clock: u64,
    /// Its number among those that came; nothing while it waits for nothing.
    waits_as: Option<u64>,
    /// When it was served last, or began to wait.
    since: Duration,
    content: Content<T>,
}

#[derive(Debug)]
enum Content<T> {
    /// The networks in it.
    Ring(Ring),
    /// The requests of a client network.
    Lane(Box<Client<T>>),
}

/// A client network and its requests.
#[derive(Debug)]
pub(super) struct Client<T> {
    pub(super) network: Nested,
    pub(super) shares: [u32; 3],
    lane: Lane<T>,
}

/// What was served, and to whom.
#[derive(Debug)]
pub(super) struct Served<T> {
    pub(super) waiter: Waiter<T>,
    pub(super) network: Nested,
    pub(super) shares: [u32; 3],
    /// How long it waited for others than its own network.
    pub(super) waited: Duration,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            unused: Vec::new(),
            by_prefix: HashMap::new(),
            ring: Ring::default(),
            len: 0,
            hand: 0,
        }
    }
}

impl<T> Node<T> {
    fn effective(&self) -> u64 {
        self.inside.min(self.shares).max(1)
    }
}

impl<T: Token> Tree<T> {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Lets a request wait. Returns the one that had to make room in the lane of its network, which may be itself.
    pub(super) fn push(
        &mut self,
        request: &Request,
        hasher: &HashKey,
        mut waiter: Waiter<T>,
        now: Duration,
    ) -> Option<T> {
        waiter.cost = waiter.cost.min(COST_MAX);
        let (index, client) = self.client(request.network, request.shares, now);
        let most = Lane::<T>::most(client.shares[0]);
        let dropped = client.lane.push(hasher, request.clearance, waiter, most);
        self.len += usize::from(dropped.is_none());
        self.begins_to_wait(index, now);
        dropped
    }

    /// Takes over a network that waited in another tree.
    pub(super) fn adopt(&mut self, client: Client<T>, now: Duration) {
        self.len += client.lane.len();
        let (index, place) = self.client(client.network, client.shares, now);
        place.lane.append(client.lane);
        self.begins_to_wait(index, now);
    }

    /// The network that is next; requests that came before `stale_before` are dropped where their turn comes.
    pub(super) fn turn(&mut self, stale_before: Duration, dropped: &mut impl FnMut(T)) -> Option<Index> {
        if self.len == 0 {
            // Nobody waits for anybody: there is nothing to be remembered.
            if !self.nodes.is_empty() {
                *self = Self::default();
            }
            return None;
        }
        self.select(None, stale_before, dropped)
    }

    /// The client network at `index`, which [`Tree::turn`] returned.
    pub(super) fn at(&self, index: Index) -> Option<&Client<T>> {
        match &self.nodes.get(index)?.as_ref()?.content {
            Content::Lane(client) => Some(client),
            Content::Ring(_) => None,
        }
    }

    /// Serves the next request of the network at `index`, whose turn it is.
    pub(super) fn serve(&mut self, index: Index, now: Duration) -> Option<Served<T>> {
        let client = self.client_at(index)?;
        let (network, shares, waiter) = (client.network, client.shares, client.lane.pop()?);
        let emptied = client.lane.len() == 0;
        self.len -= 1;
        let (mut next, mut outermost_since) = (Some(index), now);
        while let Some(at) = next {
            let node = self.nodes[at].as_mut()?;
            outermost_since = std::mem::replace(&mut node.since, now);
            let (before, around) = (node.clock, node.around);
            node.clock += waiter.cost * TICKS / node.effective();
            let (after, arrival) = (node.clock, node.waits_as);
            let ring = self.ring(around)?;
            ring.now = ring.now.max(before);
            if let Some(arrival) = arrival
                && ring.waiting.remove(&(before, arrival, at))
            {
                ring.waiting.insert((after, arrival, at));
            }
            next = around;
        }
        if emptied {
            self.waits_no_more(index);
        }
        let others_since = waiter.came.max(outermost_since);
        Some(Served { waiter, network, shares, waited: now.saturating_sub(others_since) })
    }

    /// Takes the whole network at `index` out of the tree.
    pub(super) fn take(&mut self, index: Index) -> Option<Client<T>> {
        let client = self.client_at(index)?;
        let taken = Client { lane: std::mem::take(&mut client.lane), ..*client };
        self.len -= taken.lane.len();
        self.waits_no_more(index);
        Some(taken)
    }

    /// Takes away the last request of a network that waits with more of them for each of its shares than others.
    pub(super) fn drop_from_a_long_lane(&mut self) -> Option<T> {
        let count = self.nodes.len();
        let per_share = |node: &Node<T>| match &node.content {
            Content::Lane(client) => client.lane.len() * 1_000 / usize::try_from(node.shares.max(1)).unwrap_or(1),
            Content::Ring(_) => 0,
        };
        // From all over the tree: those that came one after the other are often alike.
        let looked_at = (0..count).map(|step| (self.hand + step * LOOKED_AT_EVERY) % count);
        let lanes = looked_at.filter_map(|index| Some((per_share(self.nodes[index].as_ref()?), index)));
        let (_, longest) = lanes.filter(|(length, _)| *length > 0).take(LOOKED_AT).max()?;
        self.hand += 1;
        let dropped = self.client_at(longest)?.lane.drop_last_of_longest()?;
        self.len -= 1;
        Some(dropped)
    }

    /// Drops everywhere what came before `stale_before`.
    pub(super) fn drop_stale(&mut self, stale_before: Duration, dropped: &mut impl FnMut(T)) {
        for node in self.nodes.iter_mut().flatten() {
            if let Content::Lane(client) = &mut node.content {
                let before = client.lane.len();
                client.lane.drop_stale(stale_before, &mut *dropped);
                self.len -= before - client.lane.len();
            }
        }
    }

    /// Takes away the requests of which nothing was asked.
    pub(super) fn take_free(&mut self, taken: &mut impl FnMut(T)) {
        for node in self.nodes.iter_mut().flatten() {
            if let Content::Lane(client) = &mut node.content {
                let before = client.lane.len();
                client.lane.take_free(taken);
                self.len -= before - client.lane.len();
            }
        }
    }

    /// How long every outermost network waits for others: since it was served last, or since its oldest request came.
    pub(super) fn waits(&self, now: Duration, mut note: impl FnMut(Prefix, Duration)) {
        for node in self.nodes.iter().flatten() {
            let Content::Lane(client) = &node.content else { continue };
            let Some(oldest) = client.lane.oldest() else { continue };
            let outermost = self.by_prefix.get(&speaker(&client.network)).and_then(|index| self.nodes[*index].as_ref());
            let since = outermost.map_or(now, |outermost| outermost.since);
            note(speaker(&client.network), now.saturating_sub(oldest.max(since)));
        }
    }

    /// The outermost ring, or that of a network around others.
    fn ring(&mut self, of: Option<Index>) -> Option<&mut Ring> {
        let Some(of) = of else { return Some(&mut self.ring) };
        match &mut self.nodes[of].as_mut()?.content {
            Content::Ring(ring) => Some(ring),
            Content::Lane(_) => None,
        }
    }

    /// The client network that is next in a ring. Networks without requests wait no more from here on.
    fn select(&mut self, of: Option<Index>, stale_before: Duration, dropped: &mut impl FnMut(T)) -> Option<Index> {
        loop {
            let (_, _, first) = *self.ring(of)?.waiting.first()?;
            let is_client = matches!(self.nodes[first].as_ref()?.content, Content::Lane(_));
            let found = if is_client {
                self.has_fresh(first, stale_before, dropped).then_some(first)
            } else {
                self.select(Some(first), stale_before, dropped)
            };
            if found.is_some() {
                return found;
            }
            if self.nodes[first].as_ref().is_some_and(|node| node.waits_as.is_some()) {
                self.waits_no_more(first);
            }
        }
    }

    fn has_fresh(&mut self, index: Index, stale_before: Duration, dropped: &mut impl FnMut(T)) -> bool {
        let Some(client) = self.client_at(index) else { return false };
        let before = client.lane.len();
        client.lane.drop_stale(stale_before, dropped);
        let after = client.lane.len();
        self.len -= before - after;
        after > 0
    }

    fn client_at(&mut self, index: Index) -> Option<&mut Client<T>> {
        match &mut self.nodes.get_mut(index)?.as_mut()?.content {
            Content::Lane(client) => Some(client),
            Content::Ring(_) => None,
        }
    }

    /// The place of a client network in the tree, made with those around it where they are not there yet.
    fn client(&mut self, network: Nested, shares: [u32; 3], now: Duration) -> (Index, &mut Client<T>) {
        let levels = network.levels();
        let mut around = None;
        for (prefix, shares) in levels.iter().zip(shares).skip(1).rev() {
            let known = self.by_prefix.get(prefix).copied();
            around = Some(known.unwrap_or_else(|| {
                let most = u64::from(shares).max(assumed(*prefix));
                self.add(around, *prefix, most, 0, Content::Ring(Ring::default()), now)
            }));
        }
        let known = self.by_prefix.get(&levels[0]).copied();
        let index = known.unwrap_or_else(|| {
            let own = u64::from(shares[0].max(1));
            let client = Client { network, shares, lane: Lane::default() };
            self.add(around, levels[0], own, own, Content::Lane(Box::new(client)), now)
        });
        match &mut self.nodes[index].as_mut().expect("what a prefix leads to is there").content {
            Content::Lane(client) => (index, client),
            Content::Ring(_) => unreachable!("the narrowest prefix is that of a client network"),
        }
    }

    fn add(
        &mut self,
        around: Option<Index>,
        prefix: Prefix,
        shares: u64,
        inside: u64,
        content: Content<T>,
        now: Duration,
    ) -> Index {
        let node = Some(Node { prefix, around, shares, inside, clock: 0, waits_as: None, since: now, content });
        let index = self.unused.pop().unwrap_or(self.nodes.len());
        if index < self.nodes.len() {
            self.nodes[index] = node;
        } else {
            self.nodes.push(node);
        }
        self.by_prefix.insert(prefix, index);
        index
    }

    /// A network has something to wait for, and so have those around it: it begins where the others are, or ahead of
    /// them if it was served more of late.
    fn begins_to_wait(&mut self, index: Index, now: Duration) {
        let mut next = Some(index);
        while let Some(at) = next {
            let Some(node) = self.nodes[at].as_ref() else { return };
            if node.waits_as.is_some() {
                return;
            }
            let (around, had) = (node.around, node.clock);
            let Some(ring) = self.ring(around) else { return };
            ring.ahead.remove(&(had, at));
            let (clock, arrival) = (had.max(ring.now), ring.arrivals);
            ring.arrivals += 1;
            ring.waiting.insert((clock, arrival, at));
            let Some(node) = self.nodes[at].as_mut() else { return };
            (node.clock, node.waits_as, node.since) = (clock, Some(arrival), now);
            let has = node.inside.min(node.shares);
            if matches!(node.content, Content::Lane(_)) {
                self.change_inside(around, 0, has);
            }
            next = around;
        }
    }

    /// A network waits for nothing any more, nor do those around it where it was the last in them.
    fn waits_no_more(&mut self, index: Index) {
        let mut next = Some(index);
        while let Some(at) = next {
            let Some(node) = self.nodes[at].as_mut() else { return };
            let Some(arrival) = node.waits_as.take() else { return };
            let (around, clock, has) = (node.around, node.clock, node.inside.min(node.shares));
            let is_client = matches!(node.content, Content::Lane(_));
            let Some(ring) = self.ring(around) else { return };
            ring.waiting.remove(&(clock, arrival, at));
            ring.ahead.insert((clock, at));
            let emptied = ring.waiting.is_empty();
            if is_client {
                self.change_inside(around, has, 0);
            }
            self.forget_behind(around);
            next = around.filter(|_| emptied);
        }
    }

    /// Forgets the networks in a ring that wait for nothing and are ahead of nobody.
    fn forget_behind(&mut self, of: Option<Index>) {
        while let Some(ring) = self.ring(of)
            && let Some((clock, index)) = ring.ahead.first().copied()
            && (clock <= ring.now || ring.ahead.len() > REMEMBERED_MAX)
        {
            self.remove(index);
        }
    }

    /// Removes a network that waits for nothing, and all in it.
    fn remove(&mut self, index: Index) -> Option<Node<T>> {
        let node = self.nodes.get_mut(index)?.take()?;
        self.unused.push(index);
        self.by_prefix.remove(&node.prefix);
        if let Some(ring) = self.ring(node.around) {
            ring.ahead.remove(&(node.clock, index));
        }
        if let Content::Ring(ring) = &node.content {
            for (_, inside) in &ring.ahead {
                self.remove(*inside);
            }
        }
        Some(node)
    }

    /// Networks in `around` had so many shares and have so many now: so has whatever is around it, up to its limit.
    fn change_inside(&mut self, around: Option<Index>, before: u64, after: u64) {
        let (mut around, mut before, mut after) = (around, before, after);
        while let Some(node) = around.and_then(|index| self.nodes[index].as_mut()) {
            let had = node.inside.min(node.shares);
            node.inside = (node.inside + after).saturating_sub(before);
            (before, after) = (had, node.inside.min(node.shares));
            around = node.around;
        }
    }
}

/// How many shares a network around others has where nothing is known of it.
fn assumed(prefix: Prefix) -> u64 {
    crate::load::whole(prefix.shares_assumed().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Amount;
    use puzzle::{ClearanceId, ClientNetwork, Credits};

    fn request(number: u32) -> Request {
        let [_, high, middle, low] = number.to_be_bytes();
        Request {
            class: super::super::Class::Cleared,
            network: Nested::of(ClientNetwork::of([20 + high, middle, low, 1].into())),
            shares: [1; 3],
            clearance: ClearanceId([0; 16]),
            cost: Amount::of(Credits::ONE),
            part: false,
        }
    }

    #[test]
    fn who_was_served_is_forgotten_although_somebody_always_waits() {
        let hasher = HashKey([1; 16]);
        let mut tree = Tree::default();
        let mut most = 0;
        for number in 0..100_000 {
            let now = Duration::from_millis(number.into());
            let waiter = Waiter { token: number, came: now, cost: 1_000_000, free: false, part: false };
            assert_eq!(tree.push(&request(number), &hasher, waiter, now), None);
            if number >= 1_000 {
                let index = tree.turn(Duration::ZERO, &mut |_| ()).expect("a thousand wait");
                tree.serve(index, now).expect("it has a request");
            }
            most = most.max(tree.nodes.len());
        }
        assert_eq!(tree.len(), 1_000);
        assert!(most < 10_000, "{most} networks are remembered where 1,000 wait");
    }
}
