//! The gate's page in the visitor's language, and in another one that the visitor chooses.

use std::path::Path;

use serde_json::{Value, json};
use tests::browser::{Browser, Traits, keys};
use tests::engine::Engine;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::SOON;

/// A price at which the page stays while somebody looks at it.
fn stage() -> Stage {
    let settings = Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", 10_000_000)
        .set("challenge.max_solve_seconds", 240);
    Stage::new(Front::Proxy, settings)
}

/// What the files say, by tag.
fn languages() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../www/languages");
    let files = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    files
        .map(|file| {
            let words = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            (file.file_stem().unwrap().to_string_lossy().into_owned(), words)
        })
        .collect()
}

fn solving(browser: &Browser) {
    browser.wait(SOON, "it to solve", "return document.documentElement.dataset.state === 'solving'");
}

#[test]
fn the_page_comes_in_every_language_and_within_its_bytes() {
    let stage = stage();
    // One network that asks so often in a second gets the small page.
    for (third, (tag, words)) in (1..).zip(languages()) {
        let (list, client) = (format!("{tag}-XX, sw;q=0.5"), stage.client().in_network(9, third));
        let page = client.request("GET", "/").header("Accept", "text/html").header("Accept-Language", &list).send();
        let html = page.text();
        let direction = words["direction"].as_str().unwrap();
        assert!(html.contains(&format!("<html lang=\"{tag}\" dir=\"{direction}\">")), "{html}");
        assert!(html.contains(&format!("/.portcullis/gate-{tag}.")), "{html}");
        let title = words["title"].as_str().unwrap().replace('\'', "&#39;");
        assert!(html.contains(&format!("<title>{title}</title>")), "{html}");
        assert!(html.len() <= 4096, "{tag}: {} bytes", html.len());
        assert!(page.header("vary").unwrap().contains("Accept-Language"), "{page:?}");
    }
}

#[test]
fn the_small_page_comes_in_every_language_and_within_its_bytes() {
    let stage = stage();
    let client = stage.client();
    for (tag, _) in languages() {
        let page = || client.request("GET", "/").header("Accept", "text/html").header("Accept-Language", &tag).send();
        let small = (0..60).map(|_| page()).find(|page| !page.text().contains("id=\"card\"")).expect("a small page");
        let html = small.text();
        assert!(html.len() <= 640, "{tag}: {} bytes: {html}", html.len());
        assert!(html.contains(&format!("<html lang={tag} ")), "{html}");
    }
}

#[test]
fn a_visitor_loads_the_words_of_one_language() {
    let stage = stage();
    let browser = Browser::start();
    browser.cdp("Network.enable", &json!({}));
    browser.cdp("Network.setExtraHTTPHeaders", &json!({"headers": {"Accept-Language": "ar,en;q=0.5"}}));
    browser.open(&stage.url("/"));
    solving(&browser);
    assert_eq!(browser.script("return [document.documentElement.lang, document.documentElement.dir].join()"), "ar,rtl");
    // Text begins where the language begins, and the bar grows from there.
    let sides = "const l = document.querySelector('#lead').getBoundingClientRect(), c = document.querySelector('#card').getBoundingClientRect();\
                 const b = document.querySelector('#action').getBoundingClientRect();\
                 return [Math.abs(c.right - b.right - (c.right - l.right)) < 2, document.documentElement.scrollWidth <= innerWidth]";
    assert_eq!(browser.script(sides), json!([true, true]));
    let words =
        stage.relay.requests().into_iter().filter(|line| line.contains("texts-") || line.contains("languages."));
    assert_eq!(words.count(), 0, "{:?}", stage.relay.requests());
    let scripts = stage.relay.requests().into_iter().filter(|line| line.contains("/.portcullis/gate-"));
    assert!(scripts.clone().all(|line| line.contains("gate-ar.")) && scripts.count() > 0);
}

#[test]
fn chromium_changes_the_language_by_keyboard_alone() {
    changes_by_keyboard(Engine::Chromium);
}

#[test]
fn firefox_changes_the_language_by_keyboard_alone() {
    changes_by_keyboard(Engine::Firefox);
}

#[test]
fn webkit_changes_the_language_by_keyboard_alone() {
    changes_by_keyboard(Engine::WebKitGtk);
}

/// Tab to the control, open the list, take Hebrew: all words change while the page goes on, and the next page has them too.
fn changes_by_keyboard(engine: Engine) {
    let stage = stage();
    let browser = Browser::of(engine, Traits::default());
    browser.open(&stage.url("/"));
    solving(&browser);
    let focused = |id: &str| browser.script("return document.activeElement.id") == json!(id);
    let reached = (0..4).any(|_| {
        browser.press(keys::TAB);
        focused("language")
    });
    assert!(reached, "the control can be reached by Tab");
    browser.press(keys::ENTER);
    browser.wait(SOON, "the list", "return document.activeElement.matches('select#language')");
    let solved = "return Number(document.querySelector('#progress').value)";
    let before = browser.script(solved).as_f64();
    // As a person types ahead in a list.
    browser.press("עב");
    browser.press(keys::ENTER);
    browser.wait(SOON, "Hebrew", "return document.documentElement.lang === 'he'");
    let hebrew = &languages().into_iter().find(|(tag, _)| tag == "he").unwrap().1;
    let said = "const text = (id) => document.querySelector(id).textContent;\
                return [document.documentElement.dir, document.title, text('#title'), text('#lead'), text('#action')]";
    let expected = json!(["rtl", hebrew["title"], hebrew["title"], hebrew["lead"], hebrew["cancel"]]);
    assert_eq!(browser.script(said), expected);
    assert!(browser.script(solved).as_f64() >= before, "nothing of the work is lost");
    let pages = stage.relay.requests().into_iter().filter(|line| line == "GET /");
    assert_eq!(pages.count(), 1, "the page stays");
    browser.open(&stage.url("/page/1"));
    browser.wait(SOON, "Hebrew again", "return document.documentElement.lang === 'he'");
    assert_eq!(browser.notes("violation"), Vec::<String>::new());
}

#[test]
fn what_is_seldom_said_is_fetched_and_said_in_the_visitors_language() {
    let settings = Settings::new().set("challenge.count", 8).set("challenge.difficulty", 100);
    let stage = Stage::new(Front::Proxy, settings);
    let browser = Browser::with(Traits { without_cookies: true, ..Traits::default() });
    browser.cdp("Network.enable", &json!({}));
    browser.cdp("Network.setExtraHTTPHeaders", &json!({"headers": {"Accept-Language": "de"}}));
    browser.open(&stage.url("/page/0"));
    browser.wait(SOON, "the page to say so", "return document.documentElement.dataset.failure === 'cookies'");
    let text = browser.script("return document.body.innerText").to_string();
    assert!(text.contains("Ihr Browser hat das Cookie nicht behalten"), "{text}");
    assert_eq!(stage.relay.count("GET /.portcullis/texts-de."), 1);
}
