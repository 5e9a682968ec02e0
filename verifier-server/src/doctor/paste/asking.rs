//! Those that ask the verifier before each request, and serve the site themselves.

use super::Thing;

pub(super) const fn nginx(thing: Thing) -> &'static str {
    match thing {
        Thing::Gate => {
            "in the server { … } concerned, above its locations: include /etc/nginx/portcullis-server.conf;\nor: portcullis setup nginx --apply"
        }
        Thing::Endpoints => {
            "in the server { … }, from portcullis-server.conf: location ^~ /.portcullis/ { auth_request off; proxy_pass http://portcullis; … }"
        }
        Thing::Page => {
            "in the server { … }, and again in each location with error_page lines of its own: error_page 401 = @portcullis_gate;"
        }
        Thing::Policy => {
            "in both locations of portcullis-server.conf, so that the site's add_header lines stay off: add_header Portcullis-Nothing \"\";"
        }
        Thing::Address => {
            "in both locations of portcullis-server.conf: proxy_set_header X-Real-IP $remote_addr;\nand, where a load balancer or CDN stands in front: set_real_ip_from ITS-NETWORK; real_ip_header X-Forwarded-For;"
        }
        Thing::Original => {
            "in location ^~ /.portcullis-beside/: proxy_set_header X-Original-URI $request_uri; proxy_set_header X-Original-Method $request_method;"
        }
        Thing::Scheme => "in both locations of portcullis-server.conf: proxy_set_header X-Original-Proto $scheme;",
        Thing::Beside => "in location ^~ /.portcullis-beside/: internal;",
        Thing::Cookies => {
            "take out of the server { … } what removes cookies: proxy_hide_header Set-Cookie; proxy_set_header Cookie …; proxy_ignore_headers Set-Cookie;"
        }
        Thing::Cache => {
            "in both locations of portcullis-server.conf: proxy_cache off;   and take out: proxy_hide_header Cache-Control; proxy_ignore_headers Cache-Control;\nand have a CDN in front cache nothing with status 429"
        }
        Thing::DefaultServer => {
            "a server for all other names: server { listen 80 default_server; listen 443 ssl default_server; ssl_reject_handshake on; return 444; }\nor, in the default server there is: include /etc/nginx/portcullis-server.conf;"
        }
        Thing::PlainHttp => "in the server that listens on port 80: return 301 https://$host$request_uri;",
        Thing::StaticFiles => "in the location of such files: expires 7d;",
        Thing::Verifier => {
            "systemctl start portcullis.socket portcullis.service\nand nginx's user in its group: usermod --append --groups portcullis www-data"
        }
    }
}

pub(super) const fn caddy(thing: Thing) -> &'static str {
    match thing {
        Thing::Gate => {
            "around what answers in the site: route { import portcullis … }\nor: portcullis setup caddy --apply"
        }
        Thing::Endpoints => "in the site's route, first: import portcullis",
        Thing::Page => "in the check of portcullis.caddy, last: import portcullis_answers",
        Thing::Policy => "write the site's header line without defer; portcullis.caddy keeps it off the gate's answers",
        Thing::Address => {
            "where a load balancer or CDN stands in front, in the global options: servers { trusted_proxies static ITS-NETWORK }\nand nowhere else header_up X-Forwarded-For"
        }
        Thing::Original => {
            "in portcullis.caddy: header_up X-Forwarded-Method {method} and header_up X-Forwarded-Uri {uri}"
        }
        Thing::Scheme => "take out any header_up X-Forwarded-Proto: Caddy writes the right one itself",
        Thing::Beside => "in portcullis.caddy: respond @portcullis_beside 404",
        Thing::Cookies => "take out of the site what removes cookies: header -Set-Cookie, request_header -Cookie",
        Thing::Cache => {
            "take out of the site: header Cache-Control\nand have a CDN in front cache nothing with status 429"
        }
        Thing::DefaultServer => "a site for all other names: :80 { abort }",
        Thing::PlainHttp => "take out the site that begins with http://: Caddy redirects by itself",
        Thing::StaticFiles => "in the site: header /static/* Cache-Control max-age=604800",
        Thing::Verifier => {
            "systemctl start portcullis.socket portcullis.service\nand Caddy's user in its group: usermod --append --groups portcullis caddy"
        }
    }
}

pub(super) const fn envoy(thing: Thing) -> &'static str {
    match thing {
        Thing::Gate => {
            "in http_filters, before the router: envoy.filters.http.ext_authz as in deploy/envoy, and in the virtual host no route of the site's with disabled: true"
        }
        Thing::Endpoints => {
            "in the virtual host, before the site's routes: match: { prefix: \"/.portcullis/\" }, route: { cluster: portcullis }, typed_per_filter_config: *ungated"
        }
        Thing::Page => {
            "in authorization_response: allowed_client_headers: { patterns: [{ safe_regex: { regex: \".*\" } }] }"
        }
        Thing::Policy => {
            "in the virtual host, beside the header Content-Security-Policy of the site: append_action: ADD_IF_ABSENT"
        }
        Thing::Address => {
            "in the http_connection_manager: use_remote_address: true\nand, where a load balancer or CDN stands in front: xff_num_trusted_hops with its number"
        }
        Thing::Original => {
            "in http_service: path_prefix: /.portcullis-beside/envoy   and take out of allowed_headers: x-original-uri, x-forwarded-uri, x-original-method"
        }
        Thing::Scheme => {
            "in the http_connection_manager: use_remote_address: true   and in allowed_headers: exact: x-forwarded-proto"
        }
        Thing::Beside => {
            "in the virtual host, first: match: { prefix: \"/.portcullis-beside/\" }, direct_response: { status: 404 }, typed_per_filter_config: *ungated"
        }
        Thing::Cookies => {
            "in allowed_headers: exact: cookie   and in allowed_client_headers_on_success: exact: set-cookie   and take out what removes cookies: response_headers_to_remove"
        }
        Thing::Cache => {
            "take out of the virtual host: cache-control in response_headers_to_add, and the cache filter before ext_authz\nand have a CDN in front cache nothing with status 429"
        }
        Thing::DefaultServer => {
            "name the site's hosts in domains: [\"example.org\"] instead of [\"*\"], or have ext_authz in the virtual host \"*\" too"
        }
        Thing::PlainHttp => {
            "in the virtual host of the listener on port 80: require_tls: ALL, or a route with redirect: { https_redirect: true }"
        }
        Thing::StaticFiles => {
            "in the route of such files: response_headers_to_add: [{ header: { key: cache-control, value: max-age=604800 } }]"
        }
        Thing::Verifier => {
            "systemctl start portcullis.socket portcullis.service\nand Envoy's user in its group: usermod --append --groups portcullis envoy"
        }
    }
}

pub(super) const fn traefik(thing: Thing) -> &'static str {
    match thing {
        Thing::Gate => "in each router of the site: middlewares: [\"portcullis\"], with deploy/traefik beside it",
        Thing::Endpoints => {
            "a router with rule: \"Host(`example.org`) && PathPrefix(`/.portcullis/`)\", priority: 99999, service: portcullis"
        }
        Thing::Page => {
            "in forwardAuth: address: \"http://127.0.0.1:8080/.portcullis-beside/page\"   and no errors middleware for 429 in front of it"
        }
        Thing::Policy => {
            "put the headers middleware of the site behind portcullis: middlewares: [\"portcullis\", \"site-headers\"]"
        }
        Thing::Address => {
            "in forwardAuth: trustForwardHeader: false\nand, where a load balancer or CDN stands in front, in the entry point: forwardedHeaders: { trustedIPs: [ITS-NETWORK] }"
        }
        Thing::Original | Thing::Scheme => {
            "in forwardAuth: trustForwardHeader: false   and in portcullis.toml: beside = \"traefik\""
        }
        Thing::Beside => {
            "a router with rule: \"PathPrefix(`/.portcullis-beside/`)\", priority: 100000, service: noop@internal"
        }
        Thing::Cookies => {
            "in forwardAuth: addAuthCookiesToResponse as in deploy/traefik, and no headers middleware that removes Cookie or Set-Cookie"
        }
        Thing::Cache => {
            "take out of the middlewares: customResponseHeaders with Cache-Control\nand have a CDN in front cache nothing with status 429"
        }
        Thing::DefaultServer => {
            "no router without Host(`…`) leads to the site, or it has middlewares: [\"portcullis\"] too"
        }
        Thing::PlainHttp => {
            "in the entry point of port 80: http: { redirections: { entryPoint: { to: websecure, scheme: https } } }"
        }
        Thing::StaticFiles => {
            "a headers middleware for such files: customResponseHeaders: { Cache-Control: \"max-age=604800\" }"
        }
        Thing::Verifier => {
            "systemctl start portcullis.service   and in portcullis.toml: listen = \"127.0.0.1:8080\", which is the address in forwardAuth"
        }
    }
}
