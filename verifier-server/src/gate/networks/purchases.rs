//! What each network has bought of late, and the multiplier that follows from it (DESIGN: multiplier of a network).

use super::decaying::{DecayingSketch, Place, Shape};
use super::{HashKey, Nested, Prefix};
use puzzle::{Multiplier, UnixSeconds};

/// After how many seconds a purchase counts half.
pub const HALF_LIFE_SECONDS: u16 = 300;
/// Full clearances within a half-life at which a network pays the most, eightfold.
const DEAREST: f32 = 64.0;
/// Six million cells in 24 MiB, of which a purchase touches six to eighteen. With 100,000 buying networks not one newcomer
/// in 1,000 shares all its cells with some of them; in a 4 × 16384 sketch every newcomer does, and pays four times the
/// price (`tests/networks_simulation.rs`).
const SHAPE: Shape = Shape {
    rows: 6,
    width: 8_192,
    shards: 64,
    half_life_seconds: HALF_LIFE_SECONDS,
    generation_seconds: 4 * HALF_LIFE_SECONDS as u32,
};

/// Purchases of all networks, in full clearances.
#[derive(Debug)]
pub struct Purchases {
    sketch: DecayingSketch,
}

/// A client network and those around it as they stand in the sketch: reckoned once for all that a sale asks of them.
#[derive(Clone, Copy, Debug)]
pub struct Buyer {
    levels: [Option<Level>; Nested::LEVELS_MAX],
}

#[derive(Clone, Copy, Debug)]
struct Level {
    place: Place,
    /// Visitors that are known behind it, at least one.
    shares: f32,
    /// By how much its purchases are divided: the shares known behind it, and never less than are assumed in one of its
    /// size. `n = max(n_24, n_16/16)`, `n = max(n_56, n_48/4, n_32/64)`.
    room: f32,
    /// Full clearances within a half-life, for each of its shares, that it counts for in the network around it. So the
    /// price of a network's neighbours does not follow what it buys: 1,024 purchases of one /24 are a quarter of one in
    /// its /16.
    counts_around_at_most: f32,
}

impl Purchases {
    /// Nothing bought yet; `key` is a secret of the process.
    #[must_use]
    pub fn new(key: HashKey, now: UnixSeconds) -> Self {
        Self { sketch: DecayingSketch::new(key, SHAPE, now) }
    }

    /// Who buys. `shares` says how many visitors are known to be behind a network, at least one.
    #[must_use]
    pub fn buyer(&self, nested: &Nested, shares: impl Fn(Prefix) -> f32) -> Buyer {
        let mut levels = [None; Nested::LEVELS_MAX];
        for (level, prefix) in levels.iter_mut().zip(nested.levels()) {
            let shares = shares(*prefix);
            *level = Some(Level {
                place: self.sketch.place(*prefix),
                shares,
                room: prefix.shares_assumed().max(shares),
                counts_around_at_most: if prefix.is_v6() && prefix.length() == 48 { 64.0 } else { 4.0 },
            });
        }
        Buyer { levels }
    }

    /// What a network pays more for its next full clearance: `√n`, at most eight, with that clearance counted in `n`.
    ///
    /// Asked at the issue of a challenge and again at its redemption, before that is counted, it is the same number
    /// unless the network bought more meanwhile; by waiting alone it only falls.
    #[must_use]
    pub fn multiplier(&self, buyer: &Buyer, now: UnixSeconds) -> Multiplier {
        let per_share = |level: &Level| (self.sketch.estimate(&level.place, now) + 1.0) / level.room;
        let dearest = buyer.levels.iter().flatten().map(per_share).fold(1.0, f32::max).min(DEAREST);
        // Between 100 and 800.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 100 and 800")]
        Multiplier::hundredths((dearest.sqrt() * 100.0).round() as u16)
    }

    /// What a network has bought of late, in full clearances: zero only where it surely bought nothing.
    #[must_use]
    pub fn bought(&self, buyer: &Buyer, now: UnixSeconds) -> f32 {
        buyer.levels.first().into_iter().flatten().map(|level| self.sketch.estimate(&level.place, now)).sum()
    }

    /// Counts a purchase of `bought` full clearances, 1 or less, in the network and those around it.
    pub fn count(&self, buyer: &Buyer, bought: f32, now: UnixSeconds) {
        let mut counted = bought.clamp(0.0, 1.0);
        for level in buyer.levels.iter().flatten() {
            // What is beyond the dearest changes no price; counted, it would only keep it up longer.
            let before = self.sketch.add(&level.place, counted, DEAREST * level.room, now);
            // A carrier's exit of 200 visitors that bought 400 clearances counts like a home that bought two.
            let within = level.counts_around_at_most - before / level.shares;
            counted = within.clamp(0.0, counted / level.shares);
        }
    }

    /// Once a second or so.
    pub fn tick(&self, now: UnixSeconds) {
        self.sketch.tick(now);
    }

    /// Cells in use and in all.
    #[must_use]
    pub fn fill(&self) -> (usize, usize) {
        self.sketch.fill()
    }
}
