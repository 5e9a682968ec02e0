//! Programs that come regularly while nothing is asked: payment callbacks, webhooks, monitors. When the gate goes down they
//! are turned away, and the operator is told which, with a rule for those that came on many days.
//!
//! Fixed in size, and hard to push anybody out of: a client network has a few places, an allocation a sixteenth of all, which
//! others only get by chance, and who came on two days makes room for nobody.

mod kept;
#[cfg(test)]
mod tests;

pub use kept::KeptCallers;

use super::networks::{HashKey, Nested, Prefix};
use puzzle::{ClientNetwork, Day, UnixSeconds};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// Callers that are remembered.
pub const CALLERS_MAX: usize = BUCKETS * BUCKET_CALLERS;
/// Different days on which a caller must have come before a rule is suggested for it.
pub const CALLER_DAYS_MIN: u32 = 7;
/// What came first within so many seconds before the peace ended is taken for part of the attack.
pub const CALLER_DELAY_SECONDS: u32 = 3_600;
/// Callers of a site that are listed, those of most days first.
pub const CALLERS_LISTED_MAX: usize = 32;
/// Bytes of a path that is remembered.
pub const CALLER_PATH_BYTES_MAX: usize = 128;
/// Bytes of a host that is remembered.
const HOST_BYTES_MAX: usize = 128;
/// Bytes of a method.
const METHOD_BYTES_MAX: usize = 16;

const BUCKETS: usize = 128;
/// Of one client network (of a /48 of IPv6), and of those that share its bucket by chance.
const BUCKET_CALLERS: usize = 8;
/// Buckets that the networks of an allocation are in, a /16 of IPv4 or a /32 of IPv6: 64 places, however many networks it has.
const ALLOCATION_BUCKETS: usize = 8;
/// A caller that stayed away for so many days makes room.
const FORGOTTEN_AFTER_DAYS: u16 = 31;

/// What a caller does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// The mark of the site.
    pub site: u16,
    /// The host it asks for.
    pub host: &'a str,
    /// Where it comes from.
    pub network: ClientNetwork,
    /// Its method.
    pub method: &'a str,
    /// The path, without its query.
    pub path: &'a str,
}

impl Call<'_> {
    /// Whether a rule could name it: letters, digits and what means nothing in patterns and in TOML.
    fn can_be_named(&self) -> bool {
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~:@,+=".contains(&byte);
        let method = |byte: u8| byte.is_ascii_uppercase();
        self.path.starts_with('/')
            && self.path.len() <= CALLER_PATH_BYTES_MAX
            && self.path.bytes().all(named)
            && self.host.len() <= HOST_BYTES_MAX
            && self.host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte))
            && (1..=METHOD_BYTES_MAX).contains(&self.method.len())
            && self.method.bytes().all(method)
    }
}

/// A caller and when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The mark of the site.
    pub site: u16,
    /// The host it asked for last.
    pub host: String,
    /// Where it comes from.
    pub network: ClientNetwork,
    /// Its method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// When it came first.
    pub first_seen: UnixSeconds,
    /// When it came last.
    pub last_seen: UnixSeconds,
    /// How often.
    pub requests: u32,
    /// The last day on which it came is bit 0, the day before bit 1.
    days: u32,
    /// When it came first on the last day.
    last_day_since: UnixSeconds,
}

impl Caller {
    fn new(call: &Call<'_>, now: UnixSeconds) -> Self {
        Self {
            site: call.site,
            host: call.host.to_owned(),
            network: call.network,
            method: call.method.to_owned(),
            path: call.path.to_owned(),
            first_seen: now,
            last_seen: now,
            requests: 1,
            days: 1,
            last_day_since: now,
        }
    }

    fn is(&self, call: &Call<'_>) -> bool {
        self.site == call.site && self.network == call.network && self.method == call.method && self.path == call.path
    }

    fn comes(&mut self, now: UnixSeconds) {
        let days = now.day().0.saturating_sub(self.last_day().0);
        if days > 0 {
            self.days = self.days.checked_shl(days.into()).unwrap_or(0) | 1;
            self.last_day_since = now;
        }
        self.last_seen = self.last_seen.max(now);
        self.requests = self.requests.saturating_add(1);
    }

    fn last_day(&self) -> Day {
        self.last_seen.day()
    }

    /// Different days of the last 32 on which it came, where peace lasted until `peace`: the last one does not count if it
    /// began within the hour before.
    #[must_use]
    pub fn days(&self, peace: UnixSeconds) -> u32 {
        let of_attack = peace.since(self.last_day_since) < CALLER_DELAY_SECONDS;
        self.days.count_ones() - u32::from(of_attack && self.days & 1 == 1)
    }

    /// Whether it has to make room for a newcomer: it came on one day only, or not for a month.
    fn makes_room(&self, now: UnixSeconds) -> bool {
        self.days.count_ones() < 2 || self.is_gone(now)
    }

    fn is_gone(&self, now: UnixSeconds) -> bool {
        now.day().0.saturating_sub(self.last_day().0) >= FORGOTTEN_AFTER_DAYS
    }
}

/// All callers.
pub struct Callers {
    hasher: HashKey,
    buckets: Vec<Mutex<Vec<Caller>>>,
    /// Whether what comes now is remembered: neither an attack nor a gate that was put down by hand teaches anything.
    at_peace: AtomicBool,
    /// The last second of peace.
    peace_until: AtomicU32,
    changed: AtomicBool,
}

impl Callers {
    /// Nobody came yet.
    #[must_use]
    pub fn new(key: HashKey) -> Self {
        Self {
            hasher: key,
            buckets: (0..BUCKETS).map(|_| Mutex::default()).collect(),
            at_peace: AtomicBool::new(false),
            peace_until: AtomicU32::new(0),
            changed: AtomicBool::new(false),
        }
    }

    /// Once a second: whether there is peace.
    pub(super) fn tick(&self, now: UnixSeconds, at_peace: bool) {
        self.at_peace.store(at_peace, Ordering::Relaxed);
        if at_peace {
            self.peace_until.store(now.0, Ordering::Relaxed);
        }
    }

    /// Whether what comes now is remembered.
    pub(super) fn listen(&self) -> bool {
        self.at_peace.load(Ordering::Relaxed)
    }

    /// Somebody came.
    pub(super) fn came(&self, call: &Call<'_>, now: UnixSeconds) {
        if !self.listen() || !call.can_be_named() {
            return;
        }
        self.in_bucket(call.network, |callers| {
            self.changed.store(true, Ordering::Relaxed);
            if let Some(known) = callers.iter_mut().find(|caller| caller.is(call)) {
                known.comes(now);
                if known.host != call.host {
                    call.host.clone_into(&mut known.host);
                }
                return;
            }
            if callers.len() < BUCKET_CALLERS {
                callers.push(Caller::new(call, now));
                return;
            }
            let weakest = callers.iter_mut().filter(|caller| caller.makes_room(now));
            if let Some(weakest) = weakest.min_by_key(|caller| (caller.last_seen, caller.requests)) {
                *weakest = Caller::new(call, now);
            }
        });
    }

    /// The callers of a site that came before the last hour of peace, those of most days first.
    pub(super) fn of_site(&self, site: u16) -> Vec<Caller> {
        let peace = self.peace_until();
        let mut found: Vec<Caller> = Vec::new();
        for bucket in &self.buckets {
            let callers = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            let of_peace = |caller: &&Caller| caller.site == site && caller.days(peace) > 0 && !caller.is_gone(peace);
            found.extend(callers.iter().filter(of_peace).cloned());
        }
        found.sort_by_key(|caller| std::cmp::Reverse((caller.days(peace), caller.requests)));
        found
    }

    /// The last second of peace.
    pub(super) fn peace_until(&self) -> UnixSeconds {
        UnixSeconds(self.peace_until.load(Ordering::Relaxed))
    }

    fn in_bucket<R>(&self, network: ClientNetwork, act: impl FnOnce(&mut Vec<Caller>) -> R) -> R {
        let (together, allocation) = counted_together(network);
        let hashed = |prefix: Option<Prefix>, modulus: usize| {
            usize::try_from(self.hasher.hash_one(prefix) % modulus as u64).unwrap_or_default()
        };
        let bucket = (hashed(allocation, BUCKETS) + hashed(together, ALLOCATION_BUCKETS)) % BUCKETS;
        act(&mut self.buckets[bucket].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The network whose callers share a bucket, and the allocation around it: whoever has a /48 of IPv6 has 256 client networks,
/// and whoever has a /32 has 65,536 of those.
fn counted_together(network: ClientNetwork) -> (Option<Prefix>, Option<Prefix>) {
    let nested = Nested::of(network);
    let place = usize::from(matches!(network, ClientNetwork::V6(_)));
    (nested.levels().get(place).copied(), nested.levels().get(place + 1).copied())
}

impl super::Gate {
    /// Whether programs that come now are remembered.
    #[must_use]
    pub fn listens_for_callers(&self) -> bool {
        self.callers.listen()
    }

    /// A program came that no rule lets pass and that has no clearance.
    pub fn caller_came(&self, call: &Call<'_>, now: UnixSeconds) {
        self.callers.came(call, now);
    }

    /// The programs that came to a site before the last hour of peace, those of most days first, and the last second of
    /// peace.
    #[must_use]
    pub fn callers(&self, site: &crate::config::Site) -> (Vec<Caller>, UnixSeconds) {
        (self.callers.of_site(site.mark), self.callers.peace_until())
    }
}
