//! `deploy/nginx/` as an operator installs it, on a real nginx.

use std::fs;

use tests::client::Client;
use tests::nginx::{Nginx, Site};
use tests::origin::Origin;
use tests::relay::Relay;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage, beside_nginx};
use tests::verifier::Verifier;
use tests::visitor::{buy, credits};

/// A site of files, of a script language, and of an application, as they are found in the field.
fn mixed(settings: Settings, extra: &str) -> Stage {
    let origin = Origin::start("main");
    let application = format!("proxy_pass {}; proxy_set_header Host $http_host;", origin.url());
    let lines = format!(
        "root ROOT;\nindex index.html;\n{extra}\n\
         location / {{ try_files $uri $uri/ /index.html; }}\n\
         location /app/ {{ {application} }}\n\
         location = /upload {{ {application} }}\n\
         location ~ \\.php$ {{ {application} }}\n\
         location /private/ {{ auth_basic \"members\"; auth_basic_user_file ROOT/members; try_files $uri /private.html; }}\n"
    );
    let stage = Stage::beside_nginx(settings, origin, &Site { lines, ..Site::default() });
    let root = stage.nginx.as_ref().unwrap().root();
    fs::create_dir_all(root.join("folder")).unwrap();
    fs::write(root.join("index.html"), "the front page").unwrap();
    fs::write(root.join("folder/index.html"), "the folder's page").unwrap();
    fs::write(root.join("private.html"), "for members").unwrap();
    fs::write(root.join("members"), "ada:{PLAIN}lovelace\n").unwrap();
    stage
}

fn with_cookie(client: &Client, cookie: &str) -> Client {
    client.with("Cookie", cookie)
}

#[test]
fn one_page_view_is_charged_once() {
    let stage = mixed(Settings::new(), "");
    let client = stage.client();
    let cookie = buy(&client);
    let visitor = with_cookie(&client, &cookie);
    let mut expected = 100.0;
    for (target, text) in [
        ("/", "the front page"),
        ("/folder/", "the folder's page"),
        ("/not/there", "the front page"),
        ("/index.html", "the front page"),
    ] {
        let reply = visitor.get(target);
        assert_eq!((reply.status, reply.text().as_str()), (200, text), "{target}");
        expected -= 1.0;
        assert_eq!(
            credits(&client, &cookie, "/"),
            Some(expected),
            "{target}: index and try_files ask twice and are charged once"
        );
    }
}

#[test]
fn every_location_is_gated() {
    let stage = mixed(Settings::new(), "");
    let client = stage.client();
    for target in [
        "/",
        "/index.php",
        "/app/x",
        "/folder/",
        "/wp-admin/admin-ajax.php?action=x",
        "/.portcullis.php",
        "/x/.portcullis/y.php",
    ] {
        client.get(target).expect(429, "challenge_required");
        client.navigate(target).expect_status(429);
    }
    assert_eq!(stage.origin.seen().len(), 0);
    let cookie = buy(&client);
    with_cookie(&client, &cookie).get("/index.php").expect_status(200);
    assert_eq!(stage.origin.last().target, "/index.php");
}

#[test]
fn a_password_is_asked_for_before_and_after_the_gate() {
    let stage = mixed(Settings::new(), "");
    let client = stage.client();
    let asks = |reply: &tests::reply::Reply| {
        assert_eq!(reply.status, 401, "{reply:?}");
        assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"members\""));
        assert!(reply.header("portcullis-challenge").is_none());
    };
    asks(&client.navigate("/private/"));
    asks(&client.with("Authorization", "Basic YWRhOndyb25n").navigate("/private/"));
    // The right password alone meets the gate.
    let member = client.with("Authorization", "Basic YWRhOmxvdmVsYWNl");
    member.navigate("/private/").expect_status(429);
    let cookie = buy(&client);
    asks(&with_cookie(&client, &cookie).navigate("/private/"));
    let page = with_cookie(&member, &cookie).navigate("/private/");
    assert_eq!((page.status, page.text().as_str()), (200, "for members"));
}

#[test]
fn the_endpoints_for_the_web_server_are_not_reachable() {
    let stage = mixed(Settings::new(), "");
    let client = stage.client();
    let cookie = buy(&client);
    for client in [client.clone(), with_cookie(&client, &cookie)] {
        for target in [
            "/.portcullis-beside/check",
            "/.portcullis-beside/gate",
            "/.portcullis-beside/page",
            "/.portcullis-beside/",
            "/.portcullis-beside/envoy/x",
            "//.portcullis-beside/check",
            "/./.portcullis-beside/check",
            "/.portcullis/../.portcullis-beside/check",
            "/.portcullis/..%2f.portcullis-beside/check",
            "/.portcullis/%2e%2e/.portcullis-beside/check",
            "/.portcullis-beside/x.php",
        ] {
            let reply = client
                .request("GET", target)
                .header("X-Original-URI", "/")
                .header("X-Original-Method", "GET")
                .try_send()
                .unwrap();
            assert!(matches!(reply.status, 400 | 404), "{target}: {reply:?}");
            assert!(
                reply.header("portcullis-challenge").is_none() && reply.header("portcullis-gate").is_none(),
                "{target}"
            );
        }
    }
}

#[test]
fn a_policy_of_the_site_stays_with_the_site() {
    let stage = mixed(
        Settings::new(),
        "add_header Content-Security-Policy \"default-src 'none'\" always; add_header X-Site yes always;",
    );
    let client = stage.client();
    let gate = client.navigate("/");
    gate.expect_status(429);
    assert_eq!(gate.all("content-security-policy").count(), 1, "{gate:?}");
    assert!(gate.header("content-security-policy").unwrap().contains("wasm-unsafe-eval"));
    assert!(gate.header("x-site").is_none());
    let worker = gate.text();
    let start = worker.find("/.portcullis/").unwrap();
    let asset = worker[start..].split('"').next().unwrap();
    let asset = client.get(asset);
    assert!(asset.header("content-security-policy").is_none_or(|policy| policy != "default-src 'none'"), "{asset:?}");
    let page = with_cookie(&client, &buy(&client)).navigate("/");
    assert_eq!(page.header("content-security-policy"), Some("default-src 'none'"), "the site keeps its own");
}

#[test]
fn a_page_of_errors_that_the_site_shows_itself_stays() {
    let stage = mixed(
        Settings::new(),
        "location /lost/ { error_page 404 /index.html; error_page 401 = @portcullis_gate; try_files $uri =404; }",
    );
    let client = stage.client();
    client.navigate("/lost/x").expect_status(429);
    let reply = with_cookie(&client, &buy(&client)).navigate("/lost/x");
    assert_eq!((reply.status, reply.text().as_str()), (404, "the front page"));
}

#[test]
fn bodies_arrive_whole_and_stay_with_the_site() {
    let stage = mixed(Settings::new(), "client_max_body_size 3m;");
    let client = stage.client();
    let cookie = buy(&client);
    let upload = |client: &Client, bytes: usize| {
        client.request("POST", "/upload").body("application/octet-stream", vec![b'x'; bytes]).try_send().unwrap()
    };
    assert_eq!(upload(&client, 100_000).status, 429);
    assert_eq!(upload(&with_cookie(&client, &cookie), 3 << 20).status, 200);
    assert_eq!(stage.origin.last().method, "POST");
    assert_eq!(upload(&with_cookie(&client, &cookie), 4 << 20).status, 413, "the site's own limit");
    let post = client.request("POST", "/app/submit").header("Accept", "text/html").body("text/plain", "typed").send();
    assert_eq!(post.status, 429);
    assert!(post.text().contains("data-method=\"POST\""), "the page knows that it answers a POST: {}", post.text());
    let head = client.request("HEAD", "/").send();
    assert_eq!((head.status, head.body.len()), (429, 0));
}

#[test]
fn a_dead_verifier_fails_closed_as_the_recipe_stands() {
    let mut stage = mixed(Settings::new(), "");
    let client = stage.client();
    let cookie = buy(&client);
    stage.verifier.terminate();
    stage.verifier.wait_for_end();
    let reply = with_cookie(&client, &cookie).request("GET", "/").try_send().unwrap();
    assert_eq!(reply.status, 500);
}

#[test]
fn a_dead_verifier_fails_open_with_the_line_for_it() {
    let origin = Origin::start("main");
    let lines = format!("location / {{ proxy_pass {}; }}", origin.url());
    let mut stage = Stage::beside_nginx(Settings::new(), origin, &Site { lines, fail_open: true, ..Site::default() });
    let client = stage.client();
    client.navigate("/").expect_status(429);
    stage.verifier.terminate();
    stage.verifier.wait_for_end();
    client.navigate("/").expect_status(200);
    let post = client.request("POST", "/submit").body("text/plain", "typed").send();
    assert!(post.status == 200 && post.text().contains("typed"), "{post:?}");
}

#[test]
fn another_host_in_the_request_line_does_not_borrow_a_clearance() {
    let (red, blue) = (Origin::start("red"), Origin::start("blue"));
    let settings = beside_nginx(Settings::new()).site("red", &["red.test"], None).site("blue", &["blue.test"], None);
    let verifier = Verifier::start(settings);
    let lines = format!("location / {{ proxy_pass {}; }}", red.url());
    let nginx = Nginx::start(verifier.port, &Site { lines, names: "red.test".into(), ..Site::default() });
    // nginx serves red here whatever Host says, once the request line says so; a clearance of blue must not pay.
    let of_blue = buy(&nginx.client("blue.test"));
    let request =
        format!("GET http://red.test/ HTTP/1.1\r\nHost: blue.test\r\nCookie: {of_blue}\r\nConnection: close\r\n\r\n");
    let reply = nginx.client("red.test").send_raw(request.as_bytes()).unwrap();
    assert_ne!(reply.status, 200, "{reply:?}");
    assert_eq!(red.seen().len() + blue.seen().len(), 0);
    let of_red = buy(&nginx.client("red.test"));
    nginx.client("red.test").request("GET", "/").cookie(&of_red).send().expect_status(200);
}

#[test]
fn an_unknown_host_is_misdirected_through_nginx_too() {
    let stage = Stage::new(Front::Nginx, Settings::new());
    let reply = stage.client().for_host("green.test").navigate("/");
    assert_eq!(reply.status, 421, "{reply:?}");
}

#[test]
fn a_verifier_that_hangs_costs_a_second_and_no_more() {
    // A listener that accepts and never answers.
    let silent = tests::raw_origin::RawOrigin::start("");
    let origin = Origin::start("main");
    let lines = format!("location / {{ proxy_pass {}; }}", origin.url());
    let nginx = Nginx::start(silent.port, &Site { lines, ..Site::default() });
    let relay = Relay::start(nginx.port);
    let start = std::time::Instant::now();
    let reply = Client::new(relay.port, HOST).request("GET", "/").try_send().unwrap();
    assert_eq!(reply.status, 500);
    assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(origin.seen().len(), 0);
}
