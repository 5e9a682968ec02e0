//! `[challenge.hashwx]`: the second algorithm, and what an attempt of it is worth.

use super::document::Section;
use super::{ChallengeTerms, HashWxTerms};
use puzzle::{Algorithm, Rate, Shape};

impl HashWxTerms {
    /// Sub-puzzles where the configuration names no other number: fewer than of `sha256`, because each is a module to compile
    /// and some 25 µs to check.
    pub const COUNT_DEFAULT: u8 = 4;
    /// What an attempt is worth where the configuration names nothing else: how many of `sha256` one core of native code does
    /// in the time of one of `hashwx` (docs/PUZZLES.md), or as much less as prices have room for.
    pub const RATE_DEFAULT: u32 = 200;

    /// Whether it is offered where the configuration does not say.
    const ENABLED_DEFAULT: bool = true;

    /// The section of `[challenge]` with this `max_solve_seconds`; `None` where it is switched off.
    pub(super) fn read(mut section: Section<'_, '_>, max_solve_seconds: u32) -> Option<Self> {
        let enabled = section.boolean("enabled").unwrap_or(Self::ENABLED_DEFAULT);
        let count = section.integer("count", 1..=u64::from(Shape::COUNT_MAX));
        let rate = section.integer("rate", 1..=u64::from(Rate::MAX));
        let line = rate.as_ref().map_or(section.line, |found| found.line);
        let count = count.and_then(|found| u8::try_from(found.value).ok()).unwrap_or(Self::COUNT_DEFAULT);
        // Prices paid are kept in 32 bits.
        let attempts = puzzle::price::ceiling(Algorithm::HashWx, Rate::ONE, max_solve_seconds, count);
        let most = u64::from(u32::MAX) / (attempts + 1);
        let by_default = u32::try_from(most).unwrap_or(u32::MAX).clamp(1, Self::RATE_DEFAULT);
        let rate = rate.and_then(|found| u32::try_from(found.value).ok()).unwrap_or(by_default);
        if u64::from(rate) > most {
            let message = format!("at `rate` = {rate} a challenge could ask more work than prices have room for");
            section.problem(line, message, format!("write rate = {most} or less, or a smaller max_solve_seconds"));
        }
        section.finish();
        enabled.then_some(Self { count, rate: Rate::new(rate).unwrap_or(Rate::ONE) })
    }
}

impl ChallengeTerms {
    /// Whether challenges of `algorithm` are issued, and believed.
    #[must_use]
    pub const fn offers(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Sha256 => true,
            Algorithm::HashWx => self.hashwx.is_some(),
        }
    }

    /// Sub-puzzles of a challenge of `algorithm`.
    #[must_use]
    pub fn count_of(&self, algorithm: Algorithm) -> u8 {
        match algorithm {
            Algorithm::Sha256 => self.count,
            Algorithm::HashWx => self.hashwx.map_or(HashWxTerms::COUNT_DEFAULT, |terms| terms.count),
        }
    }

    /// What an attempt of `algorithm` is worth.
    #[must_use]
    pub fn rate_of(&self, algorithm: Algorithm) -> Rate {
        match algorithm {
            Algorithm::Sha256 => Rate::ONE,
            Algorithm::HashWx => self.hashwx.map_or(Rate::ONE, |terms| terms.rate),
        }
    }

    /// `w` of an algorithm: the most work that one challenge of it asks, in attempts of `sha256`.
    #[must_use]
    pub fn ceiling_of(&self, algorithm: Algorithm) -> u64 {
        let (rate, count) = (self.rate_of(algorithm), self.count_of(algorithm));
        puzzle::price::ceiling(algorithm, rate, self.max_solve_seconds, count)
    }

    /// What the price may rise to: ten ceilings of `sha256`, or the ceiling of `hashwx` where that is offered and higher.
    #[must_use]
    pub fn highest_price(&self) -> u64 {
        self.at_least_hashwx(self.ceiling().saturating_mul(10))
    }

    /// The most that is due for a full clearance, whatever price and multiplier: twenty ceilings of `sha256`, or the ceiling
    /// of `hashwx` where that is offered and higher.
    #[must_use]
    pub fn most_due(&self) -> u64 {
        self.at_least_hashwx(self.ceiling().saturating_mul(20))
    }

    fn at_least_hashwx(&self, work: u64) -> u64 {
        if self.offers(Algorithm::HashWx) { work.max(self.ceiling_of(Algorithm::HashWx)) } else { work }
    }
}
