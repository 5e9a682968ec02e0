//! The best attacker we can write, for measuring only: what a visitor's browser reaches is worth something only as a
//! share of this.
//!
//! Nothing that ships depends on this crate. `docs/PROTOCOL.md` §2 says what a solution is. Every lane has every saving
//! of the browsers' solver: the rounds before the nonce's low word once (ten while the high word stays), the fixed part
//! of the message schedule and of the round inputs once, and only as much of a digest as the first comparison needs.

// The digest is made of 32-bit words; cutting a nonce into two of them is what the casts are for. A kernel is one
// straight line only if everything is inlined into it.
#![allow(clippy::cast_possible_truncation, clippy::inline_always, clippy::many_single_char_names)]

#[cfg(target_arch = "x86_64")]
mod kernel;
mod lane;
#[cfg(target_arch = "x86_64")]
mod prefix;
mod search;
#[cfg(target_arch = "x86_64")]
mod sha256;
#[cfg(target_arch = "x86_64")]
mod sha_ni;
mod solve;
#[cfg(target_arch = "x86_64")]
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use lane::Lane;
pub use search::find;
pub use solve::solve;
