//! The shell around the gate: listeners, the client's address, the endpoints, the reverse proxy, pages, admin.

mod activity;
pub mod admin;
mod admission;
mod answer;
mod assets;
mod beside;
mod body;
mod checks;
mod clearances;
mod client_body;
mod client_io;
mod connections;
mod cors;
mod crowds;
mod endpoints;
mod forward;
mod listener;
mod noscript;
mod origin_heads;
mod original;
mod pace;
mod pages;
mod proxy;
mod read_ahead;
mod serve;
mod service;
mod shortage;
mod status;
mod streams;
mod tickets;
mod transfers;
mod tunnel;
mod verify;

pub use listener::{BindError, Listener};
pub use serve::{Server, serve};
pub use service::Verifier;
