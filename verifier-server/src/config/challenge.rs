//! `[challenge]`: what challenges ask, and what a site asks instead.

use super::document::Section;
use puzzle::{Algorithm, Difficulty, Rate, Shape};
use std::num::NonZeroU16;

const CHALLENGE_SECONDS_MAX: u64 = 3_600;
const SOLVE_SECONDS_MAX: u64 = 240;

/// `[challenge]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChallengeTerms {
    /// How long a challenge can be redeemed.
    pub lifetime_seconds: NonZeroU16,
    /// Sub-puzzles, 1 to 64.
    pub count: u8,
    /// Attempts per sub-puzzle at the floor price.
    pub difficulty: Difficulty,
    /// What the slowest supported phone may need at the ceiling.
    pub max_solve_seconds: u32,
    /// The second algorithm; `None` where it is switched off.
    pub hashwx: Option<HashWxTerms>,
}

/// `[challenge.hashwx]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashWxTerms {
    /// Sub-puzzles, 1 to 64.
    pub count: u8,
    /// What an attempt is worth.
    pub rate: Rate,
}

/// What a site says of its price: what it leaves out is as in `[challenge]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriceBounds {
    /// Attempts per sub-puzzle at the floor price.
    pub difficulty: Option<Difficulty>,
    /// What the slowest supported phone may need at the ceiling.
    pub max_solve_seconds: Option<u32>,
}

impl ChallengeTerms {
    /// The floor price: attempts for a full clearance at the least.
    #[must_use]
    pub fn floor(&self) -> u64 {
        Shape { algorithm: Algorithm::Sha256, count: self.count, difficulty: self.difficulty }.work(Rate::ONE)
    }

    /// The ceiling `w` of one challenge of `sha256`.
    #[must_use]
    pub fn ceiling(&self) -> u64 {
        self.ceiling_of(Algorithm::Sha256)
    }

    /// Reads `[challenge]`.
    pub(super) fn read(root: &mut Section<'_, '_>, warnings: &mut Vec<String>) -> Self {
        let mut section = root.section("challenge");
        let lifetime = section.integer("lifetime_seconds", 1..=CHALLENGE_SECONDS_MAX).map_or(300, |found| found.value);
        let count = section.integer("count", 1..=u64::from(Shape::COUNT_MAX)).map_or(8, |found| found.value);
        let usual = Self {
            lifetime_seconds: u16::try_from(lifetime).ok().and_then(NonZeroU16::new).unwrap_or(NonZeroU16::MIN),
            count: u8::try_from(count).unwrap_or(Shape::COUNT_MAX),
            difficulty: Difficulty::new(32_768).unwrap_or(Difficulty::MIN),
            max_solve_seconds: 15,
            hashwx: None,
        };
        let bounds = usual.read_bounds(&mut section, "", warnings);
        let terms = usual.within(bounds);
        let hashwx = HashWxTerms::read(section.section("hashwx"), terms.max_solve_seconds);
        section.finish();
        Self { hashwx, ..terms }
    }

    /// The same between other bounds, where they are named.
    #[must_use]
    pub fn within(self, bounds: PriceBounds) -> Self {
        Self {
            difficulty: bounds.difficulty.unwrap_or(self.difficulty),
            max_solve_seconds: bounds.max_solve_seconds.unwrap_or(self.max_solve_seconds),
            ..self
        }
    }

    /// Reads the keys that bound a price; `whose` is how messages name it.
    pub(super) fn read_bounds(
        self,
        section: &mut Section<'_, '_>,
        whose: &str,
        warnings: &mut Vec<String>,
    ) -> PriceBounds {
        let difficulty = section.integer("difficulty", 1..=u64::from(u32::MAX));
        let seconds = section.integer("max_solve_seconds", 1..=SOLVE_SECONDS_MAX);
        let line = difficulty.as_ref().or(seconds.as_ref()).map_or(section.line, |found| found.line);
        let bounds = PriceBounds {
            difficulty: difficulty.and_then(|found| Difficulty::new(u32::try_from(found.value).ok()?)),
            max_solve_seconds: seconds.and_then(|found| u32::try_from(found.value).ok()),
        };
        let terms = self.within(bounds);
        let (floor, ceiling) = (terms.floor(), terms.ceiling());
        if bounds == PriceBounds::default() {
            return bounds;
        }
        if floor > 10 * ceiling {
            let most = 10 * ceiling / u64::from(terms.count);
            let message =
                format!("the floor price{whose}, {floor} attempts, is more than ten times the ceiling of {ceiling}");
            section.problem(line, message, format!("write difficulty = {most} or less, or a larger max_solve_seconds"));
        } else if floor > ceiling {
            warnings.push(format!(
                "the floor price{whose}, {floor} attempts, is above the ceiling of {ceiling}: one challenge buys less than \
                 a full clearance"
            ));
        }
        bounds
    }
}
