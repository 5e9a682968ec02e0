//! Visitors: challenged at the address they asked for, charged once a page, and left alone.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

use serde_json::json;
use tempfile::TempDir;
use tests::browser::Browser;
use tests::debian::may_chroot;
use tests::ports;
use tests::recipes::{Failure, Recipe, SITE_POLICY, Server};
use tests::stage::HOST;
use tests::visitor::{buy, credits};
use tests::wait::{SOON, until_true};

pub(super) fn challenged_in_place_pay_once_and_pass(server: Server) {
    let recipe = Recipe::start(server, Failure::Closed);
    let client = recipe.client();
    let page = client.navigate("/page/1?from=abroad");
    page.expect_status(429);
    assert!(page.header("content-type").unwrap().starts_with("text/html"), "{page:?}");
    let policies: Vec<_> = page.all("content-security-policy").collect();
    assert!(policies.len() == 1 && policies[0].contains("wasm-unsafe-eval"), "the page's own: {policies:?}");
    client.get("/page/1").expect(429, "challenge_required");
    let head = client.request("HEAD", "/page/1").send();
    assert_eq!((head.status, head.body.len()), (429, 0));
    let form = client.request("POST", "/submit").header("Accept", "text/html").body("text/plain", "typed").send();
    assert_eq!(form.status, 429);
    assert!(form.text().contains("data-method=\"POST\""), "the page knows that it answers a POST: {}", form.text());
    assert_eq!(recipe.origin.seen().len(), 0);

    let cookie = buy(&client);
    for number in 1..=5_u8 {
        let reply = client.request("GET", &format!("/page/{number}?a=%20b&c=//d")).cookie(&cookie).send();
        reply.expect_status(200);
        assert_eq!(reply.header("content-security-policy"), Some(SITE_POLICY), "the site keeps its own");
        assert_eq!(recipe.origin.last().target, format!("/page/{number}?a=%20b&c=//d"));
        let left = credits(&client, &cookie, "/");
        assert_eq!(left, Some(100.0 - f64::from(number)), "one page view is charged once");
    }
    let seen = recipe.origin.last();
    assert_eq!(seen.header("x-seen-address"), "127.0.0.1", "the site knows who visits");
    assert_eq!(seen.header("host"), format!("{HOST}:{}", recipe.port));
    let sent = client.request("POST", "/submit").cookie(&cookie).body("text/plain", "typed").send();
    assert!(sent.status == 200 && sent.text().contains("typed"), "{sent:?}");
    assert_eq!(recipe.origin.last().method, "POST");
    // Spelled with its full stop the name is the same site's; another name is nobody's.
    let stranger = client.for_host("other.test").request("GET", "/page/1").cookie(&cookie).try_send().unwrap();
    assert!(!stranger.is_from_origin(), "{stranger:?}");
}

pub(super) fn a_browser_solves_and_arrives(server: Server) {
    let recipe = Recipe::start(server, Failure::Closed);
    let browser = Browser::start();
    browser.open(&recipe.url("/page/7"));
    assert_eq!(browser.wait_for_origin(SOON), "/page/7");
    assert_eq!(browser.url(), recipe.url("/page/7"));
    assert_eq!(browser.script("return isSecureContext"), json!(false), "what visitors on plain HTTP have");
    assert_eq!(browser.notes("lane"), ["hashwx"], "the policy of the site does the gate's page no harm");
}

/// In a `chroot` `HAProxy` does not see the socket. At the address that its file names for that, visitors are who they are.
pub(super) fn in_a_chroot_the_address_is_found_and_the_socket_is_not() {
    if !may_chroot() {
        eprintln!("NOT RUN: only root may put HAProxy into a chroot");
        return;
    }
    let root = TempDir::new().unwrap();
    let chroot = format!("global\n    chroot {}\n", root.path().display());
    let by_socket = Recipe::start_broken(Server::Haproxy, &[("global\n", &chroot)]);
    let reply = by_socket.client().request("GET", "/").try_send().unwrap();
    assert!(reply.status == 503 && !reply.is_from_origin(), "{reply:?}");

    let listen = format!("127.0.0.1:{}", ports::free());
    let server = format!("server portcullis {listen}");
    let changes = [
        ("global\n", chroot.as_str()),
        ("    server portcullis unix@", "    # server portcullis unix@"),
        ("# server portcullis 127.0.0.1:8080", server.as_str()),
    ];
    let recipe = Recipe::start_changed(Server::Haproxy, &changes, |settings| {
        settings.set("listen", listen.as_str()).set("trusted_proxies", vec!["127.0.0.1/32"])
    });
    let visitor = recipe.client().in_network(9, 9);
    let cookie = buy(&visitor);
    let liar = visitor.with("X-Forwarded-For", "198.51.100.77");
    liar.request("GET", "/page/1").cookie(&cookie).send().expect_status(200);
    assert_eq!(recipe.origin.last().header("x-seen-address"), "127.9.9.1", "whatever he says himself");
}

/// In the place of the verifier stands one that admits everybody and gives a cookie with it.
pub(super) fn what_an_admitting_check_gives_reaches_the_visitor(server: Server, admitted: &str) {
    let mut recipe = Recipe::start(server, Failure::Closed);
    recipe.verifier.crash();
    let socket = recipe.folder().join("portcullis.sock");
    fs::remove_file(&socket).unwrap();
    let listener = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    let answer = format!(
        "HTTP/1.1 {admitted}\r\nSet-Cookie: given=on-the-way\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let answer =
        answer.replace("Content-Length: 0\r\n", if admitted.starts_with("204") { "" } else { "Content-Length: 0\r\n" });
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let head = BufReader::new(stream.try_clone().unwrap()).lines();
            let _ = head.map_while(Result::ok).find(String::is_empty);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let reply = recipe.client().request("GET", "/page/1").try_send().unwrap();
    assert!(reply.status == 200 && reply.is_from_origin(), "{reply:?}");
    assert_eq!(reply.all("set-cookie").collect::<Vec<_>>(), ["given=on-the-way"]);
}

/// What the web server sends of its log is read and counted.
pub(super) fn the_log_is_of_use(server: Server) {
    let recipe = Recipe::start(server, Failure::Closed);
    let client = recipe.client();
    let visitor = client.with("Cookie", &buy(&client));
    for number in 1..=5 {
        visitor.get(&format!("/page/{number}")).expect_status(200);
    }
    until_true(SOON, "five lines that count", || {
        let status = recipe.verifier.admin().request("GET", "/status").try_send().unwrap();
        status.json()["log_lines"]["counted"] == json!(5)
    });
}

/// The web server asks over connections that it has, instead of one for each question.
pub(super) fn connections_are_kept(server: Server) {
    let recipe = Recipe::start(server, Failure::Closed);
    let client = recipe.client();
    let visitor = client.with("Cookie", &buy(&client));
    let visit = || {
        visitor.get("/page/1").expect_status(200);
    };
    (0..5).for_each(|_| visit());
    let before = recipe.verifier.sockets();
    (0..50).for_each(|_| visit());
    let opened = recipe.verifier.sockets().difference(&before).count();
    assert!(opened <= 1, "{opened} connections for 50 pages");
}
