//! Those that pass every request on to the verifier, behind which the site is; and the verifier itself, where nothing is in front.

use super::Thing;

pub(super) const fn nginx(thing: Thing) -> &'static str {
    match thing {
        Thing::Gate | Thing::Endpoints => {
            "in the server in front, the one location there is: location / { proxy_pass http://portcullis; … }, as in deploy/nginx-chained"
        }
        Thing::Page => "in the server in front: proxy_intercept_errors off;",
        Thing::Policy => {
            "in location / of the server in front, so that add_header lines above it stay off: add_header Portcullis-Nothing \"\";"
        }
        Thing::Address => {
            "in the server in front: proxy_set_header X-Forwarded-For $remote_addr;\nand, where a load balancer or CDN stands in front: set_real_ip_from ITS-NETWORK; real_ip_header X-Forwarded-For;"
        }
        Thing::Original | Thing::Beside => "in portcullis.toml: beside = \"proxy\"",
        Thing::Scheme => "in the server in front: proxy_set_header X-Forwarded-Proto $scheme;",
        Thing::Cookies => {
            "take out of the server in front what removes cookies: proxy_hide_header Set-Cookie; proxy_set_header Cookie …; proxy_ignore_headers Set-Cookie;"
        }
        Thing::Cache => {
            "in the server in front: proxy_cache off;   and take out: proxy_hide_header Cache-Control; add_header Cache-Control …;\nand have a CDN in front cache nothing with status 429"
        }
        Thing::DefaultServer => {
            "a server for all other names: server { listen 80 default_server; return 444; }   and the site's own on listen 127.0.0.1:8081;"
        }
        Thing::PlainHttp => "in the server that listens on port 80: return 301 https://$host$request_uri;",
        Thing::StaticFiles => "in the site's own server, in the location of such files: expires 7d;",
        Thing::Verifier => {
            "systemctl start portcullis.socket portcullis.service\nand nginx's user in its group: usermod --append --groups portcullis www-data"
        }
    }
}

pub(super) const fn apache(thing: Thing) -> &'static str {
    match thing {
        Thing::Gate => {
            "all requests of its VirtualHost go to the verifier: ProxyPass \"/\" \"balancer://portcullis/\" nocanon\nor: portcullis setup apache --apply"
        }
        Thing::Endpoints => {
            "in the VirtualHost in front, before other ProxyPass lines: ProxyPass \"/\" \"balancer://portcullis/\" nocanon"
        }
        Thing::Page => "in the VirtualHost in front: ProxyErrorOverride Off",
        Thing::Policy => "move the Header line from the VirtualHost in front into the site's own",
        Thing::Address => {
            "in the VirtualHost in front: ProxyAddHeaders Off\nRequestHeader set X-Forwarded-For \"expr=%{REMOTE_ADDR}\"\nand, where a load balancer or CDN stands in front: RemoteIPHeader and RemoteIPInternalProxy with its networks"
        }
        Thing::Original | Thing::Beside => "in portcullis.toml: beside = \"proxy\"",
        Thing::Scheme => "in the VirtualHost in front: RequestHeader set X-Forwarded-Proto \"expr=%{REQUEST_SCHEME}\"",
        Thing::Cookies => {
            "take out of the VirtualHost in front what removes cookies: Header unset Set-Cookie, RequestHeader unset Cookie"
        }
        Thing::Cache => {
            "in the VirtualHost in front: CacheDisable /   and take out: Header set Cache-Control\nand have a CDN in front cache nothing with status 429"
        }
        Thing::DefaultServer => {
            "a first VirtualHost for all other names: <VirtualHost *:80> Redirect 404 / </VirtualHost>"
        }
        Thing::PlainHttp => "in the VirtualHost of port 80: Redirect permanent / https://YOUR-HOST/",
        Thing::StaticFiles => {
            "in the site's VirtualHost: ExpiresActive On and ExpiresDefault \"access plus 7 days\" for such files"
        }
        Thing::Verifier => {
            "systemctl start portcullis.socket portcullis.service\nand Apache's user in its group: usermod --append --groups portcullis www-data"
        }
    }
}

pub(super) const fn haproxy(thing: Thing) -> &'static str {
    match thing {
        Thing::Gate => "in frontend web: default_backend gate   and no use_backend before it that leads to the site",
        Thing::Endpoints => {
            "in frontend web: default_backend gate   and no use_backend or http-request deny for /.portcullis/"
        }
        Thing::Page => {
            "take out of frontend web and backend gate: errorfile 429, http-error status 429, http-response set-status"
        }
        Thing::Policy => "move http-response set-header Content-Security-Policy from frontend web into frontend site",
        Thing::Address => {
            "in frontend web: http-request set-header X-Forwarded-For %[src]\nand, where a load balancer or CDN stands in front, above it: http-request set-src hdr_ip(x-forwarded-for) if { src ITS-NETWORK }"
        }
        Thing::Original | Thing::Beside => "in portcullis.toml: beside = \"proxy\"",
        Thing::Scheme => "in frontend web: http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]",
        Thing::Cookies => {
            "take out of frontend web and backend gate what removes cookies: http-response del-header Set-Cookie, http-request del-header Cookie"
        }
        Thing::Cache => {
            "take out of frontend web and backend gate: http-request cache-use, http-response cache-store, http-response set-header Cache-Control\nand have a CDN in front cache nothing with status 429"
        }
        Thing::DefaultServer => {
            "in frontend web, before default_backend: http-request silent-drop unless { hdr(host),field(1,:) -i example.org www.example.org }"
        }
        Thing::PlainHttp => "in frontend web: http-request redirect scheme https code 301 unless { ssl_fc }",
        Thing::StaticFiles => {
            "in frontend site: http-response set-header Cache-Control max-age=604800 if { capture.req.uri -m beg /static/ }"
        }
        Thing::Verifier => {
            "systemctl start portcullis.socket portcullis.service\nand HAProxy's user in its group: usermod --append --groups portcullis haproxy\nwith chroot in global the socket is out of sight: server portcullis 127.0.0.1:8080, as deploy/haproxy/haproxy.cfg says"
        }
    }
}

pub(super) const fn portcullis(thing: Thing) -> &'static str {
    match thing {
        Thing::Gate => {
            "have the name lead to the verifier, and in portcullis.toml, in its [[site]]: hosts = [\"example.org\", \"www.example.org\"]"
        }
        Thing::Endpoints => {
            "in portcullis.toml: base_path = \"/.portcullis/\", and a CDN in front that passes these paths on"
        }
        Thing::Page | Thing::Policy => {
            "have a CDN in front pass answers with status 429 on as they are, with their headers"
        }
        Thing::Address => {
            "with nothing in front, take out of portcullis.toml: beside, trusted_proxies\nbehind a CDN: beside = \"proxy\", client_address_header and trusted_proxies_file as in deploy/cdn"
        }
        Thing::Original | Thing::Beside => "in portcullis.toml take out beside, or, behind a CDN: beside = \"proxy\"",
        Thing::Scheme => {
            "the verifier speaks plain HTTP: what does TLS in front has to send X-Forwarded-Proto, and in portcullis.toml: beside = \"proxy\""
        }
        Thing::Cookies => "have a CDN in front pass Cookie and Set-Cookie on",
        Thing::Cache => "have a CDN in front cache nothing with status 429, and keep Cache-Control as it is",
        Thing::DefaultServer => {
            "in portcullis.toml, in its [[site]]: hosts = [\"example.org\", \"www.example.org\"]: any other name gets 421"
        }
        Thing::PlainHttp => "in portcullis.toml, in its [[site]]: canonical = \"https://example.org\"",
        Thing::StaticFiles => "at the site's own server: Cache-Control: max-age=604800 for such files",
        Thing::Verifier => "systemctl start portcullis.socket portcullis.service",
    }
}
