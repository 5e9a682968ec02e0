//! The shell around the gate: listeners, the client's address, the endpoints, the reverse proxy, pages, admin.

mod activity;
pub mod admin;
mod admission;
mod answer;
mod assets;
mod beside;
mod body;
mod clearances;
mod client_io;
mod connections;
mod cors;
mod endpoints;
mod forward;
mod listener;
mod noscript;
mod original;
mod pages;
mod proxy;
mod serve;
mod service;
mod status;
mod tickets;
mod tunnel;
mod verify;

pub use listener::{BindError, Listener};
pub use serve::{Server, serve};
pub use service::Verifier;
