//! The verifier behind the binary `portcullis`. `gate` decides, `http` is the shell around it.

mod attack_keeper;
pub mod bot_ranges;
mod by_site;
pub mod calendar;
mod caller_keeper;
pub mod cli;
mod client;
pub mod clock;
pub mod config;
mod crawler_lookup;
pub mod demo;
pub mod doctor;
pub mod explain;
pub mod gate;
pub mod html;
pub mod http;
mod kept;
pub mod learn;
pub mod load;
mod network_lists;
pub mod notices;
pub mod operator;
mod profile_keeper;
pub mod random;
pub mod refresh;
pub mod reload;
pub mod report;
mod restrict;
pub mod secret;
pub mod setup;
pub mod solve;
pub mod startup;
pub mod state_file;
pub mod telemetry;
pub mod timeline;
pub mod tls;
mod watch;
pub mod watchdog;

/// What this build calls itself: the version of the package, unless whoever built it said otherwise.
pub const VERSION: &str = env!("PORTCULLIS_VERSION");
