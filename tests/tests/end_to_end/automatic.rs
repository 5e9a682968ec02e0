//! Mode `auto` over real sockets: what closes the gate, for whom, and what it begins with after a crash.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::client::Client;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::HOST;
use tests::verifier::Verifier;
use tests::visitor::{ask, buy, challenge, credits};
use tests::wait::{SOON, stays, until, until_true};

/// No flood lasts longer, whatever a test waits for.
const FLOOD_MAX: Duration = Duration::from_secs(15);

/// A verifier in mode `auto` behind a proxy that says whose request it is: every client network there is.
fn automatic(origin: &Origin) -> Settings {
    Settings::new()
        .set("mode", "auto")
        .set("beside", "proxy")
        .set("trusted_proxies", vec!["127.0.0.1/32"])
        .set("challenge.difficulty", 100)
        .site("main", &[HOST], Some(&origin.url()))
}

fn from(verifier: &Verifier, address: &str) -> Client {
    verifier.client(HOST).with("X-Forwarded-Proto", "http").with("X-Forwarded-For", address)
}

/// What the status says of the one site.
fn site(verifier: &Verifier) -> Value {
    verifier.admin().request("GET", "/status").try_send().unwrap().json()["sites"][0].clone()
}

fn state(verifier: &Verifier) -> String {
    site(verifier)["state"].as_str().unwrap().to_owned()
}

fn operator(verifier: &Verifier) -> Client {
    verifier.admin().with("Authorization", &format!("Bearer {}", verifier.admin_token()))
}

fn tell_load(operator: &Client, load: &str) -> u16 {
    operator.request("POST", "/load").body("application/json", load).try_send().unwrap().status
}

/// Asks as fast as two connections allow, each request from the next address, until `done` or for [`FLOOD_MAX`].
fn flood(verifier: &Verifier, addresses: &[String], done: impl Fn() -> bool + Sync) {
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..2 {
            let client = verifier.client(HOST).with("X-Forwarded-Proto", "http");
            let done = &done;
            scope.spawn(move || {
                for (number, address) in addresses.iter().cycle().enumerate() {
                    let _ = client.request("GET", "/").header("X-Forwarded-For", address).try_send();
                    if number % 20 == 0 && (begun.elapsed() > FLOOD_MAX || done()) {
                        return;
                    }
                }
            });
        }
    });
}

#[test]
fn a_flood_closes_the_gate_within_seconds_and_visitors_pay_the_floor() {
    let origin = Origin::start("main");
    let verifier = Verifier::start(automatic(&origin).of_site("capacity_per_second", 40));
    let visitor = from(&verifier, "203.0.113.9");
    assert_eq!(ask(&visitor, ""), json!({"needed": false}));
    visitor.get("/").expect_status(200);
    let addresses: Vec<String> = (0..100).map(|number| format!("198.{number}.100.7")).collect();
    let begun = Instant::now();
    let asked = visitor.clone();
    flood(&verifier, &addresses, || ask(&asked, "")["needed"] == json!(true));
    assert!(begun.elapsed() < Duration::from_secs(8), "closed after {:?}", begun.elapsed());
    let of_site = site(&verifier);
    assert_ne!(of_site["state"], json!("calm"), "{of_site}");
    assert_eq!(of_site["capacity"], json!({"credits_per_second": 40.0, "source": "configured"}));
    assert_eq!(challenge(&visitor, "").work(), 100, "a flood that never pays raises no price");
    visitor.navigate("/").expect_status(429);
    let cookie = buy(&visitor);
    visitor.request("GET", "/").cookie(&cookie).send().expect_status(200);
    assert_eq!(credits(&visitor, &cookie, "/"), Some(99.0));
    let metrics = verifier.admin().request("GET", "/metrics").try_send().unwrap().text();
    assert!(metrics.contains("portcullis_gate_closed{site=\"main\"} 1"), "{metrics}");
    assert!(metrics.contains("portcullis_price_attempts{site=\"main\"} 100"), "{metrics}");
    assert!(verifier.log().contains("the gate goes down"), "{}", verifier.log());
}

#[test]
fn one_loud_address_is_challenged_and_nobody_else() {
    let origin = Origin::start("main");
    let verifier = Verifier::start(automatic(&origin).of_site("capacity_per_second", 40));
    let (loud, visitor) = (from(&verifier, "198.51.100.7"), from(&verifier, "203.0.113.9"));
    let (asked, neighbour) = (loud.clone(), visitor.clone());
    flood(&verifier, &["198.51.100.7".to_owned()], || {
        assert_eq!(ask(&neighbour, ""), json!({"needed": false}), "the site is open to everybody else");
        ask(&asked, "")["needed"] == json!(true)
    });
    loud.get("/").expect(429, "challenge_required");
    visitor.get("/").expect_status(200);
    let status = site(&verifier);
    assert_eq!((&status["state"], &status["price"]), (&json!("calm"), &json!(0)), "{status}");
    assert!(challenge(&loud, "").standing(), "what it buys is good although the site asks nothing");
    let cookie = buy(&loud);
    loud.request("GET", "/").cookie(&cookie).send().expect_status(200);
}

#[test]
fn what_a_site_can_do_is_learned_when_it_has_more_to_do() {
    let origin = Origin::start("main");
    let verifier = Verifier::start(automatic(&origin));
    let visitor = from(&verifier, "203.0.113.9");
    until_true(SOON, "the usual delay to be known", || {
        visitor.get("/work").expect_status(200);
        site(&verifier)["signals"]["origin"]["delay_ratio"].is_number()
    });
    assert_eq!(site(&verifier)["capacity"], Value::Null, "an idle site tells nothing of what it could do");
    // A hundred a second that do not wait for each other, from a hundred networks; the site does twenty.
    let mut open = Vec::new();
    let begun = Instant::now();
    while state(&verifier) == "calm" && begun.elapsed() < FLOOD_MAX {
        for number in 0..5 {
            let client = from(&verifier, &format!("198.{}.100.7", (open.len() + number) % 100));
            let mut connection = client.connect().unwrap();
            std::io::Write::write_all(connection.get_mut(), &client.request("GET", "/work").bytes()).unwrap();
            open.push(connection);
        }
        stays(Duration::from_millis(40), || None);
    }
    let status = site(&verifier);
    assert_eq!(status["capacity"]["source"], json!("learned"), "{status}");
    let capacity = status["capacity"]["credits_per_second"].as_f64().unwrap();
    assert!((5.0..60.0).contains(&capacity), "{capacity} instead of about 20");
    assert_ne!(status["state"], json!("calm"), "{status}");
}

#[test]
fn an_idle_gate_is_invisible_and_says_which_signals_are_missing() {
    let origin = Origin::start("main");
    let verifier = Verifier::start(automatic(&origin).of_site("capacity_per_second", 500));
    let visitor = from(&verifier, "203.0.113.9");
    let visits = 100;
    for number in 0..visits {
        let reply = visitor.navigate(&format!("/page/{number}"));
        reply.expect_status(200);
        assert!(reply.header("set-cookie").is_none() && reply.header("portcullis-challenge").is_none());
    }
    assert_eq!(origin.count("/page/"), visits);
    let status = until(SOON, "a step after the visits", || {
        let status = site(&verifier);
        status["signals"]["origin"].is_object().then_some(status)
    });
    assert_eq!((&status["state"], &status["price"], &status["overload"]), (&json!("calm"), &json!(0), &json!([])));
    let signals = &status["signals"];
    for missing in ["pressure_cpu_percent", "pressure_io_percent", "probe", "told_load"] {
        assert_eq!(signals[missing], Value::Null, "{missing} in {signals}");
    }
}

#[test]
fn a_program_of_the_operators_may_say_that_the_load_is_full() {
    let origin = Origin::start("main");
    let verifier = Verifier::start(automatic(&origin));
    let visitor = from(&verifier, "203.0.113.9");
    assert!(matches!(tell_load(&verifier.admin(), "{\"load\":1}"), 401 | 403), "not without the token");
    let operator = operator(&verifier);
    for wrong in ["{}", "{\"load\":-1}", "{\"load\":\"1\"}", "{\"load\":1e999}", "1", "{\"load\":1,\"more\":1}"] {
        assert_eq!(tell_load(&operator, wrong), 400, "{wrong}");
    }
    assert_eq!(tell_load(&operator, "{\"load\":0.99}"), 200);
    until_true(SOON, "the load to be seen", || site(&verifier)["signals"]["told_load"] == json!(0.99));
    assert_eq!(state(&verifier), "calm");
    assert_eq!(tell_load(&operator, "{\"load\":1}"), 200);
    until_true(SOON, "the gate to go down", || state(&verifier) != "calm");
    visitor.get("/").expect(429, "challenge_required");
    // It lapses, and the gate waits for its hold.
    until_true(SOON, "the word to lapse", || site(&verifier)["signals"]["told_load"].is_null());
    until_true(SOON, "the gate to wait", || state(&verifier) == "hold");
}

#[test]
fn a_machine_under_pressure_closes_the_gate() {
    let origin = Origin::start("main");
    let verifier = Verifier::start(automatic(&origin));
    let pressure = |percent: &str| {
        let text = format!("some avg10={percent} avg60=0.00 avg300=0.00 total=1\n");
        fs::write(verifier.directory().join("pressure/cpu"), text).unwrap();
    };
    pressure("39.50");
    until_true(SOON, "the pressure to be seen", || site(&verifier)["signals"]["pressure_cpu_percent"] == json!(39.5));
    assert_eq!(state(&verifier), "calm");
    pressure("40.50");
    until_true(SOON, "the gate to go down", || state(&verifier) == "attack");
    assert_eq!(site(&verifier)["overload"], json!(["pressure"]));
}

#[test]
fn a_probe_is_asked_and_its_delay_told() {
    let origin = Origin::start("main");
    let probe = format!("{}/probe?x=1", origin.url());
    let verifier = Verifier::start(automatic(&origin).of_site("probe_url", probe));
    until_true(SOON, "a probe", || site(&verifier)["signals"]["probe"]["seconds"].is_number());
    let seen = origin.seen().into_iter().find(|seen| seen.target == "/probe?x=1").unwrap();
    assert_eq!((seen.method.as_str(), seen.header("host").contains("127.0.0.1")), ("GET", true));
    assert_eq!(state(&verifier), "calm");
}

#[test]
fn after_a_crash_under_attack_the_gate_begins_down() {
    let origin = Origin::start("main");
    let mut verifier = Verifier::start(automatic(&origin));
    let visitor = from(&verifier, "203.0.113.9");
    assert_eq!(tell_load(&operator(&verifier), "{\"load\":2}"), 200);
    until_true(SOON, "the gate to go down", || state(&verifier) != "calm");
    let file = verifier.directory().join("state/price");
    until_true(SOON, "that to be written", || {
        fs::read_to_string(&file).is_ok_and(|text| text.contains("\"closed\":true"))
    });
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    verifier.crash_and_restart();
    visitor.get("/").expect(429, "challenge_required");
    assert_ne!(state(&verifier), "calm");
    assert!(verifier.log().contains("begins down"), "{}", verifier.log());
    // A file that is damaged is said so, and as it does not tell whether the gate was down, it is.
    fs::write(&file, "{\"version\":1").unwrap();
    verifier.crash_and_restart();
    assert!(verifier.log().contains("is not used"), "{}", verifier.log());
    visitor.get("/").expect(429, "challenge_required");
}

#[test]
fn a_mode_set_by_hand_outlasts_a_crash() {
    let origin = Origin::start("main");
    let mut verifier = Verifier::start(automatic(&origin));
    let visitor = from(&verifier, "203.0.113.9");
    let mode = operator(&verifier).request("POST", "/mode").body("application/json", "{\"mode\":\"on\"}").try_send();
    assert_eq!(mode.unwrap().status, 200);
    visitor.get("/").expect(429, "challenge_required");
    let file = verifier.directory().join("state/price");
    until_true(SOON, "that to be written", || {
        fs::read_to_string(&file).is_ok_and(|text| text.contains("\"mode\":\"on\""))
    });
    verifier.crash_and_restart();
    visitor.get("/").expect(429, "challenge_required");
}
