//! The verifier behind the binary `portcullis`.

pub mod config;
pub mod gate;
