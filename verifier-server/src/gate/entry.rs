//! One live id: the replay mark and the budget in the same few bytes.

use crate::load::Amount;
use puzzle::price::{self, ASSET_WINDOW_SECONDS, GRACE_SECONDS};
use puzzle::{Credits, Day, UnixSeconds};

/// Bytes of an entry without its id.
pub const ENTRY_BYTES: usize = 48;
/// IPv4 networks remembered.
const V4_NETWORKS: usize = 4;
/// IPv6 networks remembered.
const V6_NETWORKS: usize = 2;

/// What a clearance has left, and where it has been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Credits it began with.
    pub begun: Credits,
    /// Hundredths of a credit left; negative while assets overdraw.
    pub left: i32,
    /// Attempts paid for a full clearance.
    pub price_paid: u32,
    /// First second in which it no longer admits.
    pub expires_at: UnixSeconds,
    /// How long after that the entry stays, in seconds: it is the replay mark.
    pub keep_seconds: u16,
    /// The day whose key hashes its networks.
    pub issued_day: Day,
    /// The site it belongs to.
    pub site: u16,
    /// Bought by a standing challenge.
    pub standing: bool,
    /// Networks that pay no toll, the latest first.
    pub networks: Networks,
    /// When it last admitted a navigation; 0 for never.
    pub navigated_at: UnixSeconds,
    /// What that navigation paid over its cost, in hundredths.
    pub navigation_ratio: u16,
    /// When a drop of it last came back whole; 0 for never.
    pub dropped_at: UnixSeconds,
    /// The mark of the pass that it belongs to; 0 for none.
    pub pass: u16,
}

/// The last client networks of an entry, as 16-bit keyed hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    v4: [u16; V4_NETWORKS],
    v6: [u16; V6_NETWORKS],
    v4_used: u8,
    v6_used: u8,
}

/// The hashes by which a network may be remembered: one for each master that is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkMark {
    /// Whether it is an IPv6 network.
    pub v6: bool,
    /// Under the signing master.
    pub hash: u16,
    /// Under the old master, where there is one.
    pub old_hash: Option<u16>,
}

/// How an entry knows the network of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// It is one of the last.
    Remembered,
    /// It is the first of its address family: dual stack is free.
    FirstOfFamily,
    /// It is another one and pays a toll.
    Further,
}

impl Networks {
    /// Notes the network of a request and says how it was known before.
    pub fn visit(&mut self, mark: NetworkMark) -> Visit {
        let (slots, used) =
            if mark.v6 { (&mut self.v6[..], &mut self.v6_used) } else { (&mut self.v4[..], &mut self.v4_used) };
        let known = usize::from(*used).min(slots.len());
        let matches = |slot: &u16| *slot == mark.hash || Some(*slot) == mark.old_hash;
        let position = slots.iter().take(known).position(matches);
        let visit = match (position, known) {
            (Some(_), _) => Visit::Remembered,
            (None, 0) => Visit::FirstOfFamily,
            (None, _) => Visit::Further,
        };
        if position.is_none() && known < slots.len() {
            *used += 1;
        }
        // The latest first: what falls off the end is the network that was away longest.
        let last = position.unwrap_or(known.min(slots.len() - 1));
        slots[..=last].rotate_right(1);
        slots[0] = mark.hash;
        visit
    }
}

/// What a request is to a clearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A page that a visitor goes to.
    Navigation,
    /// A page's part, by rule.
    Asset,
    /// Any other safe request.
    Other,
    /// POST and other unsafe methods.
    Unsafe,
}

/// A request that asks to be paid.
#[derive(Clone, Copy, Debug)]
pub struct Payment {
    /// What it is.
    pub kind: Kind,
    /// What its route costs.
    pub cost: Credits,
    /// What its route's price is now.
    pub route_price: u64,
    /// Where it comes from.
    pub network: NetworkMark,
    /// Refuse every network but the one it was bought from (`bind = "strict"`).
    pub strict: bool,
}

impl Entry {
    /// Pays for a request, or leaves the entry as it was and returns `false`.
    pub fn pay(&mut self, payment: &Payment, now: UnixSeconds) -> bool {
        let grace = if payment.kind == Kind::Unsafe { GRACE_SECONDS } else { 0 };
        if now >= self.expires_at.plus(grace) {
            return false;
        }
        let mut networks = self.networks;
        let visit = networks.visit(payment.network);
        if payment.strict && visit != Visit::Remembered {
            return false;
        }
        let toll = if visit == Visit::Further { price::reserve(self.begun) } else { Credits::ZERO };
        let left = i64::from(self.left)
            - i64::from(toll.in_hundredths())
            - i64::from(self.charge(payment, now).in_hundredths());
        if left < self.least_left(payment.kind, now) {
            return false;
        }
        // Between −begun and begun, both within 32 bits.
        self.left = i32::try_from(left).unwrap_or(i32::MIN);
        self.networks = networks;
        if payment.kind == Kind::Navigation {
            self.navigated_at = now;
            self.navigation_ratio = price::ratio_hundredths(payment.route_price, u64::from(self.price_paid));
        }
        true
    }

    /// What a request weighs as demand: what it would be charged here, without what a price that has risen since adds.
    #[must_use]
    pub fn weight(&self, payment: &Payment, now: UnixSeconds) -> Amount {
        let paid = u64::from(self.price_paid).max(1);
        Amount::of(self.charge(payment, now)).times(paid, payment.route_price.max(paid))
    }

    /// Whether it could not admit a navigation of cost 1 any more at the site's price.
    #[must_use]
    pub fn spent(&self, site_price: u64, now: UnixSeconds) -> bool {
        let charge = price::charge(Credits::ONE, site_price, u64::from(self.price_paid));
        let left = i64::from(self.left) - i64::from(charge.in_hundredths());
        now >= self.expires_at || left < i64::from(price::reserve(self.begun).in_hundredths())
    }

    /// Whole credits left, for telling the client.
    #[must_use]
    pub fn credits_left(&self) -> u32 {
        u32::try_from(self.left.max(0)).unwrap_or(0) / 100
    }

    /// First second in which the entry may be forgotten.
    #[must_use]
    pub const fn forgotten_at(&self) -> UnixSeconds {
        self.expires_at.plus(self.keep_seconds as u32)
    }

    /// What a request costs here, without a toll.
    pub(super) fn charge(&self, payment: &Payment, now: UnixSeconds) -> Credits {
        let paid = u64::from(self.price_paid);
        if payment.kind == Kind::Asset {
            return price::asset_charge(payment.route_price, paid, self.after_navigation(now));
        }
        price::charge(price::counted_cost(payment.cost, self.begun), payment.route_price, paid)
    }

    /// The least that must be left after a request of this kind, in hundredths.
    fn least_left(&self, kind: Kind, now: UnixSeconds) -> i64 {
        match kind {
            Kind::Unsafe => 0,
            Kind::Asset if self.after_navigation(now) => {
                -i64::from(price::overdraft(self.navigation_ratio, self.begun).in_hundredths())
            }
            Kind::Asset | Kind::Navigation | Kind::Other => i64::from(price::reserve(self.begun).in_hundredths()),
        }
    }

    fn after_navigation(&self, now: UnixSeconds) -> bool {
        self.navigated_at.0 != 0 && now.since(self.navigated_at) < ASSET_WINDOW_SECONDS
    }

    /// The entry as bytes, for the table and for its file.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        let mut writer = bytes.as_mut_slice();
        let mut put = |part: &[u8]| {
            let (head, tail) = std::mem::take(&mut writer).split_at_mut(part.len());
            head.copy_from_slice(part);
            writer = tail;
        };
        put(&self.begun.in_hundredths().to_be_bytes());
        put(&self.left.to_be_bytes());
        put(&self.price_paid.to_be_bytes());
        put(&self.expires_at.0.to_be_bytes());
        put(&self.keep_seconds.to_be_bytes());
        put(&self.issued_day.0.to_be_bytes());
        put(&self.site.to_be_bytes());
        put(&[u8::from(self.standing), self.networks.v4_used << 4 | self.networks.v6_used]);
        for hash in self.networks.v4.into_iter().chain(self.networks.v6) {
            put(&hash.to_be_bytes());
        }
        put(&self.navigated_at.0.to_be_bytes());
        put(&self.navigation_ratio.to_be_bytes());
        put(&self.dropped_at.0.to_be_bytes());
        put(&self.pass.to_be_bytes());
        bytes
    }

    /// The entry of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Self {
        let mut rest = bytes.as_slice();
        let begun = u32::from_be_bytes(take(&mut rest));
        let left = i32::from_be_bytes(take(&mut rest));
        let price_paid = u32::from_be_bytes(take(&mut rest));
        let expires_at = u32::from_be_bytes(take(&mut rest));
        let keep_seconds = u16::from_be_bytes(take(&mut rest));
        let issued_day = u16::from_be_bytes(take(&mut rest));
        let site = u16::from_be_bytes(take(&mut rest));
        let [standing, used] = take(&mut rest);
        let v4 = std::array::from_fn(|_| u16::from_be_bytes(take(&mut rest)));
        let v6 = std::array::from_fn(|_| u16::from_be_bytes(take(&mut rest)));
        let navigated_at = u32::from_be_bytes(take(&mut rest));
        let navigation_ratio = u16::from_be_bytes(take(&mut rest));
        let dropped_at = u32::from_be_bytes(take(&mut rest));
        let pass = u16::from_be_bytes(take(&mut rest));
        Self {
            begun: Credits::hundredths(begun),
            left,
            price_paid,
            expires_at: UnixSeconds(expires_at),
            keep_seconds,
            issued_day: Day(issued_day),
            site,
            standing: standing != 0,
            networks: Networks { v4, v6, v4_used: used >> 4, v6_used: used & 0xf },
            navigated_at: UnixSeconds(navigated_at),
            navigation_ratio,
            dropped_at: UnixSeconds(dropped_at),
            pass,
        }
    }
}

/// The next `N` bytes; the layout above fits [`ENTRY_BYTES`], so there always are.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (head, tail) = rest.split_first_chunk().unwrap_or((&[0; N], &[]));
    *rest = tail;
    *head
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) const BORN: UnixSeconds = UnixSeconds(1_800_000_000);
    const HOME: NetworkMark = v4(1);

    pub(crate) const fn v4(hash: u16) -> NetworkMark {
        NetworkMark { v6: false, hash, old_hash: None }
    }

    pub(crate) fn entry(credits: u32) -> Entry {
        let begun = Credits::whole(credits);
        let mut networks = Networks::default();
        networks.visit(HOME);
        Entry {
            begun,
            left: i32::try_from(begun.in_hundredths()).unwrap_or_default(),
            price_paid: 1_000,
            expires_at: BORN.plus(1_800),
            keep_seconds: 600,
            issued_day: BORN.day(),
            site: 7,
            standing: false,
            networks,
            navigated_at: UnixSeconds(0),
            navigation_ratio: 0,
            dropped_at: UnixSeconds(0),
            pass: 0,
        }
    }

    fn payment(kind: Kind) -> Payment {
        Payment { kind, cost: Credits::ONE, route_price: 1_000, network: HOME, strict: false }
    }

    #[test]
    fn an_entry_survives_its_bytes() {
        let mut entry = entry(100);
        entry.networks.visit(v4(2));
        entry.networks.visit(NetworkMark { v6: true, hash: 3, old_hash: None });
        entry.left = -512;
        entry.standing = true;
        entry.navigated_at = BORN;
        entry.navigation_ratio = 250;
        entry.dropped_at = BORN.plus(9);
        entry.pass = 64;
        assert_eq!(Entry::from_bytes(&entry.to_bytes()), entry);
    }

    #[test]
    fn pages_are_paid_down_to_the_reserve_and_forms_to_nothing() {
        let mut entry = entry(10);
        let pages = (0..20).filter(|_| entry.pay(&payment(Kind::Navigation), BORN)).count();
        assert_eq!(pages, 9, "ten credits, one in reserve");
        assert!(entry.spent(1_000, BORN));
        assert!(entry.pay(&payment(Kind::Unsafe), BORN));
        assert!(!entry.pay(&payment(Kind::Unsafe), BORN));
        assert_eq!(entry.left, 0);
    }

    #[test]
    fn after_expiry_only_unsafe_methods_pay_and_only_for_a_while() {
        let mut entry = entry(10);
        let expiry = entry.expires_at;
        assert!(!entry.pay(&payment(Kind::Navigation), expiry));
        assert!(entry.pay(&payment(Kind::Unsafe), expiry.plus(GRACE_SECONDS - 1)));
        assert!(!entry.pay(&payment(Kind::Unsafe), expiry.plus(GRACE_SECONDS)));
    }

    #[test]
    fn sixty_assets_load_on_the_smallest_clearance() {
        let mut entry = entry(5);
        assert!(entry.pay(&payment(Kind::Navigation), BORN));
        let assets = (0..60).filter(|_| entry.pay(&payment(Kind::Asset), BORN.plus(5))).count();
        assert_eq!(assets, 60);
    }

    #[test]
    fn sixty_assets_load_when_the_price_has_risen_tenfold() {
        let mut entry = entry(100);
        let dear = |kind| Payment { route_price: 10_000, ..payment(kind) };
        assert!(entry.pay(&dear(Kind::Navigation), BORN));
        let assets = (0..60).filter(|_| entry.pay(&dear(Kind::Asset), BORN.plus(5))).count();
        assert_eq!(assets, 60);
        assert_eq!(entry.left, 10_000 - 1_000 - 6_000);
    }

    #[test]
    fn what_a_risen_price_adds_is_no_demand() {
        let mut entry = entry(100);
        let near = |amount: Amount, credits: f64| (amount.credits() - credits).abs() < 1e-6;
        assert!(near(entry.weight(&payment(Kind::Navigation), BORN), 1.0));
        let dear = |kind| Payment { route_price: 100_000, ..payment(kind) };
        assert!(near(entry.weight(&dear(Kind::Navigation), BORN), 1.0));
        assert!(near(entry.weight(&dear(Kind::Asset), BORN), 0.1));
        entry.navigated_at = BORN;
        let asset = entry.weight(&dear(Kind::Asset), BORN);
        assert!(near(asset, 0.01), "a hoard bought at the floor moves no price with assets: {asset:?}");
    }

    #[test]
    fn an_overdraft_ends_and_is_only_for_assets() {
        let mut entry = entry(5);
        assert!(entry.pay(&payment(Kind::Navigation), BORN));
        let assets = (0..1_000).filter(|_| entry.pay(&payment(Kind::Asset), BORN)).count();
        assert_eq!(assets, 90, "four credits left and five overdrawn, a tenth each");
        assert!(!entry.pay(&payment(Kind::Other), BORN));
        assert!(!entry.pay(&payment(Kind::Unsafe), BORN));
        assert!(!entry.pay(&payment(Kind::Asset), BORN.plus(ASSET_WINDOW_SECONDS)));
    }

    #[test]
    fn a_client_that_alternates_between_two_networks_pays_one_toll() {
        let mut entry = entry(100);
        for round in 0..20_u16 {
            let paid = entry.pay(&Payment { network: v4(1 + round % 2), ..payment(Kind::Other) }, BORN);
            assert!(paid);
        }
        assert_eq!(entry.left, 10_000 - 20 * 100 - 1_000);
    }

    #[test]
    fn shared_by_eleven_networks_it_is_worthless() {
        let mut entry = entry(100);
        let admitted =
            (1..=11).filter(|hash| entry.pay(&Payment { network: v4(*hash), ..payment(Kind::Other) }, BORN)).count();
        assert!(admitted < 10, "{admitted}");
        assert!(!entry.pay(&payment(Kind::Other), BORN), "its own network has been forgotten and nothing is left");
    }

    #[test]
    fn the_first_network_of_the_other_family_is_free_and_strict_knows_no_other() {
        let mut entry = entry(100);
        let v6 = |hash| Payment { network: NetworkMark { v6: true, hash, old_hash: None }, ..payment(Kind::Other) };
        assert!(!entry.pay(&Payment { strict: true, ..v6(9) }, BORN));
        assert!(entry.pay(&v6(9), BORN));
        assert_eq!(entry.left, 9_900);
        assert!(entry.pay(&v6(10), BORN));
        assert_eq!(entry.left, 9_900 - 1_000 - 100);
        assert!(!entry.pay(&Payment { strict: true, ..v6(11) }, BORN));
    }

    #[test]
    fn a_dear_route_always_admits_one_request_of_a_fresh_clearance() {
        let mut entry = entry(5);
        let dear = Payment { cost: Credits::whole(20), ..payment(Kind::Navigation) };
        assert!(entry.pay(&dear, BORN));
        assert!(!entry.pay(&dear, BORN));
    }
}
