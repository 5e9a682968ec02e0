//! The lines to paste, in the words of the web server in front.

mod asking;
mod passing_on;

use std::fmt::Write;

/// A web server for which there is a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// nginx, which asks (deploy/nginx)
    Nginx,
    /// nginx, which passes requests on (deploy/nginx-chained)
    NginxChained,
    /// Apache, which passes requests on
    Apache,
    /// Caddy, which asks
    Caddy,
    /// `HAProxy`, which passes requests on
    Haproxy,
    /// Envoy, which asks
    Envoy,
    /// Traefik, which asks
    Traefik,
    /// None: the verifier itself is in front, or a CDN
    Portcullis,
}

/// What can be wrong in its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thing {
    /// The gate around everything.
    Gate,
    /// The browser's endpoints.
    Endpoints,
    /// The page in place, as the verifier gives it.
    Page,
    /// Headers of the site kept off the gate's answers.
    Policy,
    /// The visitor's address.
    Address,
    /// The request that is asked about.
    Original,
    /// The scheme.
    Scheme,
    /// The web server's own questions.
    Beside,
    /// Cookies on their way.
    Cookies,
    /// Caches in between.
    Cache,
    /// What nobody asks for by its name.
    DefaultServer,
    /// Plain HTTP beside HTTPS.
    PlainHttp,
    /// Files that change seldom.
    StaticFiles,
    /// The way to the verifier.
    Verifier,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Nginx,
        Self::NginxChained,
        Self::Apache,
        Self::Caddy,
        Self::Haproxy,
        Self::Envoy,
        Self::Traefik,
        Self::Portcullis,
    ];

    /// As it is called on the command line.
    const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::NginxChained => "nginx-chained",
            Self::Apache => "apache",
            Self::Caddy => "caddy",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Traefik => "traefik",
            Self::Portcullis => "portcullis",
        }
    }

    const fn line(self, thing: Thing) -> &'static str {
        match self {
            Self::Nginx => asking::nginx(thing),
            Self::Caddy => asking::caddy(thing),
            Self::Envoy => asking::envoy(thing),
            Self::Traefik => asking::traefik(thing),
            Self::NginxChained => passing_on::nginx(thing),
            Self::Apache => passing_on::apache(thing),
            Self::Haproxy => passing_on::haproxy(thing),
            Self::Portcullis => passing_on::portcullis(thing),
        }
    }
}

/// Those of which one is in front.
#[derive(Clone, Debug)]
pub(super) struct Front(Vec<Kind>);

impl Front {
    /// The one that is named, or any.
    pub(super) fn of(named: Option<Kind>) -> Self {
        Self(named.map_or_else(|| Kind::ALL.to_vec(), |kind| vec![kind]))
    }

    /// What is known by a `Server` header besides. `HAProxy`, Traefik and the verifier send none of their own.
    pub(super) fn narrow(&mut self, header: &str) {
        let header = header.to_ascii_lowercase();
        let kinds = if header.starts_with("apache") {
            vec![Kind::Apache]
        } else if header.starts_with("caddy") {
            vec![Kind::Caddy]
        } else if header.starts_with("envoy") {
            vec![Kind::Envoy]
        } else if header.starts_with("nginx") || header.starts_with("openresty") {
            vec![Kind::Nginx, Kind::NginxChained]
        } else {
            return;
        };
        if self.0.len() > 1 {
            self.0 = kinds;
        }
    }

    /// What is to be written: with whose it is, where that is not known.
    pub(super) fn line(&self, thing: Thing) -> String {
        if let [kind] = self.0.as_slice() {
            return kind.line(thing).to_owned();
        }
        let mut lines = String::new();
        for kind in &self.0 {
            let line = kind.line(thing).replace('\n', "\n    ");
            let _ = writeln!(lines, "{}: {line}", kind.name());
        }
        lines
    }
}

/// A port at which the site is reached without the gate.
pub(super) fn port(port: u16) -> String {
    format!(
        "have the site's server listen on this machine alone, listen 127.0.0.1:{port}\nor close the port, until the next \
         restart of the machine:\niptables -I INPUT -p tcp --dport {port} ! -i lo -j DROP\nip6tables -I INPUT -p tcp \
         --dport {port} ! -i lo -j DROP"
    )
}

/// A port at which the verifier itself is reached.
pub(super) fn verifiers_port(port: u16) -> String {
    format!(
        "in portcullis.toml: listen = \"unix:/run/portcullis/portcullis.sock\", or listen = \"127.0.0.1:{port}\"\nor, \
         where it stands behind a CDN, close the port to all but the CDN's networks (deploy/cdn)"
    )
}

/// A site that does not answer.
pub(super) const SITE: &str = "start the web server, and open its port";

/// The rule for the test path.
pub(super) const TEST_RULE: &str = "in portcullis.toml, before other rules, and not with mode = \"off\":\n[[rule]]\nname = \"portcullis-test\"\npath = [\"/portcullis-test\", \"/portcullis-test/**\"]\naction = \"challenge\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_what_it_is_gets_its_own_line() {
        for (header, line) in [("Apache/2.4.62 (Debian)", "ProxyErrorOverride Off"), ("Caddy", "portcullis_answers")] {
            let mut front = Front::of(None);
            front.narrow(header);
            assert!(front.line(Thing::Page).contains(line) && !front.line(Thing::Page).contains("apache: "));
        }
    }

    #[test]
    fn who_does_not_gets_those_of_all_and_the_operators_word_counts_more() {
        let mut front = Front::of(None);
        front.narrow("cloudflare");
        let lines = front.line(Thing::Gate);
        for kind in Kind::ALL {
            assert!(lines.contains(&format!(
                "{}: {}",
                kind.name(),
                kind.line(Thing::Gate).lines().next().unwrap_or("")
            )));
        }
        let mut front = Front::of(Some(Kind::Haproxy));
        front.narrow("nginx/1.26");
        assert_eq!(front.line(Thing::Gate), Kind::Haproxy.line(Thing::Gate));
    }

    #[test]
    fn a_port_is_closed_before_rules_that_open_it_and_over_ipv6_too() {
        let lines = port(8080);
        for program in ["iptables", "ip6tables"] {
            let line = format!("{program} -I INPUT -p tcp --dport 8080 ! -i lo -j DROP");
            assert!(lines.lines().any(|told| told == line), "{lines}");
        }
        assert!(lines.contains("until the next restart"), "{lines}");
    }

    #[test]
    fn nginx_does_not_say_which_of_its_two_recipes_it_has() {
        let mut front = Front::of(None);
        front.narrow("nginx");
        let lines = front.line(Thing::Address);
        assert!(lines.contains("nginx: ") && lines.contains("nginx-chained: ") && !lines.contains("envoy"), "{lines}");
    }
}
