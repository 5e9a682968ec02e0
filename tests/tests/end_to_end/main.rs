//! The claims of the README and of `docs/PROTOCOL.md`, tried on the real binary, real web servers and real browsers.
//!
//! Run by `cargo test -p tests`; `PORTCULLIS_BINARY` names the binary when it is not in `target/`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

/// Each scenario becomes two tests: behind the verifier as reverse proxy, and behind nginx that asks it.
macro_rules! through_both {
    ($($scenario:ident),* $(,)?) => {
        mod through_the_proxy {
            $(#[test] fn $scenario() { super::$scenario(tests::stage::Front::Proxy); })*
        }
        mod through_nginx {
            $(#[test] fn $scenario() { super::$scenario(tests::stage::Front::Nginx); })*
        }
    };
}

mod activation;
mod administration;
mod api_keys;
mod attacks;
mod automatic;
mod behind_a_cdn;
mod beside_families;
mod browser_accessible;
mod browser_accessible_list;
mod browser_accessible_moments;
mod browser_accessible_narrow;
mod browser_app;
mod browser_budget;
mod browser_conditions;
mod browser_denied;
mod browser_engines;
mod browser_failures;
mod browser_forms;
mod browser_hashwx;
mod browser_https;
mod browser_languages;
mod browser_numbers;
mod browser_page;
mod browser_returns;
mod browser_tag;
mod browser_tag_forms;
mod browser_tag_languages;
mod browser_tag_libraries;
mod browser_tag_refusals;
mod browser_tag_renewal;
mod browser_tag_streams;
mod browser_tag_xhr;
mod browser_token_forms;
mod browser_turnstile;
mod browser_unscripted;
mod browser_visit;
mod browser_widget;
mod browser_widget_accessible;
mod browser_without_cookies;
mod browser_workers;
mod callers;
mod canonical;
mod command_line;
mod connections;
mod crawlers;
mod dashboard;
mod dashboard_accessible;
mod dashboard_attack;
mod dashboard_reports;
mod demo;
mod descriptors;
mod doctor;
mod flow;
mod forwarding;
mod full_disk;
mod harness;
mod hashwx;
mod hostile;
mod http2;
mod https;
mod invisible;
mod learn;
mod learned_assets;
mod logs;
mod memory;
mod metrics;
mod mixed_versions;
mod multiplier;
mod networks;
mod nginx_log;
mod nginx_recipe;
mod notices;
mod operating;
mod origins;
mod other_versions;
mod out_of_memory;
mod package;
mod passes;
mod pictures;
mod policy;
mod previews;
mod prices;
mod problems;
mod proxy_protocol;
mod proxying;
mod queue;
mod readme;
mod recipes;
mod redemption;
mod reloads;
mod restarts;
mod rotation;
mod setup;
mod sites;
mod siteverify;
mod slow_transfers;
mod startup;
mod streams;
mod table;
mod tickets;
mod transfers;
mod units;
mod unpaid;
mod upgrades;
mod watchdog;
