//! What `GET /status` says: the mode, the sites, and every signal, present or missing.

use super::service::Verifier;
use crate::clock;
use crate::config::Config;
use crate::gate::level::LevelReport;
use crate::gate::networks::NetworksHealth;
use crate::gate::top::{GENERATION_SECONDS, Heavy};
use crate::gate::{SiteReport, SuppliesReport};
use crate::load::limit::Learning;
use crate::load::{Capacity, Measured};
use crate::telemetry::LogLine;
use serde_json::{Value, json};

/// How many of each kind `top` lists.
const TOP_LISTED_MAX: usize = 10;

/// The whole status. A signal that is missing is `null`.
pub(super) fn status(verifier: &Verifier) -> Value {
    let config = verifier.config.load();
    let (used, slots) = verifier.gate.table_fill();
    let [unpaid, paid, challenged, denied, busy] = verifier.metrics.decisions();
    let dropped = verifier.metrics.dropped.get();
    let prices = config.sites.iter().map(|site| verifier.gate.pricing(&config, site).price);
    let sites: Vec<Value> = config
        .sites
        .iter()
        .map(|site| {
            let report = verifier.gate.report(site, verifier.started.elapsed());
            let price = verifier.gate.pricing(&config, site).price;
            let (in_use, waiting) = verifier.admissions.of(site).fill();
            let lasting = verifier.lasting(&config, site);
            json!({
                "name": site.name,
                "mode": verifier.gate.mode_of(site).name(),
                "mode_by_hand": verifier.gate.mode_by_hand(site).map(crate::config::Mode::name),
                "price": price,
                "notice": verifier.notices.of(&site.name).map(|notice| notice.text.clone()),
                "price_pin": verifier.gate.pin_of(site, clock::now())
                    .map(|pin| json!({ "price": pin.price, "expires_in": pin.expires_at.since(clock::now()) })),
                "state": report.state.name(),
                "overload": report.overload.names().collect::<Vec<_>>(),
                "networks_above_cap_challenged": report.crowded,
                "hold_seconds": report.hold.as_secs(),
                "hold_left_seconds": report.hold_left.as_secs(),
                "capacity": capacity(&report.measured),
                "queue": site.origin.as_ref().map(|_| json!({ "in_use": in_use, "waiting": waiting })),
                "origins": site.origin.as_ref().map(|origins| verifier.origins.report(origins)),
                "slow_transfers": lasting.slow,
                "streams": {
                    "open": lasting.streams.open,
                    "with_place": lasting.streams.with_place,
                    "places": lasting.stream_places,
                },
                "demand": demand(&report.measured),
                "unpaid": unpaid_share(&config, &verifier.gate.supplies(site)),
                "cleared_beside": config.beside.as_ref().filter(|_| site.origin.is_none())
                    .map(|_| supply(&verifier.gate.supplies(site).cleared)),
                "signals": signals(&report),
                "callers": verifier.turned_away(&config, site).iter().map(|one| one.json(clock::now())).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "version": crate::VERSION,
        "mode": verifier.gate.mode().name(),
        "price": prices.max().unwrap_or_default(),
        "floor": config.challenge.floor(),
        "ceiling": config.challenge.ceiling(),
        "uptime_seconds": verifier.started.elapsed().as_secs(),
        "connections": verifier.open_connections(),
        "read_ahead_bytes": verifier.read_aheads.bytes(),
        "slow_transfers_closed": verifier.metrics.slow_closed.get(),
        "table": { "used": used, "slots": slots },
        "requests": {
            "unpaid": unpaid, "paid": paid, "challenged": challenged, "denied": denied, "busy": busy, "dropped": dropped,
        },
        "networks": networks(&verifier.gate.memory().health()),
        "log_lines": log_lines(verifier, &config),
        "crawlers": crawlers(verifier, &config),
        "clearances_sold": verifier.metrics.clearances_sold.get(),
        "sites": sites,
        "rules_by_hand": verifier.gate.hand_rules(clock::now()),
        "top": top(verifier, &config),
        "warnings": config.warnings,
    })
}

/// Who asked most in the last minutes, for what, as whom, and why things were refused.
fn top(verifier: &Verifier, config: &Config) -> Value {
    let now = clock::now();
    let top = verifier.top.report(TOP_LISTED_MAX, now);
    let of_all =
        |heavy: &Heavy| json!({ "name": heavy.name, "requests": heavy.requests, "turned_away": heavy.turned_away });
    let of_site = |heavy: &Heavy| {
        let mut one = of_all(heavy);
        one["site"] = json!(config.sites.iter().find(|site| site.mark == heavy.site).map(|site| &site.name));
        one
    };
    json!({
        "seconds": u64::from(now.0 % GENERATION_SECONDS + GENERATION_SECONDS).min(verifier.started.elapsed().as_secs()),
        "networks": top.networks.iter().map(of_all).collect::<Vec<_>>(),
        "paths": top.paths.iter().map(of_site).collect::<Vec<_>>(),
        "user_agents": top.user_agents.iter().map(of_all).collect::<Vec<_>>(),
        "reasons": top.reasons.iter().map(of_site).collect::<Vec<_>>(),
    })
}

/// Addresses of those who say that they are crawlers; `null` where none is known by names.
fn crawlers(verifier: &Verifier, config: &Config) -> Value {
    if config.crawlers.all().is_empty() {
        return Value::Null;
    }
    let report = verifier.crawlers.addresses.report(clock::now());
    json!({ "confirmed": report.confirmed, "refuted": report.refuted, "waiting": report.waiting })
}

/// What became of the lines of the web server's log; `null` where none come.
fn log_lines(verifier: &Verifier, config: &Config) -> Value {
    if config.access_log.is_empty() {
        return Value::Null;
    }
    LogLine::ALL.iter().map(|line| (line.name().to_owned(), Value::from(verifier.metrics.log_lines(*line)))).collect()
}

/// How the sketches are, for `GET /status`.
fn networks(health: &NetworksHealth) -> Value {
    let (used, cells) = health.purchases_cells;
    let (profile_used, profile_cells) = health.profile_cells;
    json!({
        "purchases": { "cells_used": used, "cells": cells },
        "profile": {
            "loaded": health.profile_loaded,
            "learning": health.profile_learning,
            "observed_seconds": health.profile_observed_seconds,
            "cells_used": profile_used,
            "cells": profile_cells,
        },
    })
}

fn capacity(measured: &Measured) -> Value {
    match measured.capacity {
        None => Value::Null,
        Some(capacity) => {
            let source = match capacity {
                Capacity::Configured(_) => "configured",
                Capacity::Learned(_) => "learned",
                Capacity::AtLeast(_) => "at_least",
            };
            json!({ "credits_per_second": rounded(capacity.credits_per_second()), "source": source })
        }
    }
}

fn demand(measured: &Measured) -> Value {
    let demand = &measured.demand;
    json!({
        "raw_credits_per_second": rounded(demand.raw),
        "offered_credits_per_second": rounded(demand.offered),
        "paid_credits_per_second": rounded(demand.paid),
    })
}

/// The share of what passes unpaid, and what rules keep for themselves, by the number of the rule.
fn unpaid_share(config: &Config, supplies: &SuppliesReport) -> Value {
    let rules = config.policy.rules().iter().enumerate();
    let reserves = rules.filter_map(|(number, rule)| {
        let mut slice = supply(supplies.slices.get(rule.route.reserve?.slice)?);
        slice["rule"] = json!(number + 1);
        Some(slice)
    });
    let mut share = supply(&supplies.unpaid);
    share["reserves"] = Value::Array(reserves.collect());
    let keys = config.api_keys.keys().iter().filter_map(|key| {
        let mut slice = supply(supplies.slices.get(key.reserve.slice)?);
        slice["name"] = json!(key.name);
        Some(slice)
    });
    share["api_keys"] = Value::Array(keys.collect());
    share
}

/// A supply and who shares it. Without one nothing is bounded, and it is `null`.
fn supply(report: &LevelReport) -> Value {
    json!({
        "supply_credits_per_second": report.supply.map(rounded),
        "demand_credits_per_second": rounded(report.demand),
        "level_credits_per_second_and_share": report.level.map(rounded),
        "admitted": report.admitted,
        "refused": report.refused,
    })
}

fn signals(report: &SiteReport) -> Value {
    let measured = &report.measured;
    let origin = measured.origin.map(|origin| {
        let learning = match origin.learning {
            Learning::NotBinding => "limit does not bind",
            Learning::Binding => "learning",
            Learning::Frozen => "frozen",
        };
        json!({
            "waiting": origin.waiting,
            "slots": origin.slots,
            "goodput_credits_per_second": rounded(origin.goodput),
            "delay_ratio": origin.delay_ratio.map(rounded),
            "capacity_estimate": learning,
        })
    });
    let probe = measured.probe.map(|probe| {
        json!({ "seconds": rounded(probe.last_s), "median_seconds": probe.median_s.map(rounded), "slow": probe.slow })
    });
    let log = measured.log.map(|log| {
        json!({
            "waiting": log.waiting,
            "backlog": log.backlog,
            "missing_share": log.missing_share.map(rounded),
            "reliable": log.is_reliable(),
        })
    });
    json!({
        "origin": origin,
        "access_log": log,
        "queue_delay_seconds": measured.queue_delay_s.map(rounded),
        "queued_requests": measured.queued,
        "failing_networks_share": measured.failing_share.map(rounded),
        "origin_held_up": measured.held_up,
        "site_down": measured.site_down,
        "pressure_cpu_percent": measured.pressure.cpu,
        "pressure_io_percent": measured.pressure.io,
        "probe": probe,
        "told_load": measured.told_load,
    })
}

/// To three digits after the point: more is noise.
fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}
