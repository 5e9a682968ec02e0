//! The checked configuration: what the rest of the program believes. Raw TOML never leaves this module.

mod access_log;
mod api_keys;
mod believed;
mod bots;
mod challenge;
mod colours;
mod conditions;
mod default_rules;
mod document;
mod envoy;
mod family;
mod hashwx;
mod limits;
mod logging;
mod logo;
mod look;
mod names;
mod networks;
mod origins;
mod preview;
mod problem;
mod ranges;
mod read;
mod rules;
mod secrets;
mod site_keys;
mod sites;

pub use access_log::LogSocket;
pub use challenge::{ChallengeTerms, HashWxTerms, PriceBounds};
pub use colours::Stylesheet;
pub use family::Family;
pub use limits::Limits;
pub use logging::{LogFormat, Privacy};
pub(crate) use look::is_language_tag;
pub use look::{Link, Logo, Look, Words};
pub use names::Canonical;
pub use origins::{Origin, Origins};
pub use preview::Preview;
pub use problem::{Problem, Problems};
pub use sites::{Host, Probe, Site};

use crate::gate::api_keys::ApiKeys;
use crate::gate::crawlers::CrawlerList;
use crate::gate::networks::KnownNetwork;
use crate::gate::policy::{Policy, Reserve};
use crate::gate::site_keys::SiteKeys;
use hyper::header::HeaderName;
use ipnet::IpNet;
use puzzle::Credits;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

/// Where the verifier listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An address and port.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl std::fmt::Display for Listen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(formatter, "{address}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// What the gate does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing but `deny` rules act.
    Off,
    /// The price follows the load.
    Auto,
    /// The price is at least the floor.
    On,
}

impl Mode {
    /// The mode of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Off, Self::Auto, Self::On].into_iter().find(|mode| mode.name() == name)
    }

    /// Its name in configuration, status and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Auto => "auto",
            Self::On => "on",
        }
    }
}

/// What happens to requests when a part of the verifier cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// They pass.
    Open,
    /// They are refused.
    Closed,
}

/// Whose headers tell about the original request (PROTOCOL §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beside {
    /// nginx asks with `auth_request`.
    Nginx,
    /// Caddy asks with `forward_auth`.
    Caddy,
    /// Traefik asks with `ForwardAuth`.
    Traefik,
    /// Envoy asks with `ext_authz`.
    Envoy,
    /// A proxy passes the request itself on, with the client's address in this header.
    Proxy {
        /// The header's name.
        client_address_header: HeaderName,
    },
}

impl Beside {
    /// Its name in the configuration.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Traefik => "traefik",
            Self::Envoy => "envoy",
            Self::Proxy { .. } => "proxy",
        }
    }

    /// Whether it asks about requests and serves the site itself: then a site needs no origin here.
    #[must_use]
    pub const fn asks(&self) -> bool {
        !matches!(self, Self::Proxy { .. })
    }

    /// The header in which it says the client's address.
    #[must_use]
    pub fn address_header(&self) -> HeaderName {
        match self {
            Self::Nginx => HeaderName::from_static("x-real-ip"),
            Self::Caddy | Self::Traefik | Self::Envoy => HeaderName::from_static("x-forwarded-for"),
            Self::Proxy { client_address_header } => client_address_header.clone(),
        }
    }
}

/// To what a clearance is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bind {
    /// Other networks pay a toll.
    Network,
    /// Other networks are refused.
    Strict,
}

/// `[clearance]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClearanceTerms {
    /// How long a clearance lives.
    pub lifetime_seconds: u32,
    /// `F`: credits of a full clearance at this verifier.
    pub full: Credits,
    /// To what it is bound.
    pub bind: Bind,
}

/// `[ticket]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketTerms {
    /// What a browser without script waits at the least; 0 where it is not let in.
    pub wait_seconds: u16,
}

impl TicketTerms {
    /// The wait where the configuration names none: about what the slowest supported phone works at the ceiling.
    pub const WAIT_SECONDS_DEFAULT: u16 = 15;
    /// The longest wait that may be configured.
    pub const WAIT_SECONDS_MAX: u16 = 600;
}

/// The whole configuration, checked.
#[derive(Debug)]
pub struct Config {
    /// Where visitors or the web server connect.
    pub listen: Vec<Listen>,
    /// Where a load balancer connects that announces each client by the PROXY protocol.
    pub listen_proxy_protocol: Vec<Listen>,
    /// Where the operator connects.
    pub admin: Listen,
    /// Host names, beyond loopback, that may name the admin listener.
    pub admin_hosts: Vec<String>,
    /// Where the admin token is kept.
    pub admin_token_file: PathBuf,
    /// The mode at the start.
    pub mode: Mode,
    /// What happens when a part cannot work.
    pub on_failure: OnFailure,
    /// Whose headers are believed; `None` as the front door itself.
    pub beside: Option<Beside>,
    /// The headers that are believed with it.
    pub family: Option<Family>,
    /// Who may speak for a client.
    pub trusted_proxies: Vec<IpNet>,
    /// Where the web server beside us sends its log; empty where it does not.
    pub access_log: Vec<LogSocket>,
    /// Where the table survives a clean stop.
    pub state_dir: Option<PathBuf>,
    /// How long attacks are kept there, in days.
    pub keep_attacks_days: u32,
    /// How many verifiers share the secret.
    pub verifiers: NonZeroU32,
    /// Size of the table of live ids.
    pub table_mib: u32,
    /// Where the masters are.
    pub secret_file: PathBuf,
    /// Where the browser's endpoints are, with both slashes.
    pub base_path: String,
    /// How much is logged.
    pub log: tracing::Level,
    /// How its lines are written.
    pub log_format: LogFormat,
    /// How much they say of whose a request is.
    pub privacy: Privacy,
    /// Where the system tells about pressure.
    pub pressure_dir: PathBuf,
    /// What is protected.
    pub sites: Vec<Site>,
    /// What challenges ask, where a site says nothing else.
    pub challenge: ChallengeTerms,
    /// What clearances hold.
    pub clearance: ClearanceTerms,
    /// What browsers without script meet.
    pub ticket: TicketTerms,
    /// The rules.
    pub policy: Policy,
    /// Crawlers that are known by the names of their addresses.
    pub crawlers: CrawlerList,
    /// Who is asked for those names; empty for the name servers of the system.
    pub name_servers: Vec<SocketAddr>,
    /// Whether paths become assets by what the origin answers, where requests pass through here.
    pub learned_assets: bool,
    /// Programs that show a secret.
    pub api_keys: ApiKeys,
    /// Who sells tokens to forms.
    pub site_keys: SiteKeys,
    /// Networks that the operator knows to be shared.
    pub known_networks: Vec<KnownNetwork>,
    /// Every limit that has a name.
    pub limits: Limits,
    /// What is odd but allowed, in plain words.
    pub warnings: Vec<String>,
    /// Whether a change of the file, or of one that it names, is put in force by itself.
    pub reload_on_change: bool,
    /// Other files whose content counts as part of it.
    pub files: Vec<PathBuf>,
    /// Where each key stands first in the file, as `key` or `section.key`.
    pub(crate) key_lines: BTreeMap<String, usize>,
}

impl Config {
    /// Reads and checks a configuration file; relative paths in it start at its folder.
    ///
    /// # Errors
    /// All problems at once, each with its line and what to write instead.
    pub fn load(file: &std::path::Path) -> Result<Self, Problems> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            let message = format!("cannot be read: {error}");
            Problems::one(file, Problem::of_file(message, "check the path and its permissions"))
        })?;
        Self::parse(&text, file)
    }

    /// Checks a configuration text; `file` is named in messages and relative paths start at its folder.
    ///
    /// # Errors
    /// All problems at once.
    pub fn parse(text: &str, file: &std::path::Path) -> Result<Self, Problems> {
        read::config(text, file)
    }

    /// What a site can do in a second at this verifier, in credits, where the configuration says so.
    #[must_use]
    pub fn capacity_of(&self, site: &Site) -> Option<f64> {
        let capacity = f64::from(site.capacity_per_second?.in_hundredths()) / 100.0;
        Some(capacity / f64::from(self.verifiers.get()))
    }

    /// What a site did before, in credits a second for this verifier, where the configuration says so.
    #[must_use]
    pub fn capacity_at_least_of(&self, site: &Site) -> Option<f64> {
        let at_least = f64::from(site.capacity_at_least_per_second?.in_hundredths()) / 100.0;
        Some(at_least / f64::from(self.verifiers.get()))
    }

    /// How many requests the server of a site works on at once for this verifier, where the configuration says so.
    #[must_use]
    pub fn origin_requests_max_of(&self, site: &Site) -> Option<u32> {
        site.origin_requests_max.map(|max| max.div_ceil(self.verifiers.get()))
    }

    /// What a site's challenges ask.
    #[must_use]
    pub fn challenge_of(&self, site: &Site) -> ChallengeTerms {
        self.challenge.within(site.bounds)
    }

    /// What is kept for a rule in a second at this verifier, in credits.
    #[must_use]
    pub fn reserve_of(&self, reserve: Reserve) -> f64 {
        f64::from(reserve.per_second.in_hundredths()) / 100.0 / f64::from(self.verifiers.get())
    }

    /// The site that `host` (without port, any case) belongs to: an exact name first, then the longest wildcard.
    #[must_use]
    pub fn site_of(&self, host: &str) -> Option<&Site> {
        let host = host.trim_end_matches('.');
        self.sites
            .iter()
            .filter_map(|site| Some((site.match_len(host)?, site)))
            .max_by_key(|(len, _)| *len)
            .map(|(_, site)| site)
    }
}
