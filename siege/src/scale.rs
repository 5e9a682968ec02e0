//! Devices, and the one factor by which all hash rates are divided.
//!
//! Two cores cannot do the hashing of every visitor and every attacker. So all of them hash slower by one factor, and what
//! is asked of them is divided by the same: the floor (`challenge.difficulty`) and the ceiling (`challenge.max_solve_seconds`,
//! which the verifier multiplies with the rate of the slowest phone). Prices then are smaller numbers for the same seconds.
//! Nothing else scales: credits, lifetimes, half-lives, the count of sub-puzzles and the multiplier have no attempts in
//! them, and what a full table asks follows the floor.

use std::time::Duration;

use puzzle::Algorithm;

/// Attempts a second of the slowest phone that the ceiling is made for.
pub const SLOWEST_PHONE: f64 = slowest_phone(Algorithm::Sha256);
/// The verifier's own defaults, which are what is divided.
const DIFFICULTY: u32 = 32_768;
const MAX_SOLVE_SECONDS: u32 = 15;

/// As the verifier reckons the ceiling.
const fn slowest_phone(algorithm: Algorithm) -> f64 {
    algorithm.slowest_attempts_per_second() as f64
}

/// How much slower everybody hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// 1 for nobody.
    pub factor: u32,
}

impl Scale {
    /// The ceiling is configured in whole seconds: 15 is the largest factor that divides it.
    pub const USUAL: Self = Self { factor: MAX_SOLVE_SECONDS };
    /// Everybody hashes as fast as they are.
    pub const NONE: Self = Self { factor: 1 };

    /// `challenge.difficulty`: the default's part, rounded up.
    #[must_use]
    pub const fn difficulty(self) -> u32 {
        DIFFICULTY.div_ceil(self.factor)
    }

    /// `challenge.max_solve_seconds`.
    #[must_use]
    pub const fn max_solve_seconds(self) -> u32 {
        MAX_SOLVE_SECONDS / self.factor
    }

    /// How long a device of `rate` attempts a second, unscaled, takes for so many scaled attempts.
    #[must_use]
    pub fn time(self, attempts: u64, rate: f64) -> Duration {
        Duration::from_secs_f64(attempts as f64 * f64::from(self.factor) / rate)
    }

    /// Scaled attempts in seconds of the slowest phone.
    #[must_use]
    pub fn phone_seconds(self, attempts: f64) -> f64 {
        attempts * f64::from(self.factor) / SLOWEST_PHONE
    }
}

/// What somebody's hardware does of each algorithm, in attempts a second over all its workers, unscaled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Of `sha256`.
    pub sha256: f64,
    /// Of `hashwx`.
    pub hashwx: f64,
}

impl Rate {
    /// So many of the slowest phones.
    #[must_use]
    pub const fn phones(count: f64) -> Self {
        Self { sha256: count * SLOWEST_PHONE, hashwx: count * slowest_phone(Algorithm::HashWx) }
    }

    /// A part of it.
    #[must_use]
    pub const fn divided(self, by: f64) -> Self {
        Self { sha256: self.sha256 / by, hashwx: self.hashwx / by }
    }
}

/// A kind of device that visitors have.
#[derive(Clone, Copy, Debug)]
pub struct Device {
    /// Its name in the report.
    pub name: &'static str,
    /// What it hashes.
    pub rate: Rate,
    /// The part of the visitors that has one.
    pub part: f64,
}

/// What visitors have.
pub const DEVICES: [Device; 4] = [
    Device { name: "slow phone", rate: Rate::phones(1.0), part: 0.15 },
    Device { name: "phone", rate: Rate { sha256: 4e6, hashwx: 6e5 }, part: 0.45 },
    Device { name: "laptop", rate: Rate { sha256: 15e6, hashwx: 1.1e6 }, part: 0.25 },
    Device { name: "desktop", rate: Rate { sha256: 60e6, hashwx: 2.2e6 }, part: 0.15 },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_in_seconds_is_the_same_at_every_scale() {
        for scale in [Scale::USUAL, Scale::NONE] {
            let floor = f64::from(8 * scale.difficulty());
            assert!((scale.phone_seconds(floor) - 0.262).abs() < 0.001, "{}", scale.factor);
            let most = f64::from(scale.max_solve_seconds() * scale.factor);
            assert!((most - 15.0).abs() < f64::EPSILON);
        }
    }
}
