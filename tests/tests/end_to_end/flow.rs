//! One client drives everything by the protocol page alone.

use data_encoding::BASE64URL_NOPAD;
use serde_json::json;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::solver::Challenge;
use tests::stage::{Front, HOST, Stage};
use tests::verifier::Verifier;
use tests::visitor::{ask, buy, challenge, credits, endpoint, redeem, verify};

fn stage() -> Stage {
    Stage::new(Front::Proxy, Settings::new().set("challenge.count", 4).set("challenge.difficulty", 500))
}

#[test]
fn challenge_solution_cookie_origin() {
    let stage = stage();
    let client = stage.client();
    client.navigate("/news?page=2").expect_status(429);
    let challenge = challenge(&client, "/news?page=2");
    assert_eq!((challenge.count(), challenge.difficulty(), challenge.standing()), (4, 500, false));
    let reply = verify(&client, "/news?page=2", &challenge, &challenge.solve());
    reply.expect_status(200);
    assert_eq!(reply.json()["ok"], json!(true));
    assert_eq!(reply.json()["credits"].as_f64(), Some(100.0));
    let life = reply.json()["expires_in"].as_u64().unwrap();
    assert!((1795..=1800).contains(&life), "{life}");
    let cookie = reply.clearance().unwrap();
    let page = client.request("GET", "/news?page=2").cookie(&cookie).send();
    page.expect_status(200);
    assert!(page.text().contains("data-target=\"/news?page=2\""), "{}", page.text());
    assert_eq!(stage.origin.count("/news"), 1, "the origin saw the paid request and no other");
}

#[test]
fn the_cookie_says_where_and_how_long_it_is_good() {
    let stage = stage();
    let client = stage.client();
    let challenge = challenge(&client, "");
    let reply = verify(&client, "", &challenge, &challenge.solve());
    let cookie = reply.header("set-cookie").unwrap().to_ascii_lowercase();
    let parts = cookie.split(';').map(str::trim).skip(1).collect::<Vec<_>>();
    for part in ["httponly", "path=/", "samesite=lax", "max-age=2400"] {
        assert!(parts.contains(&part), "{part} in {cookie}");
    }
    assert!(!parts.contains(&"secure"), "plain HTTP: {cookie}");
    assert_eq!(reply.all("set-cookie").count(), 1);
}

#[test]
fn a_navigation_gets_a_page_in_place_and_a_program_gets_a_problem() {
    let stage = stage();
    let client = stage.client();
    let page = client.navigate("/somewhere");
    page.expect_status(429);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    let offered = Challenge::from_text(page.header("portcullis-challenge").unwrap());
    assert!(page.text().contains(&offered.text()), "the page carries the challenge of its header");
    assert!(page.header("location").is_none());

    let problem = client.get("/somewhere");
    problem.expect(429, "challenge_required");
    let fields = problem.json();
    assert_eq!(fields["challenge"].as_str(), problem.header("portcullis-challenge"));
    assert_eq!((&fields["difficulty"], &fields["count"]), (&json!(500), &json!(4)));
    assert_eq!(fields["algorithm"], json!("sha256"));
    assert_eq!(fields["status"], json!(429));
    redeem(&client, "/somewhere", &Challenge::from_text(fields["challenge"].as_str().unwrap()));
}

#[test]
fn a_script_that_accepts_html_is_not_a_navigation() {
    let stage = stage();
    let client = stage.client().with("Accept", "text/html");
    for (name, value) in [
        ("X-Requested-With", "XMLHttpRequest"),
        ("HX-Request", "true"),
        ("Turbo-Frame", "main"),
        ("Sec-Fetch-Mode", "cors"),
    ] {
        client.with(name, value).get("/").expect(429, "challenge_required");
    }
    let page = client.with("Sec-Fetch-Mode", "navigate").get("/");
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
}

#[test]
fn head_and_post_meet_the_gate_too() {
    let stage = stage();
    let client = stage.client();
    let head = client.request("HEAD", "/").send();
    head.expect_status(429);
    client.request("POST", "/submit").body("text/plain", "hello").send().expect(429, "challenge_required");
    client.request("DELETE", "/page/1").send().expect(429, "challenge_required");
    assert_eq!(stage.origin.seen().len(), 0);
}

#[test]
fn a_program_may_send_its_clearance_in_a_header() {
    let stage = stage();
    let client = stage.client();
    let cookie = buy(&client);
    let value = cookie.strip_prefix("portcullis=").unwrap();
    client.with("Portcullis-Clearance", value).get("/").expect_status(200);
    let seen = stage.origin.last();
    assert_eq!(seen.header("portcullis-clearance"), "", "the header is the gate's, not the origin's");
}

#[test]
fn the_origin_never_sees_the_gates_cookies_and_always_the_sites() {
    let stage = stage();
    let client = stage.client();
    let cookie = buy(&client);
    let all = format!("theme=dark; {cookie}; __Host-portcullis=x; portcullis-ticket=y; __Secure-portcullis=z; cart=3");
    client
        .request("GET", "/")
        .cookie(&all)
        .header("Cookie", "__Host-portcullis-return=w; last=1")
        .send()
        .expect_status(200);
    let seen = stage.origin.last().header("cookie");
    assert!(!seen.contains("portcullis"), "{seen}");
    for own in ["theme=dark", "cart=3", "last=1"] {
        assert!(seen.contains(own), "{own} in {seen}");
    }
}

#[test]
fn a_form_redeems_as_json_does() {
    let stage = stage();
    let client = stage.client();
    let challenge = challenge(&client, "");
    let form =
        format!("challenge={}&solution={}&extra=1", challenge.text(), BASE64URL_NOPAD.encode(&challenge.solve()));
    let reply = client.request("POST", &endpoint("verify", "")).body("application/x-www-form-urlencoded", form).send();
    reply.expect_status(200);
    client.request("GET", "/").cookie(&reply.clearance().unwrap()).send().expect_status(200);
}

#[test]
fn clearance_tells_before_the_page_leaves() {
    let stage = stage();
    let client = stage.client();
    assert_eq!(credits(&client, "", "/page/1"), None);
    let cookie = buy(&client);
    assert_eq!(credits(&client, &cookie, "/page/1"), Some(100.0));
    assert_eq!(credits(&client, &cookie, "/page/1"), Some(100.0), "asking is free");
    client.request("GET", "/page/1").cookie(&cookie).send().expect_status(200);
    assert_eq!(credits(&client, &cookie, "/page/1"), Some(99.0));
    let reply = client.request("GET", &endpoint("clearance", "/page/1")).cookie(&cookie).send();
    assert_eq!(reply.json()["price"], json!(2000));
}

#[test]
fn a_gate_that_is_off_asks_nothing_and_sells_nothing() {
    let mut stage = stage();
    let client = stage.client();
    let bought_before = challenge(&client, "");
    let visitor = client.clone();
    stage.verifier.reload(&[("mode", "off".into())], || ask(&visitor, "") == json!({"needed": false}));
    let reply = verify(&client, "", &bought_before, &bought_before.solve());
    reply.expect_status(200);
    assert_eq!(reply.json(), json!({"ok": true, "needed": false}));
    assert!(reply.clearance().is_none());
    let asked = client.get(&endpoint("clearance", "/"));
    assert_eq!((asked.status, asked.json()), (200, json!({"needed": false})));
    client.get("/").expect_status(200);
}

#[test]
fn cors_serves_the_same_site_and_nobody_else() {
    let stage = stage();
    let client = stage.client();
    let own = format!("http://{HOST}:{}", stage.verifier.port);
    let reply = client.with("Origin", &own).get(&endpoint("challenge", ""));
    assert_eq!(reply.header("access-control-allow-origin"), Some(own.as_str()));
    assert_eq!(reply.header("access-control-allow-credentials"), Some("true"));
    let exposed = reply.header("access-control-expose-headers").unwrap().to_ascii_lowercase();
    for name in ["portcullis-challenge", "portcullis-gate", "retry-after"] {
        assert!(exposed.contains(name), "{exposed}");
    }
    for stranger in ["http://evil.test", "null", "https://portcullis.test.evil.test"] {
        let reply = client.with("Origin", stranger).get(&endpoint("challenge", ""));
        assert!(reply.header("access-control-allow-origin").is_none(), "{stranger}: {reply:?}");
    }
}

#[test]
fn a_preflight_is_never_challenged() {
    let stage = stage();
    let preflight = |target: &str| {
        stage
            .client()
            .request("OPTIONS", target)
            .header("Origin", &format!("http://{HOST}:{}", stage.verifier.port))
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "content-type")
            .send()
    };
    let own = preflight("/.portcullis/verify");
    assert!(matches!(own.status, 200 | 204), "{own:?}");
    assert!(own.header("access-control-allow-methods").unwrap().contains("POST"), "{own:?}");
    assert!(
        own.header("access-control-allow-headers").unwrap().to_ascii_lowercase().contains("content-type"),
        "{own:?}"
    );
    let site = preflight("/api/things");
    assert!(site.is_from_origin(), "the site's own preflight is the site's to answer: {site:?}");
}

#[test]
fn the_command_line_buys_a_clearance_as_a_program_would() {
    let origin = Origin::start("main");
    let verifier = Verifier::start(Settings::new().site("main", &[], Some(&origin.url())));
    let output = verifier.command(&["solve", &format!("http://127.0.0.1:{}/", verifier.port)]);
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let cookie = printed.split_whitespace().find(|word| word.starts_with("portcullis="));
    let cookie = cookie.unwrap_or_else(|| panic!("{printed}")).trim_end_matches(';');
    verifier.client("127.0.0.1").request("GET", "/").cookie(cookie).send().expect_status(200);
    let nobody = verifier.command(&["solve", "http://127.0.0.1:9/"]);
    assert!(!nobody.status.success());
}
