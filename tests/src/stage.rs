//! A whole scene: an origin, the verifier, and what stands in front, seen by browsers through a relay.

use tempfile::TempDir;

use crate::browser::{Browser, Traits};
use crate::client::Client;
use crate::engine::Engine;
use crate::nginx::{Nginx, Site};
use crate::origin::Origin;
use crate::relay::Relay;
use crate::settings::Settings;
use crate::verifier::Verifier;
use crate::wait::SOON;

/// The protected site: a name that is not localhost, so that a browser on plain HTTP has what visitors there have.
pub const HOST: &str = "portcullis.test";

/// How the gate stands before the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// The verifier is the reverse proxy.
    Proxy,
    /// nginx asks it by `auth_request`.
    Nginx,
}

/// Everything a test of a visit needs.
#[derive(Debug)]
pub struct Stage {
    /// The site itself.
    pub origin: Origin,
    /// The verifier.
    pub verifier: Verifier,
    /// nginx, when it stands in front.
    pub nginx: Option<Nginx>,
    /// Where browsers connect: notes what they ask for.
    pub relay: Relay,
}

impl Stage {
    /// The site `main` under [`HOST`] behind this front.
    pub fn new(front: Front, settings: Settings) -> Self {
        Self::with_site(front, settings, |settings| settings)
    }

    /// The same, where `site` sets further keys of the site.
    pub fn with_site(front: Front, settings: Settings, site: impl FnOnce(Settings) -> Settings) -> Self {
        let origin = Origin::start("main");
        let lines = format!(
            "location / {{ proxy_pass {}; proxy_http_version 1.1; proxy_set_header Host $http_host; }}",
            origin.url()
        );
        match front {
            Front::Proxy => {
                let verifier = Verifier::start(site(settings.site("main", &[HOST], Some(&origin.url()))));
                let relay = Relay::start(verifier.port);
                Self { origin, verifier, nginx: None, relay }
            }
            Front::Nginx => {
                let verifier = Verifier::start(site(beside_nginx(settings).site("main", &[HOST], None)));
                Self::behind_nginx(verifier, origin, &Site { lines, ..Site::default() })
            }
        }
    }

    /// The site under [`HOST`] beside an nginx with these lines of its own.
    pub fn beside_nginx(settings: Settings, origin: Origin, site: &Site) -> Self {
        Self::behind_nginx(Verifier::start(beside_nginx(settings).site("main", &[HOST], None)), origin, site)
    }

    fn behind_nginx(verifier: Verifier, origin: Origin, site: &Site) -> Self {
        let nginx = Nginx::start(verifier.port, site);
        let relay = Relay::start(nginx.port);
        Self { origin, verifier, nginx: Some(nginx), relay }
    }

    /// The address of a page as a browser asks for it.
    pub fn url(&self, target: &str) -> String {
        format!("http://{HOST}:{}{target}", self.relay.port)
    }

    /// A page of the site with this body and the script tag, below `/files/`, opened in a browser; the folder that it lies in.
    pub fn open_with_tag(&self, body: &str, engine: Engine, traits: Traits) -> (Browser, TempDir) {
        let folder = TempDir::new().unwrap();
        let text = format!(
            "<!doctype html><html lang=en><head><meta charset=utf-8><title>A page</title><script src=\"/.portcullis/portcullis.js\" defer></script></head>\
             <body><main id=origin data-target=page>{body}</main></body></html>"
        );
        std::fs::write(folder.path().join("page.html"), text).unwrap();
        self.origin.offer(folder.path());
        let browser = Browser::of(engine, traits);
        browser.open(&self.url("/files/page.html"));
        browser.wait_for_origin(SOON);
        (browser, folder)
    }

    /// A client of the front itself.
    pub fn client(&self) -> Client {
        match &self.nginx {
            Some(nginx) => nginx.client(HOST),
            None => self.verifier.client(HOST),
        }
    }

    /// A client that goes the way of the browsers: a clearance it buys is one of the same port.
    pub fn browser_client(&self) -> Client {
        Client::new(self.relay.port, HOST)
    }
}

/// What a configuration says beside nginx on the same machine.
pub fn beside_nginx(settings: Settings) -> Settings {
    settings.set("beside", "nginx").set("trusted_proxies", vec!["127.0.0.1/32"])
}
