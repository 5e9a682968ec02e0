//! nginx's log as a signal: what the verifier learns of a site that only nginx talks to, under the very recipe.

use std::fs;
use std::io::Write as _;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::client::Client;
use tests::nginx::Site;
use tests::origin::Origin;
use tests::ports;
use tests::settings::Settings;
use tests::stage::Stage;
use tests::verifier::Verifier;
use tests::visitor::buy;
use tests::wait::{SOON, stays, until, until_true};

/// No flood lasts longer, whatever a test waits for.
const FLOOD_MAX: Duration = Duration::from_secs(15);

/// The site beside nginx, whose log comes to `socket`: files of nginx's own below `/files/`, all else from the origin.
fn stage(mode: &str, socket: &str) -> Stage {
    let origin = Origin::start("main");
    let lines = format!(
        "root ROOT;\n\
         location /files/ {{ try_files $uri =404; }}\n\
         location / {{ proxy_pass {}; proxy_http_version 1.1; proxy_set_header Host $http_host;\n\
         proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection; }}\n",
        origin.url()
    );
    let settings = Settings::new().set("mode", mode).set("access_log", socket).set("challenge.difficulty", 100);
    Stage::beside_nginx(settings, origin, &Site { lines, log: socket.to_owned(), ..Site::default() })
}

fn udp() -> String {
    format!("127.0.0.1:{}", ports::free())
}

fn status(verifier: &Verifier) -> Value {
    verifier.admin().request("GET", "/status").try_send().unwrap().json()
}

fn lines(verifier: &Verifier, of_use: &str) -> u64 {
    status(verifier)["log_lines"][of_use].as_u64().unwrap()
}

#[test]
fn the_lines_of_admitted_requests_come_and_no_others() {
    let stage = stage("on", &udp());
    let nginx = stage.nginx.as_ref().unwrap();
    fs::create_dir_all(nginx.root().join("files")).unwrap();
    fs::write(nginx.root().join("files/a.txt"), "a file").unwrap();
    let client = stage.client();
    for _ in 0..5 {
        client.get("/").expect(429, "challenge_required");
    }
    let visitor = client.with("Cookie", &buy(&client));
    for number in 0..7 {
        visitor.get(&format!("/page/{number}")).expect_status(200);
    }
    visitor.get("/status/503").expect_status(503);
    until_true(SOON, "eight lines that count", || lines(&stage.verifier, "counted") == 8);
    visitor.get("/files/a.txt").expect_status(200);
    until_true(SOON, "the line of a file", || lines(&stage.verifier, "ignored") == 1);
    // A WebSocket and an event stream last as long as somebody looks: their lines come then, and tell nothing.
    let upgrade = tests::live::websocket_request(&visitor, "");
    for (request, answer) in [(upgrade, "101"), (visitor.request("GET", "/events"), "200")] {
        let mut connection = visitor.connect().unwrap();
        connection.get_mut().write_all(&request.bytes()).unwrap();
        let mut head = String::new();
        std::io::BufRead::read_line(&mut connection, &mut head).unwrap();
        assert!(head.contains(answer), "{head}");
    }
    until_true(SOON, "the lines of what lasts", || lines(&stage.verifier, "ignored") == 3);
    let all = status(&stage.verifier)["log_lines"].clone();
    assert_eq!(all, json!({"counted": 8, "ignored": 3, "late": 0, "unmatched": 0, "unreadable": 0}));
    let own = nginx.own_log();
    assert!(own.contains("GET /page/6 HTTP/1.1\" 200"), "the operator's own log goes on: {own}");
    let metrics = stage.verifier.admin().request("GET", "/metrics").try_send().unwrap().text();
    assert!(metrics.contains("portcullis_log_lines_total{use=\"counted\"} 8"), "{metrics}");
}

#[test]
fn what_a_site_can_do_is_learned_from_nginxs_log_and_the_gate_goes_down() {
    let stage = stage("auto", &udp());
    let of_site = || status(&stage.verifier)["sites"][0].clone();
    let visitor = stage.client().in_network(200, 1);
    until_true(SOON, "the usual delay to be known", || {
        visitor.get("/work").expect_status(200);
        of_site()["signals"]["origin"]["delay_ratio"].is_number()
    });
    let idle = of_site();
    assert_eq!(idle["capacity"], Value::Null, "an idle site tells nothing of what it could do");
    assert_eq!(idle["signals"]["access_log"]["reliable"], json!(true), "{idle}");
    // A hundred a second that do not wait for each other, from a hundred networks; the site does twenty.
    let mut open = Vec::new();
    let begun = Instant::now();
    while of_site()["state"] == json!("calm") && begun.elapsed() < FLOOD_MAX {
        for number in 0..5 {
            let client = stage.client().in_network(u8::try_from(100 + (open.len() + number) % 100).unwrap(), 7);
            let mut connection = client.connect().unwrap();
            connection.get_mut().write_all(&client.request("GET", "/work").bytes()).unwrap();
            open.push(connection);
        }
        stays(Duration::from_millis(40), || None);
    }
    let closed = of_site();
    assert_ne!(closed["state"], json!("calm"), "{closed}");
    assert_eq!(closed["capacity"]["source"], json!("learned"), "{closed}");
    let capacity = closed["capacity"]["credits_per_second"].as_f64().unwrap();
    assert!((5.0..60.0).contains(&capacity), "{capacity} instead of about 20");
    visitor.get("/").expect(429, "challenge_required");
    assert_eq!(closed["signals"]["origin"]["waiting"].as_u64().map(|waiting| waiting > 10), Some(true), "{closed}");
}

#[test]
fn forged_doubled_and_foreign_datagrams_count_for_nothing() {
    let socket = udp();
    let stage = stage("auto", &socket);
    let forger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let send = |datagram: &[u8]| assert_eq!(forger.send_to(datagram, &socket).unwrap(), datagram.len());
    for number in 0..50 {
        send(format!("<190>Nov 25 02:11:03 portcullis: {number:032x} 200 \"200\" \"0.001\" \"text/html\"").as_bytes());
    }
    for datagram in [&b"GET / HTTP/1.1"[..], b"", &[0xff; 1_500], b"<190>Nov 25 02:11:03 portcullis: x"] {
        send(datagram);
    }
    until_true(SOON, "the lines to be read", || lines(&stage.verifier, "unreadable") == 4);
    assert_eq!(lines(&stage.verifier, "unmatched"), 50);
    let told = stage.client().get("/");
    told.expect_status(200);
    assert!(told.header("portcullis-admitted").is_none(), "it is between nginx and the verifier");
    let site = until(SOON, "a step after it", || {
        let site = status(&stage.verifier)["sites"][0].clone();
        site["signals"]["access_log"].is_object().then_some(site)
    });
    assert_eq!((&site["state"], &site["capacity"]), (&json!("calm"), &Value::Null), "{site}");
    assert!(stage.verifier.log().contains("cannot be read"), "{}", stage.verifier.log());
}

#[test]
fn a_unix_socket_takes_the_log_and_a_verifier_that_comes_back_finds_it_again() {
    let folder = tempfile::tempdir().unwrap();
    // nginx's workers are another user when this runs as root.
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = folder.path().join("access.sock");
    let mut stage = stage("auto", &format!("unix:{}", path.display()));
    let open_to_all = || fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    open_to_all();
    let client = stage.client();
    let asks = |client: &Client| assert_eq!(client.get("/").status, 200);
    asks(&client);
    until_true(SOON, "a line", || lines(&stage.verifier, "counted") >= 1);
    stage.verifier.crash_and_restart();
    open_to_all();
    until_true(SOON, "lines after a restart", || {
        asks(&client);
        stays(Duration::from_millis(50), || None);
        lines(&stage.verifier, "counted") >= 2
    });
}
