//! From the file's keys to the checked configuration.

use super::conditions::Shared;
use super::document::{Document, Findings, Lined, Section};
use super::rules::Around;
use super::{
    Beside, Bind, ChallengeTerms, ClearanceTerms, Config, Family, Limits, Listen, Mode, OnFailure, Problems, Site,
    TicketTerms, access_log, api_keys, believed, bots, envoy, networks, rules, site_keys,
};
use super::{LogFormat, Privacy};
use puzzle::Credits;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

/// Longest life of a clearance: with the challenge's own hour the keys of two days back still reach it.
const CLEARANCE_SECONDS_MAX: u64 = 86_400;
/// How long attacks are kept: a report is wanted within weeks, and what names networks is not kept for ever.
const KEEP_ATTACKS_DAYS_DEFAULT: u32 = 90;
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
    let Findings { problems, key_lines, files } = document.into_findings();
    if problems.is_empty() {
        Ok(Config { files, key_lines, ..config })
    } else {
        Err(Problems::new(file, problems).naming(files))
    }
}

fn read(root: &mut Section<'_, '_>, folder: &Path) -> Config {
    let mut warnings = Vec::new();
    let announced = believed::announced(root);
    let listen = listeners(root, announced.is_empty());
    let admin = root.string("admin", DEFAULT_ADMIN).and_then(|text| listener(&text, root));
    let mode = root.choice("mode", &["off", "auto", "on"], Mode::parse).unwrap_or(Mode::Auto);
    let on_failure = root.choice("on_failure", &["open", "closed"], |name| match name {
        "open" => Some(OnFailure::Open),
        "closed" => Some(OnFailure::Closed),
        _ => None,
    });
    let (beside, trusted_proxies) = believed::whom(root, folder, &listen, &announced, &mut warnings);
    let access_log = access_log::read(root, beside.as_ref());
    let path = |text: Lined<String>| folder.join(text.value);
    let state_dir = root.string("state_dir", "/var/lib/portcullis").map(path);
    let keep_attacks_days = whole(root, "keep_attacks_days", 1..=3_650, KEEP_ATTACKS_DAYS_DEFAULT);
    let secret_file =
        root.string("secret_file", "portcullis.secret").map_or_else(|| folder.join("portcullis.secret"), path);
    root.names_file(&secret_file);
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
    root.names_file(&admin_token_file);
    let admin_hosts = root.strings("admin_hosts", "gate.example.org").unwrap_or_default();
    let verifiers = whole(root, "verifiers", 1..=1_000, 1);
    let verifiers = NonZeroU32::new(verifiers).unwrap_or(NonZeroU32::MIN);
    let table_mib = whole(root, "table_mib", 1..=65_536, 128);
    let base_path = base_path(root);
    let reload_on_change = root.boolean("reload_on_change").unwrap_or(true);
    let pressure_dir = root.string("pressure_dir", DEFAULT_PRESSURE).map_or_else(|| DEFAULT_PRESSURE.into(), path);
    let log = root.choice("log", &["error", "warn", "info", "debug"], |name| name.parse().ok());
    let log_format = root.choice("log_format", &["text", "json"], LogFormat::parse);
    let privacy = root.choice("privacy", &["network", "address"], Privacy::parse);
    let limits = Limits::read(root.section("limits"));
    let challenge = ChallengeTerms::read(root, &mut warnings);
    let clearance = clearance(root, verifiers);
    let ticket = ticket(root);
    let sites = Site::read_all(root, beside.as_ref(), challenge, folder, &mut warnings);
    // What a rule asks is asked on every site.
    let lowest =
        sites.iter().map(|site| challenge.within(site.bounds)).min_by_key(ChallengeTerms::ceiling).unwrap_or(challenge);
    let (bots, crawlers) = bots::read_all(root, folder);
    let shared = Shared::new(folder, bots);
    let mut kept = Vec::new();
    let api_keys = api_keys::read_all(root, folder, &mut kept);
    let mut around = Around { challenge: &lowest, clearance: &clearance, sites: &sites, shared, kept };
    let policy = rules::read_all(root, &mut around, &mut warnings);
    if beside == Some(Beside::Envoy) {
        warnings.extend(envoy::warnings(&policy, &api_keys));
    }
    let site_keys = site_keys::read_all(root, folder, &sites, verifiers, &mut warnings);
    let known_networks = networks::read_all(root);
    warnings.extend(of_sites(mode, access_log.is_empty(), &sites));
    Config {
        listen,
        listen_proxy_protocol: announced,
        admin: admin.unwrap_or_else(|| Listen::Tcp(([127, 0, 0, 1], 9090).into())),
        admin_hosts: admin_hosts.into_iter().map(|host| host.value.to_ascii_lowercase()).collect(),
        admin_token_file,
        mode,
        on_failure: on_failure.unwrap_or(OnFailure::Closed),
        family: beside.as_ref().map(Family::of),
        beside,
        trusted_proxies,
        access_log,
        state_dir,
        keep_attacks_days,
        verifiers,
        table_mib,
        secret_file,
        base_path,
        reload_on_change,
        log: log.unwrap_or(tracing::Level::INFO),
        log_format: log_format.unwrap_or_default(),
        privacy: privacy.unwrap_or_default(),
        pressure_dir,
        sites,
        challenge,
        clearance,
        ticket,
        learned_assets: root.boolean("learned_assets").unwrap_or(true),
        policy,
        crawlers,
        name_servers: bots::name_servers(root),
        api_keys,
        site_keys,
        known_networks,
        limits,
        warnings,
        key_lines: BTreeMap::new(),
        files: Vec::new(),
    }
}

/// What is to be said of modes and capacities; `unlogged`: no web server tells how its answers come.
fn of_sites(mode: Mode, unlogged: bool, sites: &[Site]) -> Vec<String> {
    let mut warnings = Vec::new();
    if mode == Mode::Off {
        warnings.extend(sites.iter().filter(|site| site.mode.is_some()).map(|site| {
            format!(
                "mode = \"off\" at the top turns everything off: the mode of the site `{}` has no effect",
                site.name
            )
        }));
    }
    let unmeasured = |site: &&Site| unlogged && !site.tells_capacity();
    let blind = sites.iter().filter(unmeasured).filter(|site| site.capacity_at_least_per_second.is_none());
    let auto = |site: &&Site| mode != Mode::Off && site.mode.unwrap_or(mode) == Mode::Auto;
    let guessed = |site: &&Site| unmeasured(site) && site.capacity_at_least_per_second.is_some();
    warnings.extend(sites.iter().filter(guessed).map(|site| {
        format!(
            "nothing measures how much the site `{}` can do: its price never rises above the floor; write `access_log` at the \
             top, or capacity_per_second in its [[site]]",
            site.name
        )
    }));
    warnings.extend(blind.clone().filter(auto).map(|site| {
        format!(
            "nothing tells how much the site `{}` can do: in mode auto only pressure, the probe and `POST /load` start \
             its gate, and its price never rises above the floor; write capacity_per_second in its [[site]], or \
             `access_log` at the top",
            site.name
        )
    }));
    warnings.extend(blind.map(|site| {
        format!(
            "nothing tells how much the site `{}` can do: while its gate is down nothing bounds what rules with action = \
             \"allow\" and preflights let pass unpaid, and browsers without JavaScript do not pass; write \
             capacity_per_second in its [[site]]",
            site.name
        )
    }));
    warnings
}

/// A whole number of 32 bits; the range is the caller's and lies within them.
pub(super) fn whole(
    section: &mut Section<'_, '_>,
    key: &'static str,
    range: std::ops::RangeInclusive<u64>,
    default: u32,
) -> u32 {
    section.integer(key, range).and_then(|found| u32::try_from(found.value).ok()).unwrap_or(default)
}

/// `listen`; `needed` where nothing else says where visitors connect.
fn listeners(root: &mut Section<'_, '_>, needed: bool) -> Vec<Listen> {
    let default = || if needed { vec![Lined { line: 1, value: DEFAULT_LISTEN.to_owned() }] } else { Vec::new() };
    let texts = root.strings("listen", DEFAULT_LISTEN).filter(|texts| !texts.is_empty()).unwrap_or_else(default);
    texts.iter().filter_map(|text| listener(text, root)).collect()
}

pub(super) fn listener(text: &Lined<String>, root: &Section<'_, '_>) -> Option<Listen> {
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
