//! From the file's keys to the checked configuration.

use super::document::{Document, Lined, Section};
use super::{
    Beside, Bind, ChallengeTerms, ClearanceTerms, Config, HashWxTerms, Limits, Listen, Mode, OnFailure, Problems, Site,
    TicketTerms, networks, rules,
};
use hyper::header::HeaderName;
use ipnet::IpNet;
use puzzle::{Credits, Difficulty, Shape};
use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::{Path, PathBuf};

/// Longest life of a clearance: with the challenge's own hour the keys of two days back still reach it.
const CLEARANCE_SECONDS_MAX: u64 = 86_400;
const CHALLENGE_SECONDS_MAX: u64 = 3_600;
const DEFAULT_LISTEN: &str = "0.0.0.0:8080";
const DEFAULT_ADMIN: &str = "127.0.0.1:9090";
const DEFAULT_PRESSURE: &str = "/proc/pressure";

/// Reads the whole file.
pub(super) fn config(text: &str, file: &Path) -> Result<Config, Problems> {
    let document = Document::new(text);
    let folder = file.parent().unwrap_or(Path::new(""));
    let config = {
        let mut root = document.root();
        let config = read(&mut root, folder);
        root.finish();
        config
    };
    let problems = document.into_problems();
    if problems.is_empty() { Ok(config) } else { Err(Problems::new(file, problems)) }
}

fn read(root: &mut Section<'_, '_>, folder: &Path) -> Config {
    let mut warnings = Vec::new();
    let listen = listeners(root);
    let admin = root.string("admin", DEFAULT_ADMIN).and_then(|text| listener(&text, root));
    let mode = root.choice("mode", &["off", "auto", "on"], Mode::parse).unwrap_or(Mode::Auto);
    let on_failure = root.choice("on_failure", &["open", "closed"], |name| match name {
        "open" => Some(OnFailure::Open),
        "closed" => Some(OnFailure::Closed),
        _ => None,
    });
    let (beside, trusted_proxies) = whom_to_believe(root, &listen);
    let path = |text: Lined<String>| folder.join(text.value);
    let state_dir = root.string("state_dir", "/var/lib/portcullis").map(path);
    let secret_file =
        root.string("secret_file", "portcullis.secret").map_or_else(|| folder.join("portcullis.secret"), path);
    let admin_token_file = root.string("admin_token_file", "admin.token").map_or_else(
        || {
            state_dir
                .clone()
                .or_else(|| secret_file.parent().map(PathBuf::from))
                .unwrap_or_default()
                .join("admin.token")
        },
        path,
    );
    let admin_hosts = root.strings("admin_hosts", "gate.example.org").unwrap_or_default();
    let verifiers = whole(root, "verifiers", 1..=1_000, 1);
    let verifiers = NonZeroU32::new(verifiers).unwrap_or(NonZeroU32::MIN);
    let table_mib = whole(root, "table_mib", 1..=65_536, 128);
    let base_path = base_path(root);
    let pressure_dir = root.string("pressure_dir", DEFAULT_PRESSURE).map_or_else(|| DEFAULT_PRESSURE.into(), path);
    let log = root.choice("log", &["error", "warn", "info", "debug"], |name| name.parse().ok());
    let limits = Limits::read(root.section("limits"));
    let challenge = challenge(root, &mut warnings);
    let clearance = clearance(root, verifiers);
    let ticket = ticket(root);
    let sites = Site::read_all(root, beside.as_ref());
    let policy = rules::read_all(root, &challenge, &clearance, &sites);
    let known_networks = networks::read_all(root);
    if mode == Mode::Auto {
        warnings.extend(sites.iter().filter(|site| !site.tells_capacity()).map(|site| {
            format!(
                "nothing tells how much the site `{}` can do: in mode auto only pressure, the probe and `POST /load` start \
                 its gate, and its price never rises above the floor; write capacity_per_second in its [[site]]",
                site.name
            )
        }));
    }
    warnings.extend(sites.iter().filter(|site| !site.tells_capacity()).map(|site| {
        format!(
            "nothing tells how much the site `{}` can do: while its gate is down nothing bounds what rules with action = \
             \"allow\" and preflights let pass unpaid, and browsers without JavaScript do not pass; write \
             capacity_per_second in its [[site]]",
            site.name
        )
    }));
    Config {
        listen,
        admin: admin.unwrap_or_else(|| Listen::Tcp(([127, 0, 0, 1], 9090).into())),
        admin_hosts: admin_hosts.into_iter().map(|host| host.value.to_ascii_lowercase()).collect(),
        admin_token_file,
        mode,
        on_failure: on_failure.unwrap_or(OnFailure::Closed),
        beside,
        trusted_proxies,
        state_dir,
        verifiers,
        table_mib,
        secret_file,
        base_path,
        log: log.unwrap_or(tracing::Level::INFO),
        pressure_dir,
        sites,
        challenge,
        clearance,
        ticket,
        policy,
        known_networks,
        limits,
        warnings,
    }
}

/// A whole number of 32 bits; the range is the caller's and lies within them.
fn whole(section: &mut Section<'_, '_>, key: &'static str, range: std::ops::RangeInclusive<u64>, default: u32) -> u32 {
    section.integer(key, range).and_then(|found| u32::try_from(found.value).ok()).unwrap_or(default)
}

fn listeners(root: &mut Section<'_, '_>) -> Vec<Listen> {
    let default = || vec![Lined { line: 1, value: DEFAULT_LISTEN.to_owned() }];
    let texts = root.strings("listen", DEFAULT_LISTEN).filter(|texts| !texts.is_empty()).unwrap_or_else(default);
    texts.iter().filter_map(|text| listener(text, root)).collect()
}

fn listener(text: &Lined<String>, root: &Section<'_, '_>) -> Option<Listen> {
    if let Some(path) = text.value.strip_prefix("unix:") {
        return Some(Listen::Unix(PathBuf::from(path)));
    }
    let address = text.value.parse().ok();
    if address.is_none() {
        let message = format!("`{}` is not an address to listen on", text.value);
        root.problem(
            text.line,
            message,
            "write an address and port, \"127.0.0.1:8080\", or \"unix:/run/portcullis.sock\"",
        );
    }
    address.map(Listen::Tcp)
}

/// `beside`, `client_address_header` and `trusted_proxies`: the one configured source of the client's address.
fn whom_to_believe(root: &mut Section<'_, '_>, listen: &[Listen]) -> (Option<Beside>, Vec<IpNet>) {
    let header = root.string("client_address_header", "X-Forwarded-For");
    let name = header.as_ref().map_or(Ok(HeaderName::from_static("x-forwarded-for")), |header| header.value.parse());
    if let (Some(header), Err(_)) = (&header, &name) {
        root.problem(header.line, format!("`{}` is not a header name", header.value), "write it like X-Forwarded-For");
    }
    let name = name.unwrap_or(HeaderName::from_static("x-forwarded-for"));
    let beside = root.choice("beside", &["nginx", "proxy"], |text| match text {
        "nginx" => Some(Beside::Nginx),
        "proxy" => Some(Beside::Proxy { client_address_header: name.clone() }),
        _ => None,
    });
    if let Some(header) = &header
        && !matches!(beside, Some(Beside::Proxy { .. }))
    {
        root.problem(header.line, "`client_address_header` needs beside = \"proxy\"", "remove it, or name the proxy");
    }
    let proxies = root.strings("trusted_proxies", "127.0.0.1/32");
    let unix = listen.iter().any(|listen| matches!(listen, Listen::Unix(_)));
    if beside.is_none() && unix {
        let remedy = "write beside = \"nginx\" or beside = \"proxy\", or listen on an address";
        root.problem(1, "a unix socket does not tell the client's address", remedy);
    }
    match (&beside, proxies) {
        (None, None) => (None, Vec::new()),
        (None, Some(proxies)) => {
            let line = proxies.first().map_or(1, |proxy| proxy.line);
            let remedy = "remove it, or write beside = \"nginx\" or beside = \"proxy\"";
            root.problem(line, "`trusted_proxies` has no effect without `beside`", remedy);
            (None, Vec::new())
        }
        (Some(_), None) => {
            let loopback = ["127.0.0.1/32", "::1/128"].iter().filter_map(|net| net.parse().ok()).collect();
            (beside, loopback)
        }
        (Some(_), Some(proxies)) => {
            let nets = proxies.iter().filter_map(|proxy| network(proxy, root)).collect();
            (beside, nets)
        }
    }
}

fn network(text: &Lined<String>, root: &Section<'_, '_>) -> Option<IpNet> {
    let net = text.value.parse().ok().or_else(|| text.value.parse::<IpAddr>().ok().map(IpNet::from));
    if net.is_none() {
        root.problem(
            text.line,
            format!("`{}` is not a network", text.value),
            "write it like 10.0.0.0/8 or 2001:db8::/32",
        );
    }
    net
}

fn base_path(root: &mut Section<'_, '_>) -> String {
    let default = "/.portcullis/".to_owned();
    let Some(text) = root.string("base_path", &default) else { return default };
    let inner = text.value.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/');
    let fits = inner.is_some_and(|inner| {
        (1..=64).contains(&inner.len())
            && inner.bytes().all(plain)
            && inner.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
            && !inner.starts_with(".portcullis-beside")
    });
    if fits {
        text.value
    } else {
        let message = format!("`base_path` = \"{}\" cannot be used", text.value);
        root.problem(text.line, message, "write a path with both slashes, for example \"/.portcullis/\"");
        default
    }
}

fn challenge(root: &mut Section<'_, '_>, warnings: &mut Vec<String>) -> ChallengeTerms {
    let mut section = root.section("challenge");
    let lifetime = section.integer("lifetime_seconds", 1..=CHALLENGE_SECONDS_MAX).map_or(300, |found| found.value);
    let count = section.integer("count", 1..=u64::from(Shape::COUNT_MAX)).map_or(8, |found| found.value);
    let difficulty = section.integer("difficulty", 1..=u64::from(u32::MAX));
    let line = difficulty.as_ref().map_or(section.line, |found| found.line);
    let difficulty = difficulty.and_then(|found| u32::try_from(found.value).ok()).unwrap_or(32_768);
    let max_solve_seconds = whole(&mut section, "max_solve_seconds", 1..=240, 15);
    let terms = ChallengeTerms {
        lifetime_seconds: u16::try_from(lifetime).ok().and_then(NonZeroU16::new).unwrap_or(NonZeroU16::MIN),
        count: u8::try_from(count).unwrap_or(Shape::COUNT_MAX),
        difficulty: Difficulty::new(difficulty).unwrap_or(Difficulty::MIN),
        max_solve_seconds,
        hashwx: HashWxTerms::read(section.section("hashwx"), max_solve_seconds),
    };
    let (floor, ceiling) = (terms.floor(), terms.ceiling());
    if floor > 10 * ceiling {
        let most = 10 * ceiling / u64::from(terms.count);
        let message = format!("the floor price, {floor} attempts, is more than ten times the ceiling of {ceiling}");
        section.problem(line, message, format!("write difficulty = {most} or less, or a larger max_solve_seconds"));
    } else if floor > ceiling {
        warnings.push(format!(
            "the floor price, {floor} attempts, is above the ceiling of {ceiling}: one challenge buys less than a full clearance"
        ));
    }
    section.finish();
    terms
}

fn ticket(root: &mut Section<'_, '_>) -> TicketTerms {
    let mut section = root.section("ticket");
    let wait_seconds = section.integer("wait_seconds", 0..=u64::from(TicketTerms::WAIT_SECONDS_MAX));
    section.finish();
    let wait_seconds = wait_seconds.and_then(|found| u16::try_from(found.value).ok());
    TicketTerms { wait_seconds: wait_seconds.unwrap_or(TicketTerms::WAIT_SECONDS_DEFAULT) }
}

fn clearance(root: &mut Section<'_, '_>, verifiers: NonZeroU32) -> ClearanceTerms {
    let mut section = root.section("clearance");
    let lifetime_seconds = whole(&mut section, "lifetime_seconds", 1..=CLEARANCE_SECONDS_MAX, 1_800);
    let credits = section.integer("credits", 1..=1_000_000);
    let line = credits.as_ref().map_or(section.line, |found| found.line);
    let credits = credits.and_then(|found| u32::try_from(found.value).ok()).unwrap_or(100);
    let full = Credits::whole(credits).part(verifiers);
    // The smallest clearance, F/20, must still admit one request of cost 1 and keep its tenth.
    if full.in_hundredths() < 20 * 112 {
        let least = (20 * 112 * verifiers.get()).div_ceil(100);
        let message = format!(
            "{credits} credits over {verifiers} verifier(s) are too few: a twentieth of them must admit a page"
        );
        section.problem(line, message, format!("write credits = {least} or more"));
    }
    let bind = section.choice("bind", &["network", "strict"], |name| match name {
        "network" => Some(Bind::Network),
        "strict" => Some(Bind::Strict),
        _ => None,
    });
    section.finish();
    ClearanceTerms { lifetime_seconds, full, bind: bind.unwrap_or(Bind::Network) }
}
