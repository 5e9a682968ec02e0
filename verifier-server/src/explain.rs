//! What a configuration would do, in plain words: for `check-config` and for the log at the start.

mod asked;
mod believed;

pub use asked::{ASKED_HEADERS_MAX, Asked, AskedError, asked};

use crate::config::{Bind, Config, Mode, OnFailure, Origins, PriceBounds, Privacy, Site, Words};
use crate::gate::UNPAID_SHARE;
use crate::gate::policy::{Action, Rule};
use crate::gate::site_keys::SiteKey;
use crate::load::Capacity;
use puzzle::Credits;
use std::fmt::Write;

/// The whole configuration in sentences, one a line.
#[must_use]
pub fn explain(config: &Config) -> String {
    let mut text = String::new();
    let mut say = |line: String| {
        // A string takes everything.
        let _ = writeln!(text, "{line}");
    };
    let listeners = config.listen.iter().chain(&config.listen_proxy_protocol);
    let listeners: Vec<String> = listeners.map(ToString::to_string).collect();
    say(format!("listens on {}; the operator on {}", listeners.join(" and "), config.admin));
    for site in &config.sites {
        let hosts: Vec<String> = site.hosts.iter().map(ToString::to_string).collect();
        let hosts = if hosts.is_empty() { "every host".to_owned() } else { hosts.join(", ") };
        let origin =
            site.origin.as_ref().map_or_else(|| "only answers the web server's questions".to_owned(), passed_on);
        say(format!("site `{}` ({hosts}): {origin}", site.name));
        for line in names_and_look(config, site) {
            say(line);
        }
    }
    let addresses = "the log has whole addresses of visitors (`privacy = \"address\"`)";
    let addresses = (config.privacy == Privacy::Address).then(|| addresses.to_owned());
    addresses.into_iter().chain(believed::lines(config)).for_each(&mut say);
    let (floor, ceiling) = (config.challenge.floor(), config.challenge.ceiling());
    say(match config.mode {
        Mode::Off => "mode off on every site: nothing but `deny` rules acts".to_owned(),
        Mode::Auto => format!(
            "mode auto: nothing is asked until a site is overloaded; then every page of it needs work, at least {floor} \
             attempts for a full clearance"
        ),
        Mode::On => format!("mode on: every page needs work, at least {floor} attempts for a full clearance"),
    });
    for site in &config.sites {
        say(format!("the load on `{}`: {}", site.name, load(config, site)));
        say(format!("unpaid on `{}` while the gate is down: {}", site.name, unpaid(config, site)));
    }
    say(format!(
        "a challenge asks {} sub-puzzles of {} attempts at the floor and {ceiling} attempts at the most, within {} s",
        config.challenge.count,
        config.challenge.difficulty.attempts(),
        config.challenge.lifetime_seconds
    ));
    if let Some(terms) = config.challenge.hashwx {
        say(format!(
            "challenge pages ask hashwx where the browser can: {} sub-puzzles, an attempt worth {} of the others, at most {} of \
             them; the price may rise to {}",
            terms.count,
            terms.rate.get(),
            config.challenge.ceiling_of(puzzle::Algorithm::HashWx),
            config.challenge.highest_price()
        ));
    }
    let bound = match config.clearance.bind {
        Bind::Network => "further networks pay a tenth as toll",
        Bind::Strict => "it is good from the network that bought it only",
    };
    let credits = f64::from(config.clearance.full.in_hundredths()) / 100.0;
    say(format!("a full clearance holds {credits} credits for {} s; {bound}", config.clearance.lifetime_seconds));
    for (number, rule) in config.policy.rules().iter().enumerate() {
        say(rule_told(config, number, rule));
    }
    if config.learned_assets && config.sites.iter().any(|site| site.origin.is_some()) {
        say("a path under no rule is an asset once the origin has answered it with a style, script, font or picture for \
             everybody"
            .to_owned());
    }
    for key in config.api_keys.keys() {
        let credits = config.reserve_of(key.reserve);
        say(format!("API key `{}`: whoever shows it in {} passes, {credits} credits a second", key.name, key.header));
    }
    let crawlers = (!config.crawlers.all().is_empty()).then(|| crawlers(config));
    let site_keys = config.site_keys.all().iter().map(|key| site_key_told(config, key));
    crawlers.into_iter().chain(site_keys).for_each(&mut say);
    if !config.policy.rules().iter().any(|rule| rule.built_in) {
        say("default_rules = false: no rule is built in".to_owned());
    }
    for known in &config.known_networks {
        say(format!("{} is known to be shared by {} visitors at a time", known.network, known.visitors));
    }
    let kept = config.state_dir.as_ref().map_or_else(
        || "nothing is kept: clearances end with the process".to_owned(),
        |folder| {
            let (folder, days) = (folder.display(), config.keep_attacks_days);
            format!("clearances survive a clean stop in {folder}, and attacks are kept there for {days} days")
        },
    );
    say(format!("the table takes at most {} MiB; {kept}", config.table_mib));
    say(match config.on_failure {
        OnFailure::Open => "without randomness from the system, requests pass".to_owned(),
        OnFailure::Closed => "without randomness from the system, requests are refused".to_owned(),
    });
    say(if config.reload_on_change {
        "a change of this file, or of one that it names, comes into force by itself".to_owned()
    } else {
        "a change of this file comes into force with SIGHUP or POST /reload".to_owned()
    });
    say(TURNED_OFF.to_owned());
    for warning in &config.warnings {
        say(format!("warning: {warning}"));
    }
    text
}

/// Who is asked for the names of crawlers, and when.
fn crawlers(config: &Config) -> String {
    let servers: Vec<String> = config.name_servers.iter().map(ToString::to_string).collect();
    let servers = if servers.is_empty() { "the system's name servers".to_owned() } else { servers.join(" and ") };
    let called: Vec<&str> = config.crawlers.all().iter().map(|crawler| crawler.user_agent.as_str()).collect();
    format!(
        "{servers} are asked, in the background, for the names of addresses that call themselves {}; nobody waits for it",
        called.join(", ")
    )
}

/// A rule in a sentence.
fn rule_told(config: &Config, number: usize, rule: &Rule) -> String {
    let route = &rule.route;
    let credits = |cost: Credits| f64::from(cost.in_hundredths()) / 100.0;
    let acts = match route.action {
        Action::Allow => route.reserve.map_or_else(
            || "passes unpaid, within what all such rules share".to_owned(),
            |reserve| {
                let credits = config.reserve_of(reserve);
                format!("passes unpaid, with {credits} credits a second of its own beside what all such rules share")
            },
        ),
        Action::Deny => "is refused".to_owned(),
        _ if route.asset => "is an asset and costs a tenth".to_owned(),
        Action::Price => format!("costs {}", credits(route.cost)),
        Action::Challenge => format!("needs work at any time and costs {}", credits(route.cost)),
    };
    let least = if route.min_price > 0 { format!(", at {} attempts or more", route.min_price) } else { String::new() };
    let raises =
        if rule.conditions.are_strangers_words() { "; it only makes dearer what other rules decide" } else { "" };
    let built_in = if rule.built_in { "built in, " } else { "" };
    let name = rule.name.as_ref().map(|name| format!(" ({built_in}`{name}`)")).unwrap_or_default();
    format!("rule {}{name}: {} {acts}{least}{raises}", number + 1, rule.conditions)
}

/// A site key in a sentence.
fn site_key_told(config: &Config, key: &SiteKey) -> String {
    let site = config.sites.iter().find(|site| site.mark == key.site).map_or("", |site| &site.name);
    let hosts: Vec<String> = key.hosts.iter().map(ToString::to_string).collect();
    let pages = if hosts.is_empty() { "the pages beside its endpoints".to_owned() } else { hosts.join(", ") };
    let secrets = if key.digests.len() > 1 { "two secrets" } else { "one secret" };
    let test =
        key.test.map_or_else(String::new, |test| format!("; for tests only, it always answers `{}`", test.name()));
    format!("site key `{}` of `{site}`: tokens for forms on {pages}; {secrets}{test}", key.key)
}

/// The one line that takes everything back.
const TURNED_OFF: &str = "to turn everything off: `portcullis mode off`, at once and on every site; or mode = \"off\" at the \
                          top of this file; beside nginx, to leave it altogether: take out the one `include` line and \
                          reload nginx";

/// To which servers requests go, and how it is told which of them answer.
fn passed_on(origins: &Origins) -> String {
    let mut text = format!("passes requests on to {origins}");
    if origins.servers.len() > 1 {
        text.push_str(", each to the one with the fewest");
    }
    if let Some(path) = &origins.health_path {
        let _ = write!(text, "; asks each of them for {path} every few seconds");
    }
    if let Some(tls) = origins.servers.iter().find_map(|server| server.tls.as_ref()) {
        let _ = write!(text, "; believes the certificates in {}", tls.file().display());
    }
    text
}

/// What a site says of itself beyond its origin: mode and price of its own, the one address, who gets its cookie, its look.
fn names_and_look(config: &Config, site: &Site) -> Vec<String> {
    let name = &site.name;
    let mut lines = Vec::new();
    if let Some(mode) = site.mode.filter(|_| config.mode != Mode::Off) {
        lines.push(format!("`{name}` has a mode of its own: {}", mode.name()));
    }
    if site.bounds != PriceBounds::default() {
        let terms = config.challenge_of(site);
        lines.push(format!(
            "`{name}` has a price of its own: {} attempts for a full clearance at the floor, {} in one challenge at the most",
            terms.floor(),
            terms.ceiling()
        ));
    }
    if let Some(canonical) = &site.canonical {
        let origin = &canonical.origin;
        lines.push(format!(
            "whoever comes to `{name}` by another host or scheme is sent to {origin} (308), in every mode"
        ));
    }
    if let Some(domain) = &site.cookie_domain {
        lines.push(format!("clearances of `{name}` are sent to every host of {domain}"));
    }
    if site.preview.is_some() {
        lines.push(format!(
            "fetchers of link previews, by what they call themselves, get the title of `{name}` in place of a challenge"
        ));
    }
    let look = &site.look;
    let has_words = look.words != Words::default() || !look.translations.is_empty();
    let own = [
        ("words", has_words),
        ("a name", look.name.is_some()),
        ("a logo", look.logo.is_some()),
        ("links", !look.links.is_empty()),
        ("colours", look.stylesheet.is_some()),
    ];
    let own: Vec<&str> = own.into_iter().filter_map(|(what, is_own)| is_own.then_some(what)).collect();
    if !own.is_empty() {
        lines.push(format!("the page of `{name}` has {} of its own", own.join(" and ")));
    }
    lines
}

/// What passes unpaid while others pay: rules, preflights, browsers without script.
fn unpaid(config: &Config, site: &Site) -> String {
    let share = match (config.capacity_of(site).or(config.capacity_at_least_of(site)), &site.origin) {
        (Some(capacity), _) => format!(
            "allow rules, preflights and browsers without JavaScript share {} credits a second",
            (capacity * UNPAID_SHARE * 100.0).round() / 100.0
        ),
        (None, origin) if origin.is_some() || !config.access_log.is_empty() => {
            "allow rules, preflights and browsers without JavaScript share a tenth of what it can do; until \
                            that is learned, nothing bounds rules and preflights, and those browsers do not pass"
                .to_owned()
        }
        (None, _) => {
            return "nothing bounds allow rules and preflights, and browsers without JavaScript do not pass: \
                                nothing tells what a tenth of its capacity is"
                .to_owned();
        }
    };
    match config.ticket.wait_seconds {
        0 => format!("{share}; [ticket] keeps browsers without JavaScript out"),
        seconds => format!("{share}; a browser without JavaScript waits {seconds} s or longer"),
    }
}

/// What follows of what a site did before.
fn at_least(config: &Config, site: &Site) -> String {
    let did = config.capacity_at_least_of(site).unwrap_or_default();
    let then = if site.origin.is_some() || !config.access_log.is_empty() {
        "until more is learned its price stays at the floor"
    } else {
        "its price stays at the floor"
    };
    let much = did * Capacity::HEADROOM;
    format!(
        "it did {did} credits a second here before: more than {much} start its gate, a tenth of {did} passes unpaid, and {then}"
    )
}

/// What tells how much a site can do, and what else starts its gate.
fn load(config: &Config, site: &Site) -> String {
    let capacity = match (config.capacity_of(site), &site.origin) {
        (Some(capacity), _) => format!("it can do {capacity} credits a second here, as configured"),
        (None, _) if config.capacity_at_least_of(site).is_some() => at_least(config, site),
        (None, Some(_)) => "what it can do is learned from its answers".to_owned(),
        (None, None) if !config.access_log.is_empty() => {
            let sockets: Vec<String> = config.access_log.iter().map(ToString::to_string).collect();
            format!("what it can do is learned from the web server's log, which comes to {}", sockets.join(" and "))
        }
        (None, None) => "nothing tells what it can do, so the price stays at the floor".to_owned(),
    };
    let probe = site.probe.as_ref().map_or_else(|| "no probe".to_owned(), |probe| format!("probe {}", probe.url));
    let at_once = config
        .origin_requests_max_of(site)
        .map_or_else(String::new, |max| format!("; at most {max} requests are there at once"));
    format!("{capacity}{at_once}; pressure in {}; {probe}", config.pressure_dir.display())
}
