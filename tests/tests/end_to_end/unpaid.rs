//! What passes unpaid while others pay, and what is dropped beside a web server.

use std::time::Instant;

use serde_json::json;
use tests::client::Client;
use tests::reply::Reply;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::visitor::{buy, credits};
use tests::wait::{SOON, until};

through_both!(
    an_allowed_path_beyond_the_share_pays_like_any_other,
    a_preflight_beyond_the_share_is_told_to_come_back_and_never_challenged,
);

fn stage(front: Front, settings: Settings, capacity: i64) -> Stage {
    Stage::with_site(front, settings, |settings| settings.of_site("capacity_per_second", capacity))
}

/// Asks until the answer is another one than at first.
fn until_refused(mut ask: impl FnMut() -> Reply) -> Reply {
    assert_eq!(ask().status, 200);
    until(SOON, "the share to be used up", || Some(ask()).filter(|reply| reply.status != 200))
}

fn an_allowed_path_beyond_the_share_pays_like_any_other(front: Front) {
    let settings = Settings::new().rule("path = \"/feed\"\naction = \"allow\"");
    let stage = stage(front, settings, 10);
    let client = stage.client();
    let cookie = buy(&client);
    let refused = until_refused(|| client.get("/feed"));
    refused.expect(429, "challenge_required");
    client.request("GET", "/feed").cookie(&cookie).send().expect_status(200);
    assert!(credits(&client, &cookie, "/").unwrap() < 100.0, "it was charged");
    // After a second there is room again, and nobody pays.
    until(SOON, "room in the share", || Some(client.get("/feed")).filter(|reply| reply.status == 200));
    let metrics = stage.verifier.admin().request("GET", "/metrics").try_send().unwrap().text();
    let count = |name: &str| {
        let start = format!("portcullis_{name}{{right=\"allowed\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&start)?.parse::<u64>().ok()).unwrap()
    };
    assert!(count("unpaid_admitted_total") > 0 && count("unpaid_over_share_total") > 0, "{metrics}");
    let status = stage.verifier.admin().request("GET", "/status").try_send().unwrap().json();
    let share = &status["sites"][0]["unpaid"];
    assert_eq!(share["supply_credits_per_second"], json!(1.0), "{status}");
    assert!(share["admitted"].as_u64() > Some(0) && share["refused"].as_u64() > Some(0), "{status}");
}

fn a_preflight_beyond_the_share_is_told_to_come_back_and_never_challenged(front: Front) {
    let stage = stage(front, Settings::new(), 10);
    let client = stage.client();
    let preflight = || {
        client
            .request("OPTIONS", "/api")
            .header("Origin", "http://elsewhere.test")
            .header("Access-Control-Request-Method", "POST")
            .send()
    };
    let refused = until_refused(preflight);
    refused.expect(503, "overloaded");
    assert!(refused.header("portcullis-challenge").is_none(), "{refused:?}");
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((2..=8).contains(&wait), "{wait}");
}

#[test]
fn a_reserve_holds_while_the_share_is_flooded() {
    let settings = Settings::new()
        .set("beside", "proxy")
        .set("trusted_proxies", vec!["127.0.0.1/32"])
        .rule("path = \"/feed\"\naction = \"allow\"")
        .rule("path = \"/callback\"\naction = \"allow\"\nreserve_per_second = 5");
    let stage = stage(Front::Proxy, settings, 10);
    let from = |address: &str| stage.client().with("X-Forwarded-Proto", "http").with("X-Forwarded-For", address);
    let flood: Vec<Client> = (0..20).map(|number| from(&format!("198.{number}.100.7"))).collect();
    let bank = from("203.0.113.9");
    let (mut refused, mut served) = (0, 0);
    let begun = Instant::now();
    // Two calls a second, and as much of the flood as comes between them.
    while served < 12 {
        refused += flood.iter().filter(|client| client.get("/feed").status == 429).count();
        if begun.elapsed().as_secs_f64() * 2.0 >= f64::from(served) {
            bank.get(&format!("/callback?{served}")).expect_status(200);
            served += 1;
        }
    }
    assert!(refused > 100, "{refused}");
}

/// A navigation with a clearance.
fn navigate(client: &Client, cookie: &str) -> Reply {
    client.request("GET", "/").header("Accept", "text/html,*/*;q=0.8").cookie(cookie).send()
}

#[test]
fn beside_nginx_what_is_paid_beyond_the_capacity_gets_a_page_that_tries_again_by_itself() {
    let stage = stage(Front::Nginx, Settings::new(), 10);
    let client = stage.client();
    let cookie = buy(&client);
    let busy = until_refused(|| navigate(&client, &cookie));
    busy.expect_status(503);
    let wait: u32 = busy.header("retry-after").unwrap().parse().unwrap();
    assert!((2..=8).contains(&wait), "{wait}");
    assert!(busy.header("portcullis-challenge").is_none() && busy.all("set-cookie").count() == 0, "{busy:?}");
    assert!(busy.text().contains(&format!("<meta http-equiv=\"refresh\" content=\"{wait}\">")), "{}", busy.text());
    assert!(busy.text().contains("tries again by itself"), "{}", busy.text());
    assert!(busy.header("content-security-policy").unwrap().contains("default-src 'none'"));
    let until_busy =
        |ask: &dyn Fn() -> Reply| until(SOON, "no room", || Some(ask()).filter(|reply| reply.status != 200));
    let program = until_busy(&|| client.request("GET", "/").cookie(&cookie).send());
    program.expect(503, "overloaded");
    let form = until_busy(&|| {
        client
            .request("POST", "/submit")
            .header("Accept", "text/html")
            .cookie(&cookie)
            .body("text/plain", "typed")
            .send()
    });
    form.expect_status(503);
    assert!(!form.text().contains("http-equiv") && form.text().contains("go back to your form"), "{}", form.text());
    // What was dropped came back, and after a moment there is room.
    until(SOON, "room again", || Some(navigate(&client, &cookie)).filter(|reply| reply.status == 200));
    let served = f64::from(u32::try_from(stage.origin.count("/")).unwrap());
    let left = credits(&client, &cookie, "/").unwrap();
    assert!(100.0 - left >= served - 1.0 && left > 0.0, "{left} left after {served} pages");
}

#[test]
fn a_stranger_cannot_say_busy_and_a_flood_that_pays_nothing_makes_nobody_wait() {
    let stage = stage(Front::Nginx, Settings::new(), 10);
    let client = stage.client();
    let busy = client.request("GET", "/").header("X-Portcullis-Gate", "busy").header("Accept", "text/html").send();
    busy.expect_status(429);
    let cookie = buy(&client);
    for _ in 0..200 {
        client.get("/").expect(429, "challenge_required");
    }
    navigate(&client, &cookie).expect_status(200);
}
