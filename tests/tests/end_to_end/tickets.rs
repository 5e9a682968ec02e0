//! Tickets of browsers without script, over real sockets and by their cookie alone (PROTOCOL §8).

use serde_json::json;
use tests::client::Client;
use tests::reply::Reply;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::visitor::{buy, challenge, credits, verify};
use tests::wait::{SOON, until};

through_both!(a_ticket_opens_the_site_after_its_wait_and_not_before, a_form_that_meets_the_gate_is_not_fetched_again,);

fn settings() -> Settings {
    Settings::new().set("ticket.wait_seconds", 2)
}

/// A site of which it is known what it can do: a tenth of that is for what passes unpaid.
fn stage(front: Front, settings: Settings) -> Stage {
    Stage::with_site(front, settings, |settings| settings.of_site("capacity_per_second", 100))
}

/// `name=value` of the ticket that an answer brings.
fn ticket(reply: &Reply) -> Option<String> {
    let cookie = reply.all("set-cookie").find(|cookie| cookie.starts_with("portcullis-ticket="))?;
    cookie.split(';').next().map(str::to_owned)
}

fn navigate(client: &Client, target: &str, cookie: &str) -> Reply {
    client.request("GET", target).header("Accept", "text/html,*/*;q=0.8").cookie(cookie).send()
}

/// Asks until the site itself answers.
fn until_open(client: &Client, target: &str, cookie: &str) -> Reply {
    until(SOON, "the site to open", || Some(navigate(client, target, cookie)).filter(|reply| reply.status == 200))
}

fn a_ticket_opens_the_site_after_its_wait_and_not_before(front: Front) {
    let stage = stage(front, settings());
    let client = stage.client();
    let page = navigate(&client, "/news", "");
    page.expect_status(429);
    assert!(page.text().contains("<meta http-equiv=refresh content=2>"), "{}", page.text());
    assert!(page.text().contains("Without JavaScript you wait instead"), "{}", page.text());
    let cookie = page.all("set-cookie").next().unwrap().to_ascii_lowercase();
    let parts: Vec<&str> = cookie.split(';').map(str::trim).skip(1).collect();
    assert_eq!(parts, ["path=/", "max-age=602", "httponly", "samesite=lax"]);
    let held = ticket(&page).unwrap();
    let early = navigate(&client, "/news", &held);
    early.expect_status(429);
    assert_eq!(ticket(&early), None, "whoever waits is given no second one");
    assert!(early.text().contains("content=1>") || early.text().contains("content=2>"), "{}", early.text());
    until_open(&client, "/news", &held);
    let seen = stage.origin.last();
    assert_eq!(seen.target, "/news");
    if front == Front::Proxy {
        assert_eq!(seen.header("cookie"), "", "the site does not see it");
    }
    let picture = client.request("GET", "/static/a.svg").cookie(&held).send();
    picture.expect_status(200);
    let form = client.request("POST", "/submit").cookie(&held).body("text/plain", "typed").send();
    assert!(form.status == 200 && form.text().contains("typed"), "{form:?}");
    client.get("/news").expect(429, "challenge_required");
}

fn a_form_that_meets_the_gate_is_not_fetched_again(front: Front) {
    let stage = stage(front, settings());
    let client = stage.client();
    let page = client.request("POST", "/submit").header("Accept", "text/html").body("text/plain", "typed").send();
    page.expect_status(429);
    assert!(!page.text().contains("http-equiv=refresh"), "{}", page.text());
    assert!(page.text().contains("please go back to your form, wait about 2 seconds"), "{}", page.text());
    let held = ticket(&page).unwrap();
    until_open(&client, "/form", &held);
    let sent = client.request("POST", "/submit").cookie(&held).body("text/plain", "typed").send();
    assert!(sent.status == 200 && sent.text().contains("typed"), "{sent:?}");
}

#[test]
fn programs_and_idle_gates_and_unknown_capacities_give_none() {
    let stage = stage(Front::Proxy, settings());
    let client = stage.client();
    let program = client.get("/");
    program.expect(429, "challenge_required");
    assert_eq!(program.all("set-cookie").count(), 0, "{program:?}");
    for (key, value) in [("ticket.wait_seconds", toml::Value::from(0)), ("mode", "off".into())] {
        let idle = self::stage(Front::Proxy, settings().set(key, value));
        let reply = idle.client().navigate("/");
        assert_eq!(reply.all("set-cookie").count(), 0, "{key}: {reply:?}");
        assert!(!reply.text().contains("http-equiv=refresh"), "{key}");
    }
    let unknown = Stage::new(Front::Proxy, settings());
    let reply = unknown.client().navigate("/");
    assert_eq!((reply.status, reply.all("set-cookie").count()), (429, 0));
    assert!(reply.text().contains("The calculation needs JavaScript"), "{}", reply.text());
}

#[test]
fn a_ticket_is_no_clearance() {
    let stage = stage(Front::Proxy, settings());
    let client = stage.client();
    let held = ticket(&client.navigate("/")).unwrap();
    until_open(&client, "/", &held);
    assert_eq!(credits(&client, &held, "/"), None, "the script asks for a clearance all the same");
    let value = held.split_once('=').unwrap().1;
    for name in ["portcullis", "__Host-portcullis"] {
        client.request("GET", "/").cookie(&format!("{name}={value}")).send().expect(429, "challenge_required");
    }
    client.request("GET", "/").header("Portcullis-Clearance", value).send().expect(429, "challenge_required");
    let body = json!({"challenge": value, "solution": "AAAAAAAAAAA"}).to_string();
    let reply = client.request("POST", "/.portcullis/verify").body("application/json", body).send();
    reply.expect(400, "malformed");
    // Nor the other way round.
    let clearance = buy(&client);
    let as_ticket = clearance.replace("portcullis=", "portcullis-ticket=");
    client.request("GET", "/").cookie(&as_ticket).send().expect(429, "challenge_required");
    let text = challenge(&client, "").text();
    client.request("GET", "/").cookie(&format!("portcullis-ticket={text}")).send().expect(429, "challenge_required");
}

#[test]
fn who_solves_after_all_gives_the_ticket_back() {
    let stage = stage(Front::Proxy, settings());
    let client = stage.client();
    let held = ticket(&client.navigate("/")).unwrap();
    let challenge = challenge(&client, "");
    let reply = verify(&client.with("Cookie", &held), "", &challenge, &challenge.solve());
    reply.expect_status(200);
    let cookies: Vec<&str> = reply.all("set-cookie").collect();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    assert_eq!(cookies[1], "portcullis-ticket=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
}

#[test]
fn over_https_the_cookie_belongs_to_this_very_host() {
    let settings = settings().set("beside", "proxy").set("trusted_proxies", vec!["127.0.0.1/32"]);
    let stage = stage(Front::Proxy, settings);
    let client = stage.client().with("X-Forwarded-Proto", "https").with("X-Forwarded-For", "203.0.113.9");
    let page = client.navigate("/");
    let cookie = page.header("set-cookie").unwrap().to_owned();
    assert!(cookie.starts_with("__Host-portcullis-ticket=") && cookie.ends_with("; Secure"), "{cookie}");
    let held = cookie.split(';').next().unwrap();
    until_open(&client, "/", held);
    let tossed = held.replace("__Host-", "");
    client.request("GET", "/").cookie(&tossed).send().expect(429, "challenge_required");
    assert!(!stage.origin.last().header("cookie").contains("ticket"));
}

#[test]
fn a_strict_ticket_is_refused_elsewhere_and_another_sites_everywhere() {
    let settings =
        settings().set("beside", "proxy").set("trusted_proxies", vec!["127.0.0.1/32"]).set("clearance.bind", "strict");
    let stage = Stage::with_site(Front::Proxy, settings, |settings| {
        let origin = tests::origin::Origin::start("other").url();
        settings
            .of_site("capacity_per_second", 100)
            .site("other", &["other.test"], Some(&origin))
            .of_site("capacity_per_second", 100)
    });
    let from = |address: &str| stage.client().with("X-Forwarded-Proto", "http").with("X-Forwarded-For", address);
    let held = ticket(&from("203.0.113.9").navigate("/")).unwrap();
    until_open(&from("203.0.113.9"), "/", &held);
    until_open(&from("203.0.113.200"), "/", &held);
    navigate(&from("203.0.114.9"), "/", &held).expect_status(429);
    navigate(&from("203.0.113.9").for_host("other.test"), "/", &held).expect_status(429);
    assert_eq!(stage.client().host().split(':').next(), Some(HOST));
}

#[test]
fn a_crowd_of_tickets_from_one_network_takes_no_more_than_a_tenth() {
    let stage = stage(Front::Proxy, settings());
    let client = stage.client();
    let held: Vec<String> = (0..50).map(|_| ticket(&client.navigate("/")).unwrap()).collect();
    until_open(&client, "/", held.last().unwrap());
    let begun = std::time::Instant::now();
    let opened = (0..400).filter(|number| navigate(&client, "/", &held[number % 50]).status == 200).count();
    let seconds = begun.elapsed().as_secs_f64().ceil();
    // Ten a second, a second of it in advance, and the second that was begun.
    assert!(f64::from(u32::try_from(opened).unwrap()) <= 10.0 * (seconds + 2.0) + 1.0, "{opened} in {seconds} s");
    assert!(opened < 400, "and some were refused");
    let crowded = until(SOON, "a page for which there is no room", || {
        Some(navigate(&client, "/", &held[0])).filter(|reply| reply.status == 429)
    });
    assert_eq!(ticket(&crowded), None);
    assert!(crowded.text().contains("http-equiv=refresh"), "{}", crowded.text());
}
