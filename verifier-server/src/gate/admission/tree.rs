//! Deficit round robin over nested networks: a /24 in a /16, a /56 in a /48 in a /32.
//!
//! At its turn a network may spend a credit for each of its shares, and what it does not spend it keeps while it waits.
//! A network around others has as many shares as those of them that wait, up to a limit of its own.

use super::Request;
use super::lane::{Lane, Token, Waiter};
use super::waits::speaker;
use crate::gate::networks::{Nested, Prefix};
use std::collections::{HashMap, VecDeque};
use std::hash::RandomState;
use std::time::Duration;

/// What a share may spend at its turn, in millionths of a credit.
const QUANTUM: u64 = 1_000_000;
/// The most that a request counts for here, in millionths of a credit: a hundred turns of one share.
const COST_MAX: u64 = 100 * QUANTUM;
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
    /// The outermost networks, the one whose turn it is first.
    ring: VecDeque<Index>,
    len: usize,
    /// Where the next look for a lane that makes room begins.
    hand: usize,
}

#[derive(Debug)]
struct Node<T> {
    prefix: Prefix,
    around: Option<Index>,
    /// Its shares at the most,
    shares: u64,
    /// and those of the networks in it that wait; of a client network both are the same.
    inside: u64,
    /// What it may spend, in millionths of a credit.
    deficit: u64,
    in_turn: bool,
    /// When it was served last, or began to wait.
    since: Duration,
    content: Content<T>,
}

#[derive(Debug)]
enum Content<T> {
    /// Networks, the one whose turn it is first.
    Ring(VecDeque<Index>),
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
    /// How long it waited for others than its own network.
    pub(super) waited: Duration,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            unused: Vec::new(),
            by_prefix: HashMap::new(),
            ring: VecDeque::new(),
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
        hasher: &RandomState,
        mut waiter: Waiter<T>,
        now: Duration,
    ) -> Option<T> {
        waiter.cost = waiter.cost.min(COST_MAX);
        let client = self.client(request.network, request.shares, now);
        let most = Lane::<T>::most(client.shares[0]);
        let dropped = client.lane.push(hasher, request.clearance, waiter, most);
        self.len += usize::from(dropped.is_none());
        dropped
    }

    /// Takes over a network that waited in another tree.
    pub(super) fn adopt(&mut self, client: Client<T>, now: Duration) {
        self.len += client.lane.len();
        self.client(client.network, client.shares, now).lane.append(client.lane);
    }

    /// The network whose turn it is; requests that came before `stale_before` are dropped where its turn passes.
    pub(super) fn turn(&mut self, stale_before: Duration, dropped: &mut impl FnMut(T)) -> Option<Index> {
        self.select(None, stale_before, dropped).map(|(client, _)| client)
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
        let (network, waiter) = (client.network, client.lane.pop()?);
        let emptied = client.lane.len() == 0;
        self.len -= 1;
        let (mut next, mut outermost_since) = (Some(index), now);
        while let Some(node) = next.and_then(|next| self.nodes[next].as_mut()) {
            node.deficit = node.deficit.saturating_sub(waiter.cost);
            outermost_since = std::mem::replace(&mut node.since, now);
            next = node.around;
        }
        if emptied {
            self.remove(index);
        }
        let waited = now.saturating_sub(waiter.came.max(outermost_since));
        Some(Served { waiter, network, waited })
    }

    /// Takes the whole network at `index` out of the tree.
    pub(super) fn take(&mut self, index: Index) -> Option<Client<T>> {
        let node = self.remove(index)?;
        let Content::Lane(client) = node.content else { return None };
        self.len -= client.lane.len();
        Some(*client)
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
    fn ring(&mut self, of: Option<Index>) -> Option<&mut VecDeque<Index>> {
        let Some(of) = of else { return Some(&mut self.ring) };
        match &mut self.nodes[of].as_mut()?.content {
            Content::Ring(ring) => Some(ring),
            Content::Lane(_) => None,
        }
    }

    /// The client network whose turn it is in a ring, and what its next request costs; the ring is left with it in
    /// front. Networks without requests are removed on the way.
    fn select(
        &mut self,
        of: Option<Index>,
        stale_before: Duration,
        dropped: &mut impl FnMut(T),
    ) -> Option<(Index, u64)> {
        loop {
            let first = *self.ring(of)?.front()?;
            let is_client = matches!(self.nodes[first].as_ref()?.content, Content::Lane(_));
            let candidate = if is_client {
                self.next_of_client(first, stale_before, dropped).map(|cost| (first, cost))
            } else {
                self.select(Some(first), stale_before, dropped)
            };
            let Some((client, cost)) = candidate else {
                self.remove(first);
                continue;
            };
            let node = self.nodes[first].as_mut()?;
            if !node.in_turn {
                node.in_turn = true;
                node.deficit = node.deficit.saturating_add(QUANTUM * node.effective());
            }
            if node.deficit >= cost {
                return Some((client, cost));
            }
            node.in_turn = false;
            self.ring(of)?.rotate_left(1);
        }
    }

    fn next_of_client(&mut self, index: Index, stale_before: Duration, dropped: &mut impl FnMut(T)) -> Option<u64> {
        let lane = &mut self.client_at(index)?.lane;
        let before = lane.len();
        lane.drop_stale(stale_before, dropped);
        let (after, cost) = (lane.len(), lane.next_cost());
        self.len -= before - after;
        cost
    }

    fn client_at(&mut self, index: Index) -> Option<&mut Client<T>> {
        match &mut self.nodes.get_mut(index)?.as_mut()?.content {
            Content::Lane(client) => Some(client),
            Content::Ring(_) => None,
        }
    }

    /// The place of a client network in the tree, made with those around it where they are not there yet.
    fn client(&mut self, network: Nested, shares: [u32; 3], now: Duration) -> &mut Client<T> {
        let narrow = network.levels()[0];
        let index = match self.by_prefix.get(&narrow) {
            Some(index) => *index,
            None => self.add_client(network, shares, now),
        };
        match &mut self.nodes[index].as_mut().expect("what a prefix leads to is there").content {
            Content::Lane(client) => client,
            Content::Ring(_) => unreachable!("the narrowest prefix is that of a client network"),
        }
    }

    fn add_client(&mut self, network: Nested, shares: [u32; 3], now: Duration) -> Index {
        let levels = network.levels();
        let mut around = None;
        for (prefix, shares) in levels.iter().zip(shares).skip(1).rev() {
            around = Some(match self.by_prefix.get(prefix) {
                Some(index) => *index,
                None => {
                    let most = u64::from(shares).max(assumed(*prefix));
                    self.add(around, *prefix, most, 0, Content::Ring(VecDeque::new()), now)
                }
            });
        }
        let own = u64::from(shares[0].max(1));
        let client = Client { network, shares, lane: Lane::default() };
        let index = self.add(around, levels[0], own, own, Content::Lane(Box::new(client)), now);
        self.change_inside(around, 0, own);
        index
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
        let node = Some(Node { prefix, around, shares, inside, deficit: 0, in_turn: false, since: now, content });
        let index = match self.unused.pop() {
            Some(index) => {
                self.nodes[index] = node;
                index
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() - 1
            }
        };
        self.by_prefix.insert(prefix, index);
        if let Some(ring) = self.ring(around) {
            ring.push_back(index);
        }
        index
    }

    /// Removes a network from its ring, and those around it that have none left.
    fn remove(&mut self, index: Index) -> Option<Node<T>> {
        let node = self.nodes.get_mut(index)?.take()?;
        self.unused.push(index);
        self.by_prefix.remove(&node.prefix);
        let ring = self.ring(node.around)?;
        // Whose turn it is stands in front.
        match ring.front() {
            Some(first) if *first == index => drop(ring.pop_front()),
            _ => ring.retain(|other| *other != index),
        }
        let emptied = ring.is_empty();
        if let Some(around) = node.around {
            self.change_inside(Some(around), node.inside.min(node.shares), 0);
            if emptied {
                self.remove(around);
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
