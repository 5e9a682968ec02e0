//! What both sides of Portcullis agree on: the challenge and its MAC, the solution check, the price arithmetic.
//!
//! No clock, no I/O, no allocation: time and randomness are arguments. The byte formats are those of `docs/PROTOCOL.md`,
//! §1 to §3, and `docs/vectors.json` holds them in place.
//!
//! A solution is believed in steps, each with a type of its own, so that none can be left out:
//! [`Challenge::parse`] → [`KeyRing::authenticate`] → [`Authentic::solved_by`] → [`Solved`].

#![no_std]

mod algorithm;
mod authentic;
mod base64url;
mod challenge;
pub mod hashwx;
mod keys;
mod network;
mod prf;
pub mod price;
mod refusal;
mod sha256;
mod solution;
mod ticket;
mod token;
mod units;

pub use algorithm::{Algorithm, Rate};
pub use authentic::{Authentic, Expectations, Guarded, Paid, Solved};
pub use base64url::{Encoded, decode, encode};
pub use challenge::{CHALLENGE_BYTES, Challenge, NewChallenge, Purpose, Shape};
pub use keys::{Audience, ClearanceId, DayKeys, KeyRing, Master, SiteTag, TagSource};
pub use network::ClientNetwork;
pub use refusal::Refusal;
pub use solution::{
    GUARD_BYTES, NONCES_PER_INSTANCE, SOLUTION_BYTES_MAX, Solution, SubPuzzle, guard, instance_of, seed_of, target,
};
pub use ticket::{NewTicket, Ticket, TicketRefusal};
pub use token::{
    TOKEN_ACTION_CHARS_MAX, TOKEN_BYTES_MAX, TOKEN_CDATA_CHARS_MAX, TOKEN_HOST_BYTES_MAX, TOKEN_SECONDS, Token,
    TokenRefusal, TokenTexts,
};
pub use units::{Credits, Day, Difficulty, Multiplier, UnixSeconds};
