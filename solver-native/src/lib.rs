//! The best attacker we can write, for measuring only: what a visitor's browser reaches is worth something only as a
//! share of this.
//!
//! Nothing that ships depends on this crate. `docs/PROTOCOL.md` §2 says what a solution is. Every lane has every saving
//! of the browsers' solver: the rounds before the nonce's low word once (ten while the high word stays), the fixed part
//! of the message schedule and of the round inputs once, and only as much of a digest as the first comparison needs.
//! (That is all of it up to the last round: the compared word is register a, which the last round makes.)
//!
//! # What paid
//!
//! Measured by `examples/rate.rs` on one core of an AMD EPYC of the Zen 5 family at 4.1 GHz, in MH/s. The plain stream
//! of the sha2 crate reached 24.
//!
//! | | one | two | three | four | five | six | eight |
//! |---|---|---|---|---|---|---|---|
//! | SHA-NI, streams in turn | 51 | 66 | **68** | 66 | 67 | 66 | 66 |
//! | AVX2, rows of 8 | **40** | 16 | | | | | |
//! | AVX-512, rows of 16 | 134 | **142** | 77 | 73 | | | |
//!
//! - SHA-NI: the two-round instruction starts every second cycle there, and an attempt needs 27 of them: 54 cycles, or
//!   76 MH/s, is the end. Three streams reach nine tenths of it.
//! - AVX2: two rows need twice the 16 registers there are, and the copies to the stack cost more than waiting did. It is
//!   behind SHA-NI, so it is the best lane only on CPUs without.
//! - AVX-512: `vprord` and `vpternlogd` each take the place of two or three instructions. Two rows are 2,590 instructions
//!   on four units, 650 cycles; they take 925. Two rows hide more of each other's waiting than the copies to the stack
//!   cost (390 of them); three do not.
//! - Making the next e from d first and the next a from it costs one subtraction a round and takes two of eight cycles
//!   out of the chain from round to round: 3 % for one row, nothing for two.
//!
//! # What did not pay, or is left
//!
//! - Without the compiler's machine scheduler (`-C llvm-args=-enable-misched=false`) two rows reached 152, which a crate
//!   cannot ask for by itself. The lower bound by instruction counts is near 200.
//! - Eight lanes with the AVX-512VL forms of the same instructions reached 65: less than half of sixteen.
//! - An order of nonces in which W17, W19 and W21 and their sigmas are shared between high words would save at most 2 %
//!   of the instructions, and give up consecutive nonces.
//! - Not tried: vector rows and SHA-NI streams in the same loop. They share the four vector units, and an attempt takes
//!   about as many of their slots either way, so that at most the idle third of them could be won.

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
