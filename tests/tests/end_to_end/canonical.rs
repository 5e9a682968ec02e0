//! The one address of a site: a typed bare name costs one solution, and no redirect leads anywhere else.

use tests::client::Client;
use tests::nginx::{Nginx, Site};
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::beside_nginx;
use tests::verifier::Verifier;

const WWW: &str = "https://www.portcullis.test";
const HOSTS: [&str; 2] = ["portcullis.test", "www.portcullis.test"];

fn behind_proxy(client: &Client, scheme: &str) -> Client {
    client.with("X-Forwarded-For", "203.0.113.7").with("X-Forwarded-Proto", scheme)
}

fn verifier(origin: &Origin) -> Verifier {
    let settings = Settings::new().set("beside", "proxy").set("trusted_proxies", vec!["127.0.0.0/8"]);
    Verifier::start(settings.site("main", &HOSTS, Some(&origin.url())).of_site("canonical", WWW))
}

#[test]
fn a_typed_bare_name_costs_one_solution() {
    let origin = Origin::start("main");
    let verifier = verifier(&origin);
    let target = "/a%2Fb//c?x=1&y=%0d%0a";
    for (host, scheme) in [("portcullis.test", "http"), ("portcullis.test", "https"), ("www.portcullis.test", "http")] {
        let client = behind_proxy(&verifier.client(host), scheme);
        for reply in [client.navigate(target), client.request("POST", target).body("text/plain", "x").send()] {
            reply.expect_status(308);
            assert_eq!(reply.header("location"), Some(format!("{WWW}{target}").as_str()));
            assert_eq!(reply.header("set-cookie"), None);
            assert_eq!(reply.header("portcullis-challenge"), None, "nothing is asked yet");
        }
        // The endpoints answer where they are asked, and so do the tokens of certificate authorities.
        client.get("/.portcullis/challenge").expect_status(200);
        client.get("/.well-known/acme-challenge/token").expect_status(200);
    }
    let there = behind_proxy(&verifier.client("www.portcullis.test"), "https");
    there.navigate(target).expect_status(429);
    let offered = tests::visitor::challenge(&there, "");
    let sold = tests::visitor::verify(&there, "", &offered, &offered.solve());
    let cookie = sold.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let tokens = origin.seen().len();
    there.request("GET", target).cookie(&cookie).send().expect_status(200);
    assert_eq!((tokens, origin.seen().len()), (3, 4), "nothing else came to the site");
}

#[test]
fn no_request_is_redirected_anywhere_else() {
    let origin = Origin::start("main");
    let verifier = verifier(&origin);
    let client = behind_proxy(&verifier.client("portcullis.test"), "http");
    for target in ["//evil.test/", "/\\evil.test", "/.evil.test", "/@evil.test", "http://portcullis.test//evil.test/"] {
        let reply = client.get(target);
        reply.expect_status(308);
        let location = reply.header("location").unwrap_or_default().to_owned();
        assert!(location.starts_with(&format!("{WWW}/")), "{target}: {location}");
    }
    // Another host, in the request line or in the header, is nobody's.
    client.get("http://evil.test/").expect_status(421);
    client.for_host("evil.test").get("/").expect_status(421);
    for head in ["OPTIONS * HTTP/1.1", "GET /a\tb HTTP/1.1", "GET /a\rLocation:x HTTP/1.1"] {
        let bytes = format!(
            "{head}\r\nHost: portcullis.test\r\nX-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: http\r\n\r\n"
        );
        let reply = client.send_raw(bytes.as_bytes()).unwrap();
        assert_eq!(reply.header("location"), None, "{head}");
    }
    assert_eq!(origin.seen().len(), 0);
}

#[test]
fn beside_nginx_the_redirect_comes_before_the_page_and_in_every_mode() {
    let origin = Origin::start("main");
    let site = |settings: Settings| {
        beside_nginx(settings).site("main", &HOSTS, None).of_site("canonical", "http://www.portcullis.test")
    };
    for mode in ["on", "off"] {
        let verifier = Verifier::start(site(Settings::new().set("mode", mode)));
        let lines = format!("location / {{ proxy_pass {}; }}", origin.url());
        let nginx = Nginx::start(verifier.port, &Site { lines, names: HOSTS.join(" "), ..Site::default() });
        let reply = nginx.client("portcullis.test").navigate("/a%2Fb//c?x=1");
        reply.expect_status(308);
        assert_eq!(reply.header("location"), Some("http://www.portcullis.test/a%2Fb//c?x=1"));
        let there = nginx.client("www.portcullis.test");
        there.navigate("/").expect_status(if mode == "on" { 429 } else { 200 });
        nginx.client("portcullis.test").get("/.portcullis/challenge").expect_status(200);
    }
    assert_eq!(origin.seen().len(), 1, "and only who was there in mode off reached the site");
}

#[test]
fn a_shared_cookie_opens_the_sites_other_hosts_and_the_origin_never_sees_it() {
    let origin = Origin::start("main");
    let settings = Settings::new().set("beside", "proxy").set("trusted_proxies", vec!["127.0.0.0/8"]);
    let hosts = ["www.portcullis.test", "shop.portcullis.test"];
    let settings = settings.site("main", &hosts, Some(&origin.url())).of_site("cookie_domain", "portcullis.test");
    let verifier = Verifier::start(settings);
    let www = behind_proxy(&verifier.client(hosts[0]), "https");
    let offered = tests::visitor::challenge(&www, "");
    let reply = tests::visitor::verify(&www, "", &offered, &offered.solve());
    let cookies: Vec<&str> = reply.all("set-cookie").collect();
    let shared = cookies.iter().find(|cookie| cookie.starts_with("__Secure-portcullis=")).unwrap();
    assert!(shared.ends_with("; Domain=portcullis.test") && shared.contains("; Secure"), "{shared}");
    assert_eq!(cookies.iter().filter(|cookie| cookie.contains("Domain=")).count(), 1, "{cookies:?}");
    let shop = behind_proxy(&verifier.client(hosts[1]), "https");
    let value = shared.split(';').next().unwrap();
    shop.request("GET", "/").cookie(&format!("{value}; a=1")).send().expect_status(200);
    assert_eq!(origin.last().header("cookie"), "a=1");
    // Whoever has another host of the domain can plant cookies: what this host set itself still counts.
    let own = cookies[0].split(';').next().unwrap();
    let planted: String = (0..30).map(|_| "__Secure-portcullis=AAAAAAAAAAAAAAAAAAAAAA; ").collect();
    www.request("GET", "/").cookie(&format!("{planted}{own}")).send().expect_status(200);
}
