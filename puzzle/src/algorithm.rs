//! The puzzle algorithms, and what an attempt of each is worth.

use core::num::NonZeroU32;

/// How an attempt is hashed. The wire value is byte 1 of the challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// One SHA-256 block per attempt. Wire value 1.
    Sha256,
    /// [HashWX](crate::hashwx): random programs, others for each sub-puzzle and block of nonces. Wire value 2.
    HashWx,
}

impl Algorithm {
    /// All there are, in the order of their wire values.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::HashWx];

    /// The algorithm of a wire value.
    #[must_use]
    pub const fn from_wire(value: u8) -> Option<Self> {
        match value {
            1 => Some(Self::Sha256),
            2 => Some(Self::HashWx),
            _ => None,
        }
    }

    /// Byte 1 of the challenge.
    #[must_use]
    pub const fn wire(self) -> u8 {
        match self {
            Self::Sha256 => 1,
            Self::HashWx => 2,
        }
    }

    /// The name in JSON and in configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::HashWx => "hashwx",
        }
    }

    /// The algorithm of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Attempts per second of the slowest supported phone over all its workers (PROTOCOL §3).
    #[must_use]
    pub const fn slowest_attempts_per_second(self) -> u32 {
        match self {
            Self::Sha256 => 1_000_000,
            Self::HashWx => 300_000,
        }
    }
}

/// An exchange rate: what one attempt of an algorithm is worth in attempts of `sha256`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(NonZeroU32);

impl Rate {
    /// That of `sha256`.
    pub const ONE: Self = Self(NonZeroU32::MIN);
    /// The highest: more than any graphics card does of `sha256` in the time of one attempt of `hashwx`.
    pub const MAX: u32 = 100_000;

    /// A rate of 1 to [`Rate::MAX`], or `None`.
    #[must_use]
    pub const fn new(rate: u32) -> Option<Self> {
        match NonZeroU32::new(rate) {
            Some(rate) if rate.get() <= Self::MAX => Some(Self(rate)),
            _ => None,
        }
    }

    /// Attempts of `sha256` for one attempt.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}
