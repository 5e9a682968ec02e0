//! Programs that show a secret pass at a rate of their own.

use serde_json::json;
use tests::client::Client;
use tests::reply::Reply;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::{SOON, until};
use toml::{Table, Value};

through_both!(a_listed_secret_passes_at_its_own_rate_and_is_ordinary_beyond);

const SECRET: &str = "a-program-of-our-own-2026";
/// `printf %s a-program-of-our-own-2026 | sha256sum`
const DIGEST: &str = "3f037e7d7ad894a0be3a7a856e18af97c1e479b7d72c49627cba02387fc9ea93";

fn with_key(settings: Settings) -> Settings {
    let key = format!("name = \"payments\"\nheader = \"X-API-Key\"\nsha256 = \"{DIGEST}\"\nreserve_per_second = 5");
    settings.set("api_key", Value::Array(vec![Value::Table(key.parse::<Table>().unwrap())]))
}

fn stage(front: Front, settings: Settings) -> Stage {
    Stage::with_site(front, with_key(settings), |settings| settings.of_site("capacity_per_second", 100))
}

fn keyed(client: &Client, secret: &str) -> Reply {
    client.request("POST", "/submit").header("X-API-Key", secret).body("text/plain", "paid").send()
}

fn a_listed_secret_passes_at_its_own_rate_and_is_ordinary_beyond(front: Front) {
    let stage = stage(front, Settings::new().rule("path = \"/closed\"\naction = \"deny\""));
    let client = stage.client();
    for wrong in ["", "a-program-of-our-own-2025", "a-program-of-our-own-2026x"] {
        keyed(&client, wrong).expect(429, "challenge_required");
    }
    let twice = client.request("GET", "/").header("X-API-Key", SECRET).header("X-API-Key", SECRET).send();
    twice.expect(429, "challenge_required");
    keyed(&client, SECRET).expect_status(200);
    client.request("GET", "/closed").header("X-API-Key", SECRET).send().expect(403, "denied");
    let beyond =
        until(SOON, "its rate to be used up", || Some(keyed(&client, SECRET)).filter(|reply| reply.status != 200));
    beyond.expect(429, "challenge_required");
    until(SOON, "room at its rate", || Some(keyed(&client, SECRET)).filter(|reply| reply.status == 200));
    let admin = stage.verifier.admin();
    let metrics = admin.request("GET", "/metrics").try_send().unwrap().text();
    for name in ["unpaid_admitted_total", "unpaid_over_share_total"] {
        let line =
            metrics.lines().find(|line| line.starts_with(&format!("portcullis_{name}{{right=\"key\"}} "))).unwrap();
        assert!(!line.ends_with(" 0"), "{line}");
    }
    let status = admin.request("GET", "/status").try_send().unwrap().json();
    let key = &status["sites"][0]["unpaid"]["api_keys"][0];
    assert_eq!((&key["name"], &key["supply_credits_per_second"]), (&json!("payments"), &json!(5.0)), "{status}");
    let told = stage.verifier.command(&["check-config", "portcullis.toml"]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("API key `payments`: whoever shows it in x-api-key passes, 5 credits a second"), "{told}");
    for text in [stage.verifier.log(), metrics, status.to_string(), told] {
        assert!(!text.contains(SECRET) && !text.contains(DIGEST), "{text}");
    }
}

#[test]
fn a_key_opens_what_asks_for_work_at_any_time() {
    let settings = Settings::new().set("mode", "auto").rule("path = \"/login\"\naction = \"challenge\"");
    let stage = stage(Front::Proxy, settings);
    let client = stage.client();
    client.get("/login").expect(429, "challenge_required");
    client.request("GET", "/login").header("X-API-Key", SECRET).send().expect_status(200);
}
