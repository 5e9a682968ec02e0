//! `origin`, `origin_ca_file`, `health_path`: the servers of a site.

use super::document::{Lined, Section};
use crate::tls::Tls;
use hyper::Uri;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use std::fmt;
use std::path::{Path, PathBuf};

/// Servers of one site.
const SERVERS_MAX: usize = 16;

/// One server of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Host and port to connect to.
    pub authority: Authority,
    /// Whose certificates are believed; `None` for plain HTTP.
    pub tls: Option<Tls>,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme(), self.authority)
    }
}

impl Origin {
    /// Its scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 })
    }
}

/// All servers of a site: any of them can answer any request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins {
    /// They; at least one.
    pub servers: Vec<Origin>,
    /// What is asked of each every few seconds; without it only connections that fail tell.
    pub health_path: Option<PathAndQuery>,
}

impl fmt::Display for Origins {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<String> = self.servers.iter().map(ToString::to_string).collect();
        formatter.write_str(&servers.join(", "))
    }
}

/// Reads the keys of a site; relative paths start at `folder`. Also says whose certificates a probe over TLS believes.
pub(super) fn read(section: &mut Section<'_, '_>, folder: &Path) -> (Option<Origins>, Authorities) {
    let texts = section.strings("origin", "http://127.0.0.1:3000").unwrap_or_default();
    let ca_file = section.string("origin_ca_file", "origin-ca.pem");
    let authorities =
        Authorities::of(ca_file.map(|file| Lined { line: file.line, value: folder.join(file.value) }), section);
    let health_path = health_path(section);
    if texts.len() > SERVERS_MAX {
        let message = format!("`origin` names {} servers", texts.len());
        section.problem(section.line, message, format!("write at most {SERVERS_MAX}"));
    }
    let mut servers: Vec<Origin> = Vec::new();
    for text in &texts {
        match parse(&text.value) {
            Ok((authority, is_tls)) => {
                let tls = if is_tls { authorities.tls(section, text.line) } else { None };
                if servers.iter().any(|server| server.authority == authority) {
                    section.problem(text.line, format!("`{}` is named twice", text.value), "write each server once");
                }
                servers.push(Origin { authority, tls });
            }
            Err(why) => {
                let message = format!("the origin `{}` cannot be used: {why}", text.value);
                section.problem(
                    text.line,
                    message,
                    "write it like http://127.0.0.1:3000 or https://origin.example.org",
                );
            }
        }
    }
    let origins = (!texts.is_empty()).then_some(Origins { servers, health_path });
    (origins.filter(|origins| !origins.servers.is_empty()), authorities)
}

fn parse(text: &str) -> Result<(Authority, bool), &'static str> {
    let uri: Uri = text.parse().map_err(|_| "it is not an address")?;
    let is_tls = uri.scheme() == Some(&Scheme::HTTPS);
    if !is_tls && uri.scheme() != Some(&Scheme::HTTP) {
        return Err("it does not begin with http:// or https://");
    }
    if uri.path() != "/" || uri.query().is_some() {
        return Err("it has a path");
    }
    match uri.authority() {
        Some(authority) if !authority.as_str().contains('@') => Ok((authority.clone(), is_tls)),
        _ => Err("it has no host"),
    }
}

fn health_path(section: &mut Section<'_, '_>) -> Option<PathAndQuery> {
    let text = section.string("health_path", "/health")?;
    let path = text.value.parse::<PathAndQuery>().ok().filter(|_| text.value.starts_with('/'));
    if path.is_none() {
        section.problem(
            text.line,
            format!("`health_path` = \"{}\" is not a path", text.value),
            "write it like \"/health\"",
        );
    }
    path
}

/// Whose certificates are believed, once anybody asks.
pub(super) struct Authorities {
    named: Option<Lined<PathBuf>>,
    from_file: Option<Tls>,
}

impl Authorities {
    fn of(named: Option<Lined<PathBuf>>, section: &Section<'_, '_>) -> Self {
        let from_file = named.as_ref().and_then(|file| {
            section.names_file(&file.value);
            let told = |error: crate::tls::TlsError| {
                let message = format!("`origin_ca_file` cannot be used: {error}");
                section.problem(file.line, message, "name a file with the authority's certificate in PEM");
            };
            Tls::from_file(&file.value).map_err(told).ok()
        });
        Self { named, from_file }
    }

    /// Those of the file that is named, else those of the system.
    pub(super) fn tls(&self, section: &Section<'_, '_>, line: usize) -> Option<Tls> {
        if self.named.is_some() {
            return self.from_file.clone();
        }
        let told = |error: crate::tls::TlsError| {
            let remedy =
                "install the system's certificates (Debian: ca-certificates), or name a file in `origin_ca_file`";
            section.problem(line, format!("nobody's certificates are believed: {error}"), remedy);
        };
        let tls = Tls::of_system().map_err(told).ok();
        if let Some(tls) = &tls {
            section.names_file(tls.file());
        }
        tls
    }
}
