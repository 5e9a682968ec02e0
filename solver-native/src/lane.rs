//! The ways to search, and which of them this CPU has.

#[cfg(target_arch = "x86_64")]
use crate::x86::{Avx2, Avx512, ShaNi};

/// A way to search, from the plainest to the widest.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Lane {
    /// One block of the sha2 crate for each attempt, nothing shared between attempts. It uses SHA-NI where the CPU has
    /// it: the yardstick.
    Sha2Crate,
    /// The SHA-256 instructions of x86-64, several nonces in turn.
    ShaNi,
    /// Eight nonces side by side.
    Avx2,
    /// Sixteen nonces side by side.
    Avx512,
}

impl Lane {
    /// Every lane, whether this CPU has it or not.
    pub const ALL: [Self; 4] = [Self::Sha2Crate, Self::ShaNi, Self::Avx2, Self::Avx512];

    /// The lanes that this CPU has.
    #[must_use]
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|lane| lane.is_available()).collect()
    }

    /// The fastest lane that this CPU has.
    #[must_use]
    pub fn best() -> Self {
        [Self::Avx512, Self::ShaNi, Self::Avx2].into_iter().find(|lane| lane.is_available()).unwrap_or(Self::Sha2Crate)
    }

    /// Whether this CPU has it.
    #[cfg(target_arch = "x86_64")]
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Sha2Crate => true,
            Self::ShaNi => ShaNi::detect().is_some(),
            Self::Avx2 => Avx2::detect().is_some(),
            Self::Avx512 => Avx512::detect().is_some(),
        }
    }

    /// Whether this CPU has it.
    #[cfg(not(target_arch = "x86_64"))]
    #[must_use]
    pub fn is_available(self) -> bool {
        self == Self::Sha2Crate
    }
}
