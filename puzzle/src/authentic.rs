//! What a believed challenge allows next.

use crate::keys::DayKeys;
use crate::{
    Algorithm, Challenge, ClearanceId, ClientNetwork, Refusal, SOLUTION_BYTES_MAX, Solution, TagSource, UnixSeconds,
    solution,
};

/// What a challenge is held against.
#[derive(Clone, Copy, Debug)]
pub struct Expectations<'a> {
    /// The moment of the check.
    pub now: UnixSeconds,
    /// The site or key that the request is for.
    pub audience: &'a dyn TagSource,
    /// The client's network under `bind = "strict"`, else `None`: then the binding is not looked at.
    pub strict_network: Option<ClientNetwork>,
    /// When this verifier's table begins: what was issued before cannot be told from what was redeemed before.
    pub table_begins: UnixSeconds,
}

/// A challenge that was issued here, for this site and client, and is in time.
#[derive(Clone, Copy, Debug)]
pub struct Authentic<'a> {
    challenge: Challenge,
    /// Those it was signed with.
    keys: &'a DayKeys,
}

impl<'a> Authentic<'a> {
    pub(crate) const fn new(challenge: Challenge, keys: &'a DayKeys) -> Self {
        Self { challenge, keys }
    }

    /// Checks the solution's sub-puzzles, `first` first and then in turn, stopping at the first failure. With a random
    /// `first` nobody can put the one that fails last.
    ///
    /// # Errors
    /// [`Refusal::Unsolved`] if one of them does not meet the target.
    pub fn solved_by(self, solution: &Solution<'_>, first: u8) -> Result<Solved, Refusal> {
        match self.paid_by(solution, first)? {
            Paid::Solved(solved) => Ok(solved),
            Paid::Guarded(guarded) => guarded.solved(first),
        }
    }

    /// As much of [`Authentic::solved_by`] as takes microseconds: of `sha256` everything, of `hashwx` the guard.
    ///
    /// # Errors
    /// [`Refusal::Unsolved`] if a sub-puzzle does not meet the target, or the guard does not hold.
    pub fn paid_by(self, solution: &Solution<'_>, first: u8) -> Result<Paid, Refusal> {
        let solved = || Solved { challenge: self.challenge, id: self.keys.clearance_id(&self.challenge) };
        match self.challenge.shape().algorithm {
            Algorithm::Sha256 if solution::solves(&self.challenge, solution, first) => Ok(Paid::Solved(solved())),
            Algorithm::HashWx if solution::is_guarded(&self.challenge, solution) => {
                let mut bytes = [0; SOLUTION_BYTES_MAX];
                bytes.iter_mut().zip(solution.bytes()).for_each(|(place, byte)| *place = *byte);
                Ok(Paid::Guarded(Guarded { unproved: solved(), solution: bytes }))
            }
            Algorithm::Sha256 | Algorithm::HashWx => Err(Refusal::Unsolved),
        }
    }
}

/// How far a solution is checked.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "it is moved once; a box would be an allocation on the check path")]
pub enum Paid {
    /// Wholly.
    Solved(Solved),
    /// What is left takes some 25 µs for each sub-puzzle.
    Guarded(Guarded),
}

/// A solution of `hashwx` whose guard holds: whoever made it has paid for a look at it. It can be taken to another thread.
#[derive(Clone, Debug)]
pub struct Guarded {
    /// Nobody gets it before the nonces hold.
    unproved: Solved,
    solution: [u8; SOLUTION_BYTES_MAX],
}

impl Guarded {
    /// Checks its sub-puzzles, `first` first and then in turn, stopping at the first failure.
    ///
    /// # Errors
    /// [`Refusal::Unsolved`] if one of them does not meet the target.
    pub fn solved(self, first: u8) -> Result<Solved, Refusal> {
        let challenge = &self.unproved.challenge;
        let bytes = self.bytes();
        let solves = Solution::parse(bytes, challenge.shape())
            .is_ok_and(|solution| solution::solves_programs(challenge, &solution, first));
        if solves { Ok(self.unproved) } else { Err(Refusal::Unsolved) }
    }

    /// The bytes of the challenge.
    #[must_use]
    pub const fn challenge(&self) -> &Challenge {
        &self.unproved.challenge
    }

    /// The bytes of the solution.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.solution.get(..self.unproved.challenge.shape().solution_bytes()).unwrap_or_default()
    }
}

/// Proof that a challenge of ours was solved: the only thing that a clearance can be bought with.
#[derive(Clone, Copy, Debug)]
pub struct Solved {
    challenge: Challenge,
    id: ClearanceId,
}

impl Solved {
    /// The challenge that was solved.
    #[must_use]
    pub const fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// The name of what it buys: the same for every submission of it.
    #[must_use]
    pub const fn clearance_id(&self) -> ClearanceId {
        self.id
    }
}
