//! Several servers of one site, and TLS to them.

use std::io::Read as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tests::client::Client;
use tests::live;
use tests::origin::Origin;
use tests::ports;
use tests::raw_origin::RawOrigin;
use tests::settings::Settings;
use tests::tls::{TlsServer, TlsSite};
use tests::verifier::Verifier;
use tests::wait::{SOON, until_true};

fn before(origins: &[String], site: impl FnOnce(Settings) -> Settings) -> (Verifier, Client) {
    let settings = Settings::new().set("mode", "auto").site("main", &["portcullis.test"], None);
    let verifier = Verifier::start(site(settings.of_site("origin", origins.to_vec())));
    let client = verifier.client("portcullis.test");
    (verifier, client)
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Takes each connection, reads what comes first, and closes it without a word.
fn hangs_up() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (port, requests) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&requests);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            if stream.read(&mut [0; 4096]).unwrap_or(0) > 0 {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    (port, requests)
}

#[test]
fn a_server_that_takes_no_connection_costs_no_visitor_a_request_and_comes_back_by_itself() {
    let (dead, alive) = (ports::free(), Origin::start("alive"));
    let (verifier, client) = before(&[url(dead), alive.url()], |site| site);
    let upload = vec![7; 300_000];
    for _ in 0..10 {
        client.get("/page").expect_status(200);
        let reply = client.request("POST", "/upload").body("application/octet-stream", upload.clone()).send();
        assert_eq!((reply.status, reply.text()), (200, upload.len().to_string()), "whole, and once");
    }
    assert_eq!((alive.count("/page"), alive.count("/upload")), (10, 10));
    assert!(verifier.log().contains("an origin takes no connection"), "{}", verifier.log());
    let back = Origin::start_on("back", dead);
    until_true(SOON, "the other server to get requests again", || {
        client.get("/page").expect_status(200);
        back.count("/page") > 0
    });
    assert!(verifier.log().contains("is up again"));
}

#[test]
fn where_no_server_answers_it_is_as_with_one() {
    let (first, second) = (ports::free(), ports::free());
    let (_verifier, client) = before(&[url(first), url(second)], |site| site);
    for _ in 0..4 {
        client.get("/").expect(502, "origin_unreachable");
    }
    let back = Origin::start_on("back", second);
    until_true(SOON, "the site to be back", || client.get("/").status == 200);
    assert!(back.count("/") > 0);
}

#[test]
fn a_server_whose_check_fails_is_left_alone() {
    let (sick, well) =
        (RawOrigin::start("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"), Origin::start("well"));
    let (verifier, client) = before(&[sick.url(), well.url()], |site| site.of_site("health_path", "/health?from=gate"));
    until_true(SOON, "the checks to fail", || verifier.log().contains("an origin is down and left alone"));
    let asked = || sick.heads().iter().filter(|head| head.starts_with("GET /page")).count();
    let before = asked();
    for _ in 0..20 {
        client.get("/page").expect_status(200);
    }
    assert_eq!(asked(), before);
    let heads = sick.heads();
    let check = heads.iter().find(|head| head.starts_with("GET /health?from=gate HTTP/1.1")).unwrap();
    assert!(check.to_lowercase().contains("host: portcullis.test\r\n"), "{check}");
    let status = verifier.admin().request("GET", "/status").try_send().unwrap().json();
    let origins = &status["sites"][0]["origins"];
    assert_eq!((&origins[0]["up"], &origins[1]["up"]), (&false.into(), &true.into()), "{status}");
    let metrics = verifier.admin().request("GET", "/metrics").try_send().unwrap().text();
    let line = format!("portcullis_origin_up{{origin=\"{}\",site=\"main\"}} 0", sick.url());
    assert!(metrics.contains(&line), "{metrics}");
}

#[test]
fn a_request_that_broke_off_is_sent_once_more_only_where_that_changes_nothing() {
    let ((breaking, requests), well) = (hangs_up(), Origin::start("well"));
    let (_verifier, client) = before(&[url(breaking), well.url()], |site| site);
    for _ in 0..10 {
        client.get("/page").expect_status(200);
    }
    assert!(requests.load(Ordering::SeqCst) > 0, "some of them went there first");
    let asked = requests.load(Ordering::SeqCst) + well.count("/page");
    assert!(asked <= 20, "no request went to more than two: {asked}");
    let sent: Vec<u16> =
        (0..10).map(|_| client.request("POST", "/submit").body("text/plain", "once").send().status).collect();
    let failed = sent.iter().filter(|status| **status == 502).count();
    assert!(failed > 0, "{sent:?}");
    assert_eq!(well.count("/submit"), 10 - failed, "what may have been done is not done again");
}

#[test]
fn an_origin_over_tls_has_to_prove_its_name_and_its_authority() {
    let origin = Origin::start("main");
    let proxied = format!(
        "location / {{ proxy_pass {}; proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header \
         X-Tls $ssl_protocol; proxy_request_buffering off; proxy_set_header Upgrade $http_upgrade; proxy_set_header \
         Connection $http_connection; }}",
        origin.url()
    );
    let server = TlsServer::start(&[TlsSite { name: "localhost", lines: proxied.clone() }]);
    let other = TlsServer::start(&[TlsSite { name: "localhost", lines: proxied }]);
    let ca = server.authority().display().to_string();
    let address = |name: &str, port: u16| vec![format!("https://{name}:{port}")];
    let (verifier, client) = before(&address("localhost", server.port), |site| {
        site.of_site("origin_ca_file", ca.as_str())
            .of_site("health_path", "/health")
            .of_site("probe_url", format!("https://localhost:{}/probe", server.port))
    });
    client.get("/page").expect_status(200);
    let seen = origin.last();
    assert_eq!((seen.header("host"), seen.target.as_str()), (client.host().to_owned(), "/page"));
    assert!(seen.header("x-tls").starts_with("TLSv1."), "{seen:?}");
    let reply = client.request("POST", "/upload").body("application/octet-stream", vec![1; 1 << 20]).send();
    assert_eq!(reply.text(), (1 << 20).to_string());
    live::echoes(&mut live::websocket(&client, "").unwrap().0);
    until_true(SOON, "check and probe", || origin.count("/health") > 0 && origin.count("/probe") > 0);
    drop(verifier);

    let before_refused = origin.seen().len();
    for (address, why) in
        [(address("127.0.0.1", server.port), "certificate"), (address("localhost", other.port), "certificate")]
    {
        let (verifier, client) = before(&address, |site| site.of_site("origin_ca_file", ca.as_str()));
        client.get("/page").expect(502, "origin_unreachable");
        assert!(verifier.log().contains(why), "{}", verifier.log());
    }
    assert_eq!(origin.seen().len(), before_refused, "nothing was said to a server that is not the right one");
}
