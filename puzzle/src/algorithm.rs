//! The puzzle algorithms; each has a module of its own and an exchange rate.

/// How an attempt is hashed. The wire value is byte 1 of the challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// One SHA-256 block per attempt. Wire value 1.
    Sha256,
}

impl Algorithm {
    /// The algorithm of a wire value; 2 is reserved for `hashwx` and not believed yet.
    #[must_use]
    pub const fn from_wire(value: u8) -> Option<Self> {
        match value {
            1 => Some(Self::Sha256),
            _ => None,
        }
    }

    /// Byte 1 of the challenge.
    #[must_use]
    pub const fn wire(self) -> u8 {
        match self {
            Self::Sha256 => 1,
        }
    }

    /// The name in JSON and in configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
        }
    }

    /// What one attempt is worth in attempts of `sha256`.
    #[must_use]
    pub const fn rate(self) -> u32 {
        match self {
            Self::Sha256 => 1,
        }
    }

    /// Attempts per second of the slowest supported phone over all its workers (DESIGN: 1 MH/s of SHA-256).
    #[must_use]
    pub const fn slowest_attempts_per_second(self) -> u32 {
        match self {
            Self::Sha256 => 1_000_000,
        }
    }
}
