//! The verifier behind the binary `portcullis`. `gate` decides, `http` is the shell around it.

mod by_site;
mod caller_keeper;
pub mod cli;
mod client;
pub mod clock;
pub mod config;
pub mod demo;
pub mod explain;
pub mod gate;
pub mod html;
pub mod http;
pub mod load;
pub mod operator;
mod pass_keeper;
mod profile_keeper;
pub mod random;
pub mod reload;
mod restrict;
pub mod secret;
pub mod solve;
pub mod startup;
pub mod telemetry;
mod watch;
