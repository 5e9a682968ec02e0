//! The challenge: exactly 64 bytes (PROTOCOL §1).

use crate::solution::GUARD_BYTES;
use crate::{Algorithm, Day, Difficulty, Rate, Refusal, SiteTag, UnixSeconds};
use core::num::NonZeroU16;

/// Length of a challenge in bytes.
pub const CHALLENGE_BYTES: usize = 64;
/// Bytes that the MAC covers.
pub(crate) const MACED_BYTES: usize = 48;
const VERSION: u8 = 1;
const FLAG_STANDING: u8 = 1;

/// What a solution of the challenge buys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A clearance. Wire value 0.
    Gate,
    /// A single-use token for a form. Wire value 1.
    Form,
    /// Nothing: it is a [`crate::Ticket`], which waits instead of working. Wire value 2.
    Ticket,
}

impl Purpose {
    const fn from_wire(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Gate),
            1 => Some(Self::Form),
            2 => Some(Self::Ticket),
            _ => None,
        }
    }

    const fn wire(self) -> u8 {
        match self {
            Self::Gate => 0,
            Self::Form => 1,
            Self::Ticket => 2,
        }
    }
}

/// How much a challenge asks: `count` sub-puzzles of `difficulty` expected attempts each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How an attempt is hashed.
    pub algorithm: Algorithm,
    /// Sub-puzzles, 1 to 64.
    pub count: u8,
    /// Expected attempts per sub-puzzle.
    pub difficulty: Difficulty,
}

impl Shape {
    /// Most sub-puzzles in a challenge.
    pub const COUNT_MAX: u8 = 64;

    /// The work that this shape asks, in attempts of `sha256`, where one of its attempts is worth `rate`: `k·d·rate`.
    #[must_use]
    pub const fn work(self, rate: Rate) -> u64 {
        self.count as u64 * self.difficulty.attempts() as u64 * rate.get() as u64
    }

    /// Length of a solution in bytes.
    #[must_use]
    pub const fn solution_bytes(self) -> usize {
        match self.algorithm {
            Algorithm::Sha256 => 8 * self.count as usize,
            Algorithm::HashWx => 8 * self.count as usize + GUARD_BYTES,
        }
    }
}

/// Everything that is chosen when a challenge is issued.
#[derive(Clone, Copy, Debug)]
pub struct NewChallenge {
    /// What it asks; a count outside 1..=64 is held inside.
    pub shape: Shape,
    /// When it is issued.
    pub issued_at: UnixSeconds,
    /// How long it can be redeemed, in seconds.
    pub lifetime_seconds: NonZeroU16,
    /// What it buys.
    pub purpose: Purpose,
    /// Sold even while the site's price is zero.
    pub standing: bool,
    /// 16 fresh random bytes.
    pub random: [u8; 16],
    /// The keyed hash of the client network under `bind = "strict"`, else zero.
    pub binding: [u8; 8],
    /// The keyed hash of the site.
    pub site: SiteTag,
}

/// A well-formed challenge. Nothing in it is believed before [`crate::KeyRing::authenticate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    bytes: [u8; CHALLENGE_BYTES],
    shape: Shape,
    lifetime_seconds: NonZeroU16,
    purpose: Purpose,
}

impl Challenge {
    /// Parses a challenge from its bytes.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for a wrong length, an unknown version, algorithm or purpose (2, the ticket without
    /// script, is never redeemed), a count, difficulty or lifetime out of range, and flags beyond bit 0.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let challenge = Self::of_any_purpose(bytes)?;
        if challenge.purpose == Purpose::Ticket { Err(Refusal::Malformed) } else { Ok(challenge) }
    }

    /// [`Challenge::parse`], tickets too.
    pub(crate) fn of_any_purpose(bytes: &[u8]) -> Result<Self, Refusal> {
        let bytes: [u8; CHALLENGE_BYTES] = bytes.try_into().map_err(|_| Refusal::Malformed)?;
        let purpose = Purpose::from_wire(bytes[14]).ok_or(Refusal::Malformed)?;
        let [_, _, _, count, d0, d1, d2, d3, ..] = bytes;
        let in_range =
            bytes[0] == VERSION && (1..=Shape::COUNT_MAX).contains(&count) && bytes[15] & !FLAG_STANDING == 0;
        if !in_range {
            return Err(Refusal::Malformed);
        }
        let algorithm = Algorithm::from_wire(bytes[1]).ok_or(Refusal::Malformed)?;
        let difficulty = Difficulty::new(u32::from_be_bytes([d0, d1, d2, d3])).ok_or(Refusal::Malformed)?;
        let lifetime_seconds = NonZeroU16::new(u16::from_be_bytes([bytes[12], bytes[13]])).ok_or(Refusal::Malformed)?;
        Ok(Self { bytes, shape: Shape { algorithm, count, difficulty }, lifetime_seconds, purpose })
    }

    /// Lays out a challenge and signs it with `mac`, which gets bytes 0..48 and returns the MAC.
    pub(crate) fn build(new: &NewChallenge, mac: impl FnOnce(&[u8; MACED_BYTES]) -> [u8; 16]) -> Self {
        let shape = Shape { count: new.shape.count.clamp(1, Shape::COUNT_MAX), ..new.shape };
        let mut signed = [0; MACED_BYTES];
        signed[0] = VERSION;
        signed[1] = shape.algorithm.wire();
        signed[2] = new.issued_at.day().key_id();
        signed[3] = shape.count;
        signed[4..8].copy_from_slice(&shape.difficulty.attempts().to_be_bytes());
        signed[8..12].copy_from_slice(&new.issued_at.0.to_be_bytes());
        signed[12..14].copy_from_slice(&new.lifetime_seconds.get().to_be_bytes());
        signed[14] = new.purpose.wire();
        signed[15] = if new.standing { FLAG_STANDING } else { 0 };
        signed[16..32].copy_from_slice(&new.random);
        signed[32..40].copy_from_slice(&new.binding);
        signed[40..48].copy_from_slice(&new.site.0);
        let mut bytes = [0; CHALLENGE_BYTES];
        bytes[..MACED_BYTES].copy_from_slice(&signed);
        bytes[MACED_BYTES..].copy_from_slice(&mac(&signed));
        Self { bytes, shape, lifetime_seconds: new.lifetime_seconds, purpose: new.purpose }
    }

    /// The 64 bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; CHALLENGE_BYTES] {
        &self.bytes
    }

    /// What it asks.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// What it buys.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Sold even while the site's price is zero.
    #[must_use]
    pub const fn standing(&self) -> bool {
        self.bytes[15] & FLAG_STANDING != 0
    }

    /// When it says it was issued.
    #[must_use]
    pub const fn issued_at(&self) -> UnixSeconds {
        UnixSeconds(u32::from_be_bytes([self.bytes[8], self.bytes[9], self.bytes[10], self.bytes[11]]))
    }

    /// The first second in which it can no longer be redeemed.
    #[must_use]
    pub const fn expires_at(&self) -> UnixSeconds {
        self.issued_at().plus(self.lifetime_seconds.get() as u32)
    }

    /// Whether its key id is that of the day it says it was issued on.
    pub(crate) const fn key_id_fits(&self) -> bool {
        self.bytes[2] == self.issued_at().day().key_id()
    }

    /// The keyed hash of the site it was made for.
    #[must_use]
    pub fn site(&self) -> SiteTag {
        SiteTag(self.eight_bytes(40))
    }

    pub(crate) fn binding(&self) -> [u8; 8] {
        self.eight_bytes(32)
    }

    pub(crate) fn maced(&self) -> &[u8; MACED_BYTES] {
        self.bytes.first_chunk().expect("64 bytes begin with 48")
    }

    pub(crate) fn mac(&self) -> &[u8; 16] {
        self.bytes.last_chunk().expect("64 bytes end with 16")
    }

    fn eight_bytes(&self, start: usize) -> [u8; 8] {
        core::array::from_fn(|i| self.bytes[start + i])
    }

    /// The day whose keys signed it.
    #[must_use]
    pub const fn day(&self) -> Day {
        self.issued_at().day()
    }
}
