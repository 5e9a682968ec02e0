//! Units and kinds as types, so that a bare integer in a signature stays a question.

use core::num::NonZeroU32;

/// Seconds since 1970-01-01T00:00:00Z; the wire format holds 32 bits, enough until 2106.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSeconds(pub u32);

impl UnixSeconds {
    /// This moment and `seconds` more, held at the largest moment there is.
    #[must_use]
    pub const fn plus(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to this moment, 0 if it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }

    /// The unix day that this moment belongs to.
    #[must_use]
    pub const fn day(self) -> Day {
        let [_, _, high, low] = (self.0 / Day::SECONDS).to_be_bytes();
        Day(u16::from_be_bytes([high, low]))
    }
}

/// A unix day: the epoch of the keys. 16 bits last as long as [`UnixSeconds`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub u16);

impl Day {
    /// Length of a day in seconds.
    pub const SECONDS: u32 = 86_400;

    /// The key id of this day: day mod 256.
    #[must_use]
    pub const fn key_id(self) -> u8 {
        self.0.to_be_bytes()[1]
    }
}

/// Expected hash attempts per sub-puzzle, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Difficulty(NonZeroU32);

impl Difficulty {
    /// The difficulty that every nonce solves.
    pub const MIN: Self = Self(NonZeroU32::MIN);

    /// A difficulty of `attempts`, or `None` for 0.
    #[must_use]
    pub const fn new(attempts: u32) -> Option<Self> {
        match NonZeroU32::new(attempts) {
            Some(attempts) => Some(Self(attempts)),
            None => None,
        }
    }

    /// Expected attempts per sub-puzzle.
    #[must_use]
    pub const fn attempts(self) -> u32 {
        self.0.get()
    }
}

/// Credits in hundredths: what a clearance can spend. Rounded down when bought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credits(u32);

impl Credits {
    /// No credit.
    pub const ZERO: Self = Self(0);
    /// One credit: a request to a route of cost 1 at the price paid.
    pub const ONE: Self = Self(100);
    /// A tenth of a credit: what an asset costs.
    pub const TENTH: Self = Self(10);
    /// The most that a clearance may hold (`clearance.credits`): 1,000,000.
    pub const MAX: Self = Self(100_000_000);

    /// So many hundredths of a credit, held at [`Credits::MAX`].
    #[must_use]
    pub const fn hundredths(hundredths: u32) -> Self {
        if hundredths > Self::MAX.0 { Self::MAX } else { Self(hundredths) }
    }

    /// So many whole credits, held at [`Credits::MAX`].
    #[must_use]
    pub const fn whole(credits: u32) -> Self {
        Self::hundredths(credits.saturating_mul(100))
    }

    /// These credits in hundredths.
    #[must_use]
    pub const fn in_hundredths(self) -> u32 {
        self.0
    }

    /// What part of `whole` these credits are: 1 for all of it.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "seven digits are enough for a part")]
    pub fn ratio(self, whole: Self) -> f32 {
        self.0 as f32 / whole.0.max(1) as f32
    }

    /// These credits divided by `parts`, rounded down.
    #[must_use]
    pub const fn part(self, parts: NonZeroU32) -> Self {
        Self(self.0 / parts.get())
    }
}

/// The multiplier `m` of a client network, 1 to 8, in hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Multiplier(u16);

impl Multiplier {
    /// A network that has bought nothing lately.
    pub const ONE: Self = Self(100);
    /// The most that a network ever pays.
    pub const MAX: Self = Self(800);

    /// So many hundredths, held between 1 and 8.
    #[must_use]
    pub const fn hundredths(hundredths: u16) -> Self {
        if hundredths < Self::ONE.0 {
            Self::ONE
        } else if hundredths > Self::MAX.0 {
            Self::MAX
        } else {
            Self(hundredths)
        }
    }

    /// This multiplier in hundredths.
    #[must_use]
    pub const fn in_hundredths(self) -> u16 {
        self.0
    }
}
