//! The attack lab behind `cargo xtask siege`.
//!
//! Everything goes over real sockets on loopback: an [`origin`] of a known capacity, the binary `portcullis`, honest
//! [`visitors`], and [`attackers`], each in a file of its own. Sockets bound to 127.x.y.1 arrive as different /24
//! networks. Every load is bounded in count and in time, and nothing leaves 127.0.0.0/8.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts and seconds of a run are small and never negative"
)]
#![allow(clippy::missing_errors_doc, clippy::must_use_candidate, reason = "a measuring program")]

pub mod arena;
pub mod attackers;
pub mod client;
pub mod guard;
pub mod holds;
pub mod lessons;
pub mod networks;
pub mod origin;
pub mod outcome;
pub mod plot;
pub mod priority;
pub mod proc;
pub mod report;
pub mod run;
pub mod scale;
pub mod scenario;
pub mod seeded;
pub mod shop;
pub mod solver;
pub mod tally;
pub mod visitor;
pub mod visitors;
pub mod watch;
pub mod weeks;
