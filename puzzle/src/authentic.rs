//! What a believed challenge allows next.

use crate::keys::DayKeys;
use crate::{Challenge, ClearanceId, ClientNetwork, Refusal, Solution, TagSource, UnixSeconds, solution};

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
        if solution::solves(&self.challenge, solution, first) {
            Ok(Solved { challenge: self.challenge, id: self.keys.clearance_id(&self.challenge) })
        } else {
            Err(Refusal::Unsolved)
        }
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
