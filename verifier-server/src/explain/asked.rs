//! What would become of one request now, and why: the answer to `portcullis explain`, by the policy and the gate themselves.

use super::rule_told;
use crate::config::{Config, Mode, Site};
use crate::gate::policy::{Action, Route, Subject};
use crate::gate::target::Target;
use crate::gate::{Gate, RequestFacts, Worth};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Uri};
use puzzle::{ClientNetwork, UnixSeconds};
use std::net::IpAddr;

/// Headers of a question at the most.
pub const ASKED_HEADERS_MAX: usize = 32;

/// A request as the operator describes it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The address asked for, such as `https://example.org/login?next=/`.
    pub url: String,
    /// Where it comes from.
    pub from: IpAddr,
    /// Its method.
    pub method: String,
    /// Its headers, each as `Name: value`.
    pub headers: Vec<String>,
}

/// Why a question cannot be answered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskedError {
    /// The address is none.
    #[error("`{0}` is no address: write it like https://example.org/login")]
    Url(String),
    /// The method is none.
    #[error("`{0}` is no method: write it like GET")]
    Method(String),
    /// A header is none.
    #[error("`{0}` is no header: write it like 'Cookie: a=b'")]
    Header(String),
    /// There are too many of them.
    #[error("more than {ASKED_HEADERS_MAX} headers")]
    TooManyHeaders,
    /// No site has this host.
    #[error("no site has the host `{0}`: such requests are answered 421")]
    UnknownHost(String),
}

/// What would become of the request, a sentence a line. `crawler` is the confirmed name of its address, and `learned` says whether the origin has shown a target of a site under no
/// rule to be an asset. Nothing is charged and nothing is counted.
///
/// # Errors
/// See [`AskedError`].
pub fn asked(
    gate: &Gate,
    config: &Config,
    (asked, crawler): (&Asked, Option<&str>),
    learned: impl FnOnce(&Site, &str, &Subject<'_>, &Route) -> bool,
    now: UnixSeconds,
) -> Result<Vec<String>, AskedError> {
    let bad_url = || AskedError::Url(asked.url.clone());
    let uri: Uri = asked.url.parse().map_err(|_| bad_url())?;
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return Err(bad_url()) };
    let method = Method::from_bytes(asked.method.as_bytes()).map_err(|_| AskedError::Method(asked.method.clone()))?;
    let headers = headers(&asked.headers)?;
    let site = config.site_of(host).ok_or_else(|| AskedError::UnknownHost(host.to_owned()))?;
    let raw_target = uri.path_and_query().map_or("/", |target| target.as_str());
    let target = Target::parse(raw_target);
    let subject = Subject {
        target: &target,
        has_query: raw_target.contains('?'),
        host,
        address: asked.from,
        crawler: crawler.filter(|_| config.crawlers.are_claimed(&headers)),
        method: Some(method.as_str()),
        headers: Some(&headers),
    };
    let mut route = gate.route(config, site, &subject);
    let is_learned = learned(site, raw_target, &subject, &route);
    route.asset |= is_learned;
    let network = ClientNetwork::of(asked.from);

    let mut lines = vec![format!("request    {method} {scheme}://{host}{raw_target} from {network}")];
    lines.push(format!("site       {}, mode {}", site.name, gate.mode_of(site).name()));
    if let Some(canonical) = &site.canonical
        && !(canonical.host.eq_ignore_ascii_case(host) && canonical.https == (scheme == "https"))
    {
        lines.push(format!("first      sent to {} (308), unless it is for a certificate's token", canonical.origin));
    }
    match target {
        Target::Plain(_) => {}
        Target::Odd(ways) => lines.push(format!(
            "path       servers read it in {} ways ({}): the dearest holds",
            ways.len(),
            ways.iter().take(4).map(|way| way.escape_debug().to_string()).collect::<Vec<_>>().join(", ")
        )),
        Target::TooLong => {
            lines.push("path       too odd and too long to be read in every way: no rule makes it cheaper".to_owned());
        }
    }
    let by_hand = gate.hand_rule_of(&route, now).map(|rule| format!("made by hand: {rule}"));
    lines.push(format!("rule       {}", by_hand.unwrap_or_else(|| rule_of(config, &route, is_learned))));
    lines.push(format!("price      {}", price(gate, config, site, &route, network, now)));
    lines.push(format!("decision   {}", decision(gate, config, site, &route, &headers, (&method, network), now)));
    Ok(lines)
}

fn headers(lines: &[String]) -> Result<HeaderMap, AskedError> {
    if lines.len() > ASKED_HEADERS_MAX {
        return Err(AskedError::TooManyHeaders);
    }
    let mut headers = HeaderMap::new();
    for line in lines {
        let bad = || AskedError::Header(line.clone());
        let (name, value) = line.split_once(':').ok_or_else(bad)?;
        let name: HeaderName = name.trim().parse().map_err(|_| bad())?;
        headers.append(name, HeaderValue::from_str(value.trim()).map_err(|_| bad())?);
    }
    Ok(headers)
}

fn rule_of(config: &Config, route: &Route, is_learned: bool) -> String {
    let rules = config.policy.rules();
    let decided = route.rule.and_then(|number| usize::try_from(number).ok());
    match decided.and_then(|number| Some((number, rules.get(number)?))) {
        Some((number, rule)) => {
            let told = rule_told(config, number, rule);
            told.strip_prefix("rule ").unwrap_or(&told).to_owned()
        }
        None if is_learned => {
            "none; the origin has answered this address as a part of pages, so it costs a tenth".to_owned()
        }
        None => "none matches: it costs 1".to_owned(),
    }
}

fn price(gate: &Gate, config: &Config, site: &Site, route: &Route, network: ClientNetwork, now: UnixSeconds) -> String {
    let of_site = gate.pricing(config, site).price;
    let asked = gate.quote(config, site, network, route, now).price;
    let told = price_told(of_site, asked);
    match gate.pin_of(site, now) {
        Some(pin) if of_site > 0 => format!("{told}; held by hand for {} min", pin.expires_at.since(now).div_ceil(60)),
        _ => told,
    }
}

fn price_told(of_site: u64, asked: u64) -> String {
    match (of_site, asked) {
        (0, 0) => "0: nothing is asked now".to_owned(),
        (_, 0) => format!("{of_site} attempts for a full clearance at this site; of this request nothing is asked"),
        _ if of_site == asked => format!("{asked} attempts for a full clearance"),
        _ => format!("{asked} attempts for a full clearance of this network and rule; {of_site} at this site"),
    }
}

/// What the gate would decide of a request without a clearance, and why.
fn decision(
    gate: &Gate,
    config: &Config,
    site: &Site,
    route: &Route,
    headers: &HeaderMap,
    (method, network): (&Method, ClientNetwork),
    now: UnixSeconds,
) -> String {
    if route.action == Action::Deny {
        return "denied (403): the rule refuses it, in every mode".to_owned();
    }
    let mode = gate.mode_of(site);
    if mode == Mode::Off {
        return "passes: the gate is off".to_owned();
    }
    let key = config.api_keys.shown_by(headers);
    if key.is_some() {
        return "passes unpaid: it shows an API key, as long as the key has room".to_owned();
    }
    let facts = RequestFacts {
        site,
        route: *route,
        key,
        network,
        clearances: &[],
        tickets: &[],
        safe_method: matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE),
        navigation: true,
        preflight: false,
        repeat: None,
    };
    let asks = gate.worth(config, &facts, now) != Worth::NotNeeded;
    let credits = f64::from(crate::gate::cost(route).in_hundredths()) / 100.0;
    match (asks, route.action) {
        (true, Action::Challenge) => {
            format!(
                "challenged (429) without a clearance: the rule asks for work at any time; with one it pays {credits} credits"
            )
        }
        (true, Action::Allow) => {
            "challenged (429) without a clearance: the rule lets it pass, and what passes unpaid has no room now"
                .to_owned()
        }
        (true, _) => {
            format!("challenged (429) without a clearance: the gate is down; with one it pays {credits} credits")
        }
        (false, Action::Allow) => "passes unpaid: the rule lets it pass".to_owned(),
        (false, _) => format!("passes: the gate is open (mode {})", mode.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Masters;
    use crate::gate::networks::HashKey;
    use crate::gate::table::Table;
    use puzzle::Master;
    use std::path::Path;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn told(mode: &str, url: &str, headers: &[&str]) -> Result<String, AskedError> {
        let text = format!(
            "mode = \"{mode}\"\nbeside = \"nginx\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n[[site]]\nname = \"main\"\n\
             hosts = [\"example.org\"]\n[[rule]]\nname = \"login\"\npath = \"/login\"\ncost = 5\n[[rule]]\nname = \"private\"\n\
             path = \"/private/**\"\naction = \"deny\"\n[[rule]]\npath = \"/feed\"\naction = \"allow\"\n"
        );
        let config = Config::parse(&text, Path::new("test.toml")).expect("a configuration");
        let masters = Masters { signing: Master([1; 32]), old: None };
        let gate = Gate::new(masters, Table::new(1), NOW, config.mode, HashKey([1; 16]), NOW);
        gate.begin(&config);
        let question = Asked {
            url: url.to_owned(),
            from: [203, 0, 113, 9].into(),
            method: "GET".to_owned(),
            headers: headers.iter().map(|header| (*header).to_owned()).collect(),
        };
        asked(&gate, &config, (&question, None), |_, _, _, _| false, NOW).map(|lines| lines.join("\n"))
    }

    #[test]
    fn rule_price_and_decision_are_those_of_the_gate() {
        let login = told("on", "https://example.org/login", &[]).expect("an answer");
        assert!(login.contains("(`login`)") && login.contains("it pays 5 credits"), "{login}");
        assert!(login.contains("203.0.113.0/24") && !login.contains("203.0.113.9"), "{login}");
        assert!(
            told("auto", "https://example.org/login", &[]).expect("an answer").contains("passes: the gate is open")
        );
        assert!(told("off", "https://example.org/private/a", &[]).expect("an answer").contains("denied (403)"));
        assert!(told("on", "https://example.org/feed", &[]).expect("an answer").contains("passes unpaid"));
        assert!(told("on", "https://example.org/", &[]).expect("an answer").contains("none matches"));
        let odd = told("on", "https://example.org/x%2F..%2Fprivate/a", &[]).expect("an answer");
        assert!(odd.contains("denied") && odd.contains("the dearest holds"), "{odd}");
    }

    #[test]
    fn what_is_no_question_is_told_apart() {
        assert_eq!(told("on", "/login", &[]), Err(AskedError::Url("/login".to_owned())));
        assert_eq!(told("on", "https://other.org/", &[]), Err(AskedError::UnknownHost("other.org".to_owned())));
        assert_eq!(told("on", "https://example.org/", &["no header"]), Err(AskedError::Header("no header".to_owned())));
        assert_eq!(told("on", "https://example.org/", &["a: b"; 33]), Err(AskedError::TooManyHeaders));
    }
}
