//! The lines to paste, in the words of the web server that answers.

/// Whose words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// nginx, and whoever does not say what it is.
    Nginx,
    Apache,
    Caddy,
}

impl Kind {
    /// By its `Server` header.
    pub(super) fn of(server: &str) -> Self {
        let server = server.to_ascii_lowercase();
        if server.starts_with("apache") {
            Self::Apache
        } else if server.starts_with("caddy") {
            Self::Caddy
        } else {
            Self::Nginx
        }
    }

    /// The gate around everything.
    pub(super) const fn gate(self) -> &'static str {
        match self {
            Self::Nginx => {
                "in the server { … } concerned, above its locations: include /etc/nginx/portcullis-server.conf;\nor: portcullis setup nginx --apply"
            }
            Self::Apache => {
                "all requests of its VirtualHost go to the verifier: ProxyPass \"/\" \"balancer://portcullis/\" nocanon\nor: portcullis setup apache --apply"
            }
            Self::Caddy => {
                "around what answers in the site: route { import portcullis … }\nor: portcullis setup caddy --apply"
            }
        }
    }

    /// The browser's endpoints.
    pub(super) const fn endpoints(self) -> &'static str {
        match self {
            Self::Nginx => {
                "in the server { … }, from portcullis-server.conf: location ^~ /.portcullis/ { auth_request off; proxy_pass http://portcullis; … }"
            }
            Self::Apache => {
                "in the VirtualHost in front, before other ProxyPass lines: ProxyPass \"/\" \"balancer://portcullis/\" nocanon"
            }
            Self::Caddy => "in the site's route, first: import portcullis",
        }
    }

    /// The page in place, as the verifier gives it.
    pub(super) const fn page(self) -> &'static str {
        match self {
            Self::Nginx => {
                "in the server { … }, and again in each location with error_page lines of its own: error_page 401 = @portcullis_gate;"
            }
            Self::Apache => "in the VirtualHost in front: ProxyErrorOverride Off",
            Self::Caddy => "in the check of portcullis.caddy, last: import portcullis_answers",
        }
    }

    /// Headers of the site kept off the gate's answers.
    pub(super) const fn policy(self) -> &'static str {
        match self {
            Self::Nginx => {
                "in both locations of portcullis-server.conf, so that the site's add_header lines stay off: add_header Portcullis-Nothing \"\";"
            }
            Self::Apache => "move the Header line from the VirtualHost in front into the site's own",
            Self::Caddy => {
                "write the site's header line without defer; portcullis.caddy keeps it off the gate's answers"
            }
        }
    }

    /// The visitor's address.
    pub(super) const fn address(self) -> &'static str {
        match self {
            Self::Nginx => {
                "in both locations of portcullis-server.conf: proxy_set_header X-Real-IP $remote_addr;\nand, where a load balancer or CDN stands in front: set_real_ip_from ITS-NETWORK; real_ip_header X-Forwarded-For;"
            }
            Self::Apache => {
                "in the VirtualHost in front: ProxyAddHeaders Off\nRequestHeader set X-Forwarded-For \"expr=%{REMOTE_ADDR}\"\nand, where a load balancer or CDN stands in front: RemoteIPHeader and RemoteIPInternalProxy with its networks"
            }
            Self::Caddy => {
                "where a load balancer or CDN stands in front, in the global options: servers { trusted_proxies static ITS-NETWORK }\nand nowhere else header_up X-Forwarded-For"
            }
        }
    }

    /// The request that is asked about.
    pub(super) const fn original(self) -> &'static str {
        match self {
            Self::Nginx => {
                "in location ^~ /.portcullis-beside/: proxy_set_header X-Original-URI $request_uri; proxy_set_header X-Original-Method $request_method;"
            }
            Self::Apache => "in portcullis.toml: beside = \"proxy\"",
            Self::Caddy => {
                "in portcullis.caddy: header_up X-Forwarded-Method {method} and header_up X-Forwarded-Uri {uri}"
            }
        }
    }

    /// The scheme.
    pub(super) const fn scheme(self) -> &'static str {
        match self {
            Self::Nginx => "in both locations of portcullis-server.conf: proxy_set_header X-Original-Proto $scheme;",
            Self::Apache => {
                "in the VirtualHost in front: RequestHeader set X-Forwarded-Proto \"expr=%{REQUEST_SCHEME}\""
            }
            Self::Caddy => "take out any header_up X-Forwarded-Proto: Caddy writes the right one itself",
        }
    }

    /// The web server's own questions.
    pub(super) const fn beside(self) -> &'static str {
        match self {
            Self::Nginx => "in location ^~ /.portcullis-beside/: internal;",
            Self::Apache => "in portcullis.toml: beside = \"proxy\"",
            Self::Caddy => "in portcullis.caddy: respond @portcullis_beside 404",
        }
    }

    /// Cookies on their way.
    pub(super) const fn cookies(self) -> &'static str {
        match self {
            Self::Nginx => {
                "take out of the server { … } what removes cookies: proxy_hide_header Set-Cookie; proxy_set_header Cookie …; proxy_ignore_headers Set-Cookie;"
            }
            Self::Apache => {
                "take out of the VirtualHost in front what removes cookies: Header unset Set-Cookie, RequestHeader unset Cookie"
            }
            Self::Caddy => "take out of the site what removes cookies: header -Set-Cookie, request_header -Cookie",
        }
    }

    /// Caches in between.
    pub(super) const fn cache(self) -> &'static str {
        match self {
            Self::Nginx => {
                "in both locations of portcullis-server.conf: proxy_cache off;   and take out: proxy_hide_header Cache-Control; proxy_ignore_headers Cache-Control;\nand have a CDN in front cache nothing with status 429"
            }
            Self::Apache => {
                "in the VirtualHost in front: CacheDisable /   and take out: Header set Cache-Control\nand have a CDN in front cache nothing with status 429"
            }
            Self::Caddy => {
                "take out of the site: header Cache-Control\nand have a CDN in front cache nothing with status 429"
            }
        }
    }

    /// What nobody asks for by its name.
    pub(super) const fn default_server(self) -> &'static str {
        match self {
            Self::Nginx => {
                "a server for all other names: server { listen 80 default_server; listen 443 ssl default_server; ssl_reject_handshake on; return 444; }\nor, in the default server there is: include /etc/nginx/portcullis-server.conf;"
            }
            Self::Apache => "a first VirtualHost for all other names: <VirtualHost *:80> Redirect 404 / </VirtualHost>",
            Self::Caddy => "a site for all other names: :80 { abort }",
        }
    }

    /// Plain HTTP beside HTTPS.
    pub(super) const fn plain_http(self) -> &'static str {
        match self {
            Self::Nginx => "in the server that listens on port 80: return 301 https://$host$request_uri;",
            Self::Apache => "in the VirtualHost of port 80: Redirect permanent / https://YOUR-HOST/",
            Self::Caddy => "take out the site that begins with http://: Caddy redirects by itself",
        }
    }

    /// Files that change seldom.
    pub(super) const fn static_files(self) -> &'static str {
        match self {
            Self::Nginx => "in the location of such files: expires 7d;",
            Self::Apache => {
                "in the site's VirtualHost: ExpiresActive On and ExpiresDefault \"access plus 7 days\" for such files"
            }
            Self::Caddy => "in the site: header /static/* Cache-Control max-age=604800",
        }
    }
}

/// A port at which the site is reached without the gate.
pub(super) fn port(port: u16) -> String {
    format!(
        "have the site's server listen on this machine alone, listen 127.0.0.1:{port}, or close the port: \
         iptables -A INPUT -p tcp --dport {port} ! -i lo -j DROP"
    )
}

/// The rule for the test path.
pub(super) const TEST_RULE: &str = "in portcullis.toml, before other rules, and not with mode = \"off\":\n[[rule]]\nname = \"portcullis-test\"\npath = [\"/portcullis-test\", \"/portcullis-test/**\"]\naction = \"challenge\"";
