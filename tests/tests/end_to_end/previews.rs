//! What fetchers of link previews get while they would be challenged.

use tests::client::Client;
use tests::settings::Settings;
use tests::stage::{Front, Stage};

through_both!(
    a_fetcher_gets_a_stub_with_the_sites_words_and_never_the_origin,
    only_so_many_a_second_and_only_for_reading
);

const AGENT: &str = "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)";

fn stage(front: Front, mode: &str) -> Stage {
    let preview =
        "title = \"Vote & more\"\ndescription = \"All about it\"\npicture = \"https://cdn.example.org/card.png\"";
    let preview = preview.parse::<toml::Table>().unwrap();
    Stage::with_site(front, Settings::new().set("mode", mode), |settings| settings.of_site("preview", preview))
}

fn fetcher(stage: &Stage) -> Client {
    stage.client().with("User-Agent", AGENT).with("Accept", "*/*")
}

fn a_fetcher_gets_a_stub_with_the_sites_words_and_never_the_origin(front: Front) {
    let stage = stage(front, "on");
    let stub = fetcher(&stage).get("/news/1?x=y");
    stub.expect_status(200);
    let text = stub.text();
    assert!(text.contains("og:title\" content=\"Vote &amp; more\""), "{text}");
    assert!(text.contains("og:image\" content=\"https://cdn.example.org/card.png\""), "{text}");
    assert!(stub.body.len() <= 1024 && !text.contains("news"), "{text}");
    assert_eq!(stub.header("x-robots-tag"), Some("noindex"));
    assert_eq!(stub.header("cache-control"), Some("no-store"));
    assert_eq!((stub.header("set-cookie"), stub.header("portcullis-challenge")), (None, None));
    assert_eq!(stage.origin.seen().len(), 0);
    stage.client().get("/news/1").expect(429, "challenge_required");
}

fn only_so_many_a_second_and_only_for_reading(front: Front) {
    let stage = stage(front, "on");
    let fetcher = fetcher(&stage);
    fetcher.request("POST", "/").body("text/plain", "x").send().expect(429, "challenge_required");
    let statuses: Vec<u16> = (0..60).map(|_| fetcher.get("/").status).collect();
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
    assert_eq!(stage.origin.seen().len(), 0);
}

#[test]
fn a_site_without_words_challenges_and_an_idle_gate_lets_the_page_itself_through() {
    let bare = Stage::new(Front::Proxy, Settings::new());
    fetcher(&bare).get("/").expect(429, "challenge_required");
    let idle = stage(Front::Proxy, "off");
    assert!(fetcher(&idle).get("/").is_from_origin());
}
