//! `[[site]]`: what is protected.

use super::document::{Lined, Section};
use super::look::Look;
use super::names::{Canonical, cookie_domain, sharing_warning};
use super::origins::{self, Authorities, Origins};
use super::preview::Preview;
use super::{Beside, ChallengeTerms, Mode, PriceBounds};
use crate::tls::Tls;
use hyper::Uri;
use hyper::http::uri::Scheme;
use puzzle::Credits;
use sha2::{Digest, Sha256};
use std::path::Path;

/// A host name, or all names below one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// `example.org`, lower case.
    Exact(String),
    /// `*.example.org`, kept as `.example.org`.
    Below(String),
}

impl Host {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let (below, name) = lower.strip_prefix("*.").map_or((false, lower.as_str()), |name| (true, name));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'[' | b']' | b':');
        let v6 = name.starts_with('[');
        let fits = !name.is_empty() && name.len() <= 253 && name.bytes().all(plain) && (v6 || !name.contains(':'));
        fits.then(|| if below { Self::Below(format!(".{name}")) } else { Self::Exact(name.to_owned()) })
    }

    /// How much of `host` this name matches: longer is more exact.
    pub(crate) fn match_len(&self, host: &str) -> Option<usize> {
        match self {
            Self::Exact(name) => name.eq_ignore_ascii_case(host).then_some(usize::MAX),
            Self::Below(suffix) => {
                let start = host.len().checked_sub(suffix.len()).filter(|start| *start > 0)?;
                host.get(start..)?.eq_ignore_ascii_case(suffix).then_some(suffix.len())
            }
        }
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(name) => formatter.write_str(name),
            Self::Below(suffix) => write!(formatter, "*{suffix}"),
        }
    }
}

/// An address that is asked now and then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The address.
    pub url: Uri,
    /// Whose certificates are believed; `None` for plain HTTP.
    pub tls: Option<Tls>,
}

/// A protected site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its name, in configuration and metrics; challenges are made for it.
    pub name: String,
    /// Its hosts; empty for every host.
    pub hosts: Vec<Host>,
    /// Its servers; `None` beside a web server that asks.
    pub origin: Option<Origins>,
    /// What it can do in a second, as the operator knows it; `None` where it is to be learned.
    pub capacity_per_second: Option<Credits>,
    /// What it did in its busiest seconds before, so that it can do that at least.
    pub capacity_at_least_per_second: Option<Credits>,
    /// Requests that its server works on at once, as the operator knows it: no more are sent there, whatever the load.
    pub origin_requests_max: Option<u32>,
    /// An address that is asked now and then, and whose delay tells how the site does.
    pub probe: Option<Probe>,
    /// Its own mode; `None` where it is that of the whole verifier.
    pub mode: Option<Mode>,
    /// Bounds of its price where they are its own.
    pub bounds: PriceBounds,
    /// The one address under which it wants to be visited.
    pub canonical: Option<Canonical>,
    /// The domain whose hosts all get its clearances.
    pub cookie_domain: Option<String>,
    /// Words and colours of its pages.
    pub look: Look,
    /// What fetchers of link previews are told; without it they meet what everybody meets.
    pub preview: Option<Preview>,
    /// By which 16 bits an entry of the table remembers the site.
    pub mark: u16,
}

impl Site {
    /// How exactly `host` names this site.
    pub(super) fn match_len(&self, host: &str) -> Option<usize> {
        if self.hosts.is_empty() {
            return Some(0);
        }
        self.hosts.iter().filter_map(|name| name.match_len(host)).max()
    }

    /// Whether `host` is one of the names written down for this site: false where they are left out.
    #[must_use]
    pub fn names(&self, host: &str) -> bool {
        self.hosts.iter().any(|name| name.match_len(host).is_some())
    }

    /// Its scheme and host, if the configuration names them: behind TLS unless `canonical` says otherwise.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        let named = || {
            self.hosts.iter().find_map(|host| match host {
                Host::Exact(name) => Some(format!("https://{name}")),
                Host::Below(_) => None,
            })
        };
        self.canonical.as_ref().map(|canonical| canonical.origin.clone()).or_else(named)
    }

    /// Whether anything tells what the site can do: the configuration, or its answers as they pass through here.
    #[must_use]
    pub const fn tells_capacity(&self) -> bool {
        self.capacity_per_second.is_some() || self.origin.is_some()
    }

    /// The 16 bits for a site called `name`: the same after a restart, whatever the order of the sites.
    pub(crate) fn mark_of(name: &str) -> u16 {
        let digest = Sha256::digest(name.as_bytes());
        u16::from_be_bytes([digest[0], digest[1]])
    }

    /// Reads all sites; `terms` are those of the whole verifier.
    pub(super) fn read_all(
        root: &mut Section<'_, '_>,
        beside: Option<&Beside>,
        terms: ChallengeTerms,
        folder: &Path,
        warnings: &mut Vec<String>,
    ) -> Vec<Self> {
        let sections = root.sections("site");
        if sections.is_empty() {
            let remedy = "write at least:\n        [[site]]\n        origin = \"http://127.0.0.1:3000\"";
            root.problem(1, "no site is protected", remedy);
        }
        let mut sites: Vec<Self> = Vec::new();
        for section in sections {
            let line = section.line;
            let site = Self::read(section, sites.len(), beside, terms, folder, warnings, root);
            for other in &sites {
                other.clash(&site, line, root);
            }
            sites.push(site);
        }
        sites
    }

    fn read(
        mut section: Section<'_, '_>,
        index: usize,
        beside: Option<&Beside>,
        terms: ChallengeTerms,
        folder: &Path,
        warnings: &mut Vec<String>,
        root: &Section<'_, '_>,
    ) -> Self {
        let default_name = || if index == 0 { "main".to_owned() } else { format!("site-{}", index + 1) };
        let name = section.string("name", "main").filter(|name| Self::name_fits(name, root));
        let name = name.map_or_else(default_name, |name| name.value);
        let hosts = hosts(&mut section);
        let line = section.line;
        let (origin, authorities) = origins::read(&mut section, folder);
        if origin.is_none() && !section.had("origin") && !beside.is_some_and(Beside::asks) {
            let remedy = "write origin = \"http://127.0.0.1:3000\", or at the top whose questions are answered: beside = \"nginx\", \"caddy\", \"traefik\" or \"envoy\"";
            root.problem(line, format!("the site `{name}` has no origin"), remedy);
        }
        let capacity = section.hundredths("capacity_per_second", 1..=100_000_000);
        let capacity_per_second = capacity.map(|capacity| Credits::hundredths(capacity.value));
        let at_least = section.hundredths("capacity_at_least_per_second", 1..=100_000_000);
        let at_least = at_least.map(|at_least| (at_least.line, Credits::hundredths(at_least.value)));
        if let (Some((line, at_least)), Some(capacity)) = (at_least, capacity_per_second)
            && at_least > capacity
        {
            let message = format!("the site `{name}` can do less than `capacity_at_least_per_second`");
            root.problem(line, message, "leave it out: `capacity_per_second` is what counts");
        }
        let requests_max = section.integer("origin_requests_max", 1..=100_000);
        if let Some(max) = requests_max.as_ref().filter(|_| beside == Some(&Beside::Nginx)) {
            let remedy = "leave it out: beside nginx it is nginx that sends requests on";
            root.problem(max.line, format!("`origin_requests_max` does nothing for the site `{name}`"), remedy);
        }
        let origin_requests_max = requests_max.and_then(|max| u32::try_from(max.value).ok());
        let probe = probe(&mut section, &authorities);
        let mode = section.choice("mode", &["off", "auto", "on"], Mode::parse);
        let bounds = terms.read_bounds(&mut section, &format!(" of the site `{name}`"), warnings);
        let canonical = Canonical::read(&mut section, &hosts, beside.is_some());
        let cookie_domain = cookie_domain(&mut section, &hosts);
        warnings.extend(cookie_domain.as_ref().map(|domain| sharing_warning(&name, domain)));
        let look = Look::read(&mut section, &name, folder, warnings);
        let preview = Preview::read(&mut section);
        section.finish();
        Self {
            mark: Self::mark_of(&name),
            name,
            hosts,
            origin,
            capacity_per_second,
            capacity_at_least_per_second: at_least.map(|(_, at_least)| at_least),
            origin_requests_max,
            probe,
            mode,
            bounds,
            canonical,
            cookie_domain,
            look,
            preview,
        }
    }

    fn name_fits(name: &Lined<String>, root: &Section<'_, '_>) -> bool {
        let fits = (1..=64).contains(&name.value.len()) && !name.value.chars().any(char::is_control);
        if !fits {
            root.problem(name.line, "this name of a site cannot be used", "write 1 to 64 characters");
        }
        fits
    }

    fn clash(&self, other: &Self, line: usize, root: &Section<'_, '_>) {
        if self.name == other.name {
            root.problem(line, format!("two sites are called `{}`", self.name), "give each its own `name`");
        } else if self.mark == other.mark {
            let message = format!("the names `{}` and `{}` share their 16-bit mark", self.name, other.name);
            root.problem(line, message, "change one of the two names");
        }
        let shared = self.hosts.iter().find(|host| other.hosts.contains(host));
        if let Some(host) = shared {
            root.problem(line, format!("`{host}` belongs to two sites"), "leave it to one of them");
        }
        if self.hosts.is_empty() && other.hosts.is_empty() {
            root.problem(line, "two sites serve every host", "write `hosts` for all but one");
        }
    }
}

/// `hosts`: names, or all names below one.
pub(super) fn hosts(section: &mut Section<'_, '_>) -> Vec<Host> {
    let mut hosts = Vec::new();
    for Lined { line, value } in section.strings("hosts", "example.org").unwrap_or_default() {
        match Host::parse(&value) {
            Some(host) => hosts.push(host),
            None => section.problem(
                line,
                format!("`{value}` is not a host name"),
                "write it without scheme, port and path: \"example.org\" or \"*.example.org\"",
            ),
        }
    }
    hosts
}

fn probe(section: &mut Section<'_, '_>, authorities: &Authorities) -> Option<Probe> {
    let text = section.string("probe_url", "http://127.0.0.1:3000/health")?;
    let url = text.value.parse::<Uri>().ok().filter(|url| url.authority().is_some());
    let scheme = url.as_ref().and_then(Uri::scheme).filter(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme));
    let Some((url, scheme)) = url.clone().zip(scheme.cloned()) else {
        let message = format!("the probe_url `{}` cannot be used", text.value);
        section.problem(text.line, message, "write it like http://127.0.0.1:3000/health");
        return None;
    };
    let tls = if scheme == Scheme::HTTPS { authorities.tls(section, text.line) } else { None };
    Some(Probe { url, tls })
}
