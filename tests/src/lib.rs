//! The harness of the end-to-end tests: the verifier, an origin, nginx and browsers as real processes on loopback.
//!
//! Everything here is written from `docs/PROTOCOL.md` alone. In particular [`solver`] and [`visitor`] are an independent
//! client: they do not use the crate `puzzle`, so that an error made there is not made here too.
//!
//! A harness says what went wrong by panicking: every caller is a test.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    reason = "a harness fails its test by panicking, and its values are all made to be used"
)]

pub mod axe;
pub mod browser;
pub mod client;
pub mod debian;
pub mod demo;
pub mod engine;
pub mod etiquette;
pub mod h2;
pub mod live;
pub mod load;
pub mod machine;
pub mod names;
pub mod nginx;
pub mod origin;
pub mod pages;
pub mod php;
mod places;
pub mod ports;
pub mod process;
pub mod raw_origin;
pub mod recipes;
pub mod relay;
pub mod reply;
pub mod settings;
pub mod share;
pub mod solver;
pub mod stage;
pub mod tls;
pub mod transfer;
pub mod verifier;
pub mod visitor;
pub mod wait;
pub mod webdriver;
