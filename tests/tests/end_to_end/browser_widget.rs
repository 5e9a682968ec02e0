//! The widget for forms: it gets a token for the form it stands in, and the form's back end finds it good.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tests::axe;
use tests::browser::{Browser, Traits, keys};
use tests::client::Client;
use tests::engine::Engine;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::wait::{SOON, until_true};

pub(super) const SECRET: &str = "what only the back end of the form has";
const TEST_SECRETS: [(&str, &str); 3] =
    [("pass", "the secret that passes"), ("fail", "the secret that fails"), ("used", "the secret that is used")];
/// A page of another origin.
const ELSEWHERE: &str = "elsewhere.test";
pub(super) const TAG: &str = "<script src=\"/.portcullis/portcullis.js\" defer></script>";
const WIDGET: &str = "<form method=post action=\"/submit\"><label>Text <input name=text id=text></label>\
     <div class=portcullis data-sitekey=contact data-action=sign-up data-cdata=42></div>\
     <button id=send>Send</button></form>";
pub(super) const TOKEN: &str = "return document.querySelector('[name=portcullis-response]')?.value";

through_both!(
    the_field_is_filled_and_the_back_end_finds_the_token_good_once,
    the_script_of_another_service_is_replaced_by_its_address_alone,
);

pub(super) fn settings() -> Settings {
    let digest = |secret: &str| HEXLOWER.encode(&Sha256::digest(secret));
    let settings = Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", 2_000)
        .rule("path = \"/files/**\"\naction = \"allow\"")
        .site_key(&format!("key = \"contact\"\nsha256 = \"{}\"", digest(SECRET)))
        .site_key(&format!("key = \"shop\"\nhosts = [\"{ELSEWHERE}\"]\nsha256 = \"{}\"", digest("of the shop")));
    TEST_SECRETS.iter().fold(settings, |settings, (test, secret)| {
        settings.site_key(&format!("key = \"{test}\"\ntest = \"{test}\"\nsha256 = \"{}\"", digest(secret)))
    })
}

pub(super) fn page(head: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8><title>A form</title>{head}</head>\
         <body><main id=origin data-target=page><h1>A form</h1>{body}</main></body></html>"
    )
}

/// The site with a page of its own, and a browser that has opened it.
pub(super) struct Scene {
    pub(super) stage: Stage,
    pub(super) browser: Browser,
    pub(super) folder: TempDir,
}

impl Scene {
    pub(super) fn of(front: Front, settings: Settings, browser: Browser, head: &str, body: &str) -> Self {
        let stage = Stage::new(front, settings);
        let folder = TempDir::new().unwrap();
        stage.origin.offer(folder.path());
        let scene = Self { stage, browser, folder };
        scene.open(head, body);
        scene
    }

    fn open(&self, head: &str, body: &str) {
        std::fs::write(self.folder.path().join("page.html"), page(head, body)).unwrap();
        self.browser.open(&self.stage.url("/files/page.html"));
        self.browser.wait_for_origin(SOON);
    }

    #[track_caller]
    pub(super) fn token(&self) -> String {
        self.browser.wait(2 * SOON, "a token", TOKEN).as_str().unwrap().to_owned()
    }

    fn ask(&self, secret: &str, token: &str) -> Value {
        ask(&self.stage.client(), secret, token)
    }
}

/// As a back end does.
pub(super) fn ask(client: &Client, secret: &str, token: &str) -> Value {
    let question = json!({"secret": secret, "response": token}).to_string();
    client.request("POST", "/.portcullis/siteverify").body("application/json", question).send().json()
}

/// The form with the widget, filled in and sent.
fn sent(scene: &Scene) {
    let token = scene.token();
    scene.browser.type_text("#text", "typed");
    scene.browser.click("#send");
    let echo = scene.browser.wait(SOON, "the form's answer", "return document.querySelector('#echo')?.textContent");
    assert_eq!(echo, json!(format!("text=typed&portcullis-response={token}")));
    let answer = scene.ask(SECRET, &token);
    assert_eq!(
        (&answer["success"], &answer["hostname"], &answer["action"], &answer["cdata"]),
        (&json!(true), &json!(HOST), &json!("sign-up"), &json!("42")),
        "{answer}"
    );
    assert_eq!(scene.ask(SECRET, &token)["error-codes"], json!(["timeout-or-duplicate"]));
}

fn the_field_is_filled_and_the_back_end_finds_the_token_good_once(front: Front) {
    let scene = Scene::of(front, settings(), Browser::with(Traits::default()), TAG, WIDGET);
    sent(&scene);
    assert_eq!(scene.browser.notes("violation"), [""; 0]);
    assert_eq!(scene.stage.relay.count("GET /.portcullis/tag-"), 0, "English words come with it");
}

/// Everything else that is claimed of it, one after the other in the same browser.
fn in_all_respects(engine: Engine) {
    let claims: [fn(Browser) -> Browser; 8] = [
        |browser| in_the_place_of_another(Front::Proxy, browser),
        rendered_by_scripts,
        executed_by_a_call,
        replaced_when_too_old,
        tried_again_by_keyboard,
        speaking_languages,
        under_a_strict_policy,
        keys_for_tests,
    ];
    claims.into_iter().fold(Browser::of(engine, Traits::default()), |browser, claim| claim(browser));
}

#[test]
fn firefox_does_all_that_chromium_does() {
    in_all_respects(Engine::Firefox);
}

#[test]
fn webkit_does_all_that_chromium_does() {
    in_all_respects(Engine::WebKitGtk);
}

#[test]
fn every_engine_fills_it() {
    for engine in Engine::ALL {
        sent(&Scene::of(Front::Proxy, settings(), Browser::of(engine, Traits::default()), TAG, WIDGET));
    }
}

fn the_script_of_another_service_is_replaced_by_its_address_alone(front: Front) {
    in_the_place_of_another(front, Browser::with(Traits::default()));
}

fn in_the_place_of_another(front: Front, browser: Browser) -> Browser {
    // nginx has written our own tag into the page already.
    let head = format!(
        "{TAG}<script>globalThis.told = []; globalThis.begun = () => told.push('begun'); \
         globalThis.gotten = (token) => told.push(token);</script>\
         <script src=\"/.portcullis/portcullis.js?compat=turnstile&onload=begun\" async defer></script>"
    );
    let body = "<form><div class=cf-turnstile data-sitekey=contact data-callback=gotten></div></form>";
    let scene = Scene::of(front, settings(), browser, &head, body);
    let field = "return document.querySelector('form [name=cf-turnstile-response]')?.value";
    let token = scene.browser.wait(SOON, "a token", field);
    assert_eq!(scene.browser.script("return told"), json!(["begun", token]));
    assert_eq!(scene.browser.script("return turnstile.getResponse()"), token);
    assert_eq!(scene.browser.script(TOKEN), Value::Null, "one field, by the name that the back end looks for");
    assert_eq!(scene.ask(SECRET, token.as_str().unwrap())["success"], json!(true));
    scene.browser
}

#[test]
fn scripts_render_read_reset_and_remove_it() {
    rendered_by_scripts(Browser::with(Traits::default()));
}

fn rendered_by_scripts(browser: Browser) -> Browser {
    let head = "<script>globalThis.told = []; globalThis.begun = () => told.push(typeof portcullis.render);</script>\
         <script src=\"/.portcullis/portcullis.js?onload=begun&render=explicit\" defer></script>";
    let body = "<form><div class=portcullis data-sitekey=contact></div><div id=place></div></form>";
    let scene = Scene::of(Front::Proxy, settings(), browser, head, body);
    let browser = &scene.browser;
    browser.wait(SOON, "the page's own function", "return told.length > 0");
    assert_eq!(browser.script("return told"), json!(["function"]));
    browser.script(
        "document.addEventListener('portcullis-solved', ({detail}) => told.push(detail)); \
         portcullis.ready(() => told.push('ready')); \
         window.id = portcullis.render('#place', {sitekey: 'contact', 'response-field-name': 'mine', \
           callback: (token) => (window.last = token)})",
    );
    let own = "return document.querySelector('#place [name=mine]')?.value";
    let first = browser.wait(SOON, "a token", own);
    assert_eq!(browser.script("return told.slice(1)"), json!(["ready", first]), "and the event bubbles");
    assert_eq!(
        browser.script("return [last, portcullis.getResponse(id), portcullis.getResponse('#place')]"),
        json!([first, first, first])
    );
    assert_eq!(browser.script("return portcullis.isExpired(id)"), json!(false));
    assert_eq!(browser.script(TOKEN), Value::Null, "what is to be rendered by hand is not rendered by itself");

    browser.script("portcullis.reset(id)");
    browser.wait(SOON, "another token", "return last !== told[2] && portcullis.getResponse(id) === last");
    browser.script("portcullis.remove(id)");
    browser.wait(SOON, "nothing left of it", "return document.querySelector('#place').childNodes.length === 0");
    assert_eq!(browser.script("return portcullis.getResponse(id) ?? null"), Value::Null);
    let refused = browser.script("try { portcullis.render('#nowhere') } catch (error) { return error.name }");
    assert_eq!(refused, json!("TypeError"));
    scene.browser
}

#[test]
fn it_waits_for_a_call_where_it_is_told_to() {
    executed_by_a_call(Browser::with(Traits::default()));
}

fn executed_by_a_call(browser: Browser) -> Browser {
    let body =
        "<form><div class=portcullis data-sitekey=contact data-execution=execute data-size=flexible></div></form>";
    let scene = Scene::of(Front::Proxy, settings(), browser, TAG, body);
    let state = "return document.querySelector('.portcullis-box')?.dataset.state";
    assert_eq!(scene.browser.wait(SOON, "the widget", state), json!("idle"));
    assert_eq!(scene.stage.relay.count("GET /.portcullis/challenge"), 0);
    scene.browser.script("portcullis.execute()");
    let token = scene.token();
    assert_eq!(scene.ask(SECRET, &token)["success"], json!(true));
    scene.browser.script("portcullis.reset()");
    scene.browser.wait(SOON, "idle again", "return document.querySelector('.portcullis-box').dataset.state === 'idle'");
    assert_eq!(scene.browser.script(TOKEN), json!(""));
    scene.browser
}

#[test]
fn a_token_that_is_too_old_is_taken_back_and_replaced() {
    replaced_when_too_old(Browser::with(Traits::default()));
}

fn replaced_when_too_old(browser: Browser) -> Browser {
    // The five minutes of a token's life are a second, the first time.
    let head = format!(
        "<script>{{ const native = setTimeout; let shortened = 0; globalThis.setTimeout = (act, ms, ...given) => \
           native(act, ms > 200000 && !shortened++ ? 1000 : ms, ...given); }} \
         globalThis.told = []; globalThis.gotten = (token) => told.push(token); \
         globalThis.old = () => told.push([portcullis.isExpired(), portcullis.getResponse()]); \
         globalThis.wakeAfter = (ms) => {{ const native = Date.now; Date.now = () => native() + ms; \
           document.dispatchEvent(new Event('visibilitychange')); }};</script>{TAG}"
    );
    let body =
        "<form><div class=portcullis data-sitekey=contact data-callback=gotten data-expired-callback=old></div></form>";
    let scene = Scene::of(Front::Proxy, settings(), browser, &head, body);
    scene.browser.wait(2 * SOON, "a second token", "return told.length === 3");
    assert_eq!(scene.browser.script("return told[1]"), json!([true, ""]));
    assert_eq!(scene.browser.script("return told[0] !== told[2] && portcullis.getResponse() === told[2]"), json!(true));

    // While the machine sleeps, timers do.
    scene.browser.script("wakeAfter(600000)");
    scene.browser.wait(2 * SOON, "a third token", "return told.length === 5");
    assert_eq!(scene.browser.script("return told[3]"), json!([true, ""]));

    let by_hand = body.replace("data-callback", "data-refresh-expired=never data-callback");
    scene.open(&head, &by_hand);
    scene.browser.wait(SOON, "it to be too old", "return told.length === 2");
    let state = "return [document.querySelector('.portcullis-box').dataset.state, portcullis.isExpired()]";
    assert_eq!(scene.browser.script(state), json!(["expired", true]));
    scene.browser.click(".portcullis-box button");
    scene.browser.wait(SOON, "a second token", "return told.length === 3 && portcullis.getResponse()");
    scene.browser
}

#[test]
fn what_goes_wrong_is_said_and_tried_again_by_keyboard() {
    tried_again_by_keyboard(Browser::with(Traits::default()));
}

fn tried_again_by_keyboard(browser: Browser) -> Browser {
    let head = format!("<script>globalThis.told = []; globalThis.wrong = (code) => told.push(code);</script>{TAG}");
    let body = "<form><div class=portcullis data-sitekey=nobodys data-error-callback=wrong></div></form>";
    let scene = Scene::of(Front::Proxy, settings(), browser, &head, body);
    let browser = &scene.browser;
    browser.wait(SOON, "an error", "return told.length > 0");
    assert_eq!(browser.script("return told"), json!(["wrong_site"]));
    let number = "return document.querySelector('.portcullis-box').textContent.match(/wrong_site-[0-9a-f]{8}/)?.[0]";
    let number = browser.wait(SOON, "the number of the failure", number);
    until_true(SOON, "its line in the log", || scene.stage.verifier.log().contains(number.as_str().unwrap()));

    scene.open(&head, &body.replace("nobodys", "contact data-execution=execute"));
    browser.wait(SOON, "the widget", "return document.querySelector('.portcullis-box')");
    scene.stage.relay.cut();
    browser.script("portcullis.execute()");
    browser.wait(SOON, "an error", "return told.length > 0");
    assert_eq!(browser.script("return told"), json!(["network"]));
    let said = "return document.querySelector('.portcullis-box [role=status]').textContent";
    assert!(browser.script(said).as_str().unwrap().contains("still here"));
    axe::finds_nothing(browser, "failed");
    scene.stage.relay.mend();
    browser.press(keys::TAB);
    assert_eq!(browser.script("return document.activeElement.textContent"), json!("Try again"));
    browser.press(keys::ENTER);
    scene.token();
    assert_eq!(
        browser.script("return document.activeElement.getAttribute('role')"),
        json!("status"),
        "the focus stays in it"
    );
    axe::finds_nothing(browser, "done");

    // One that is to be seen only where something is wrong does not go away from whoever is in it.
    let quiet = body.replace("nobodys", "contact data-appearance=interaction-only data-execution=execute");
    scene.open(&head, &quiet);
    browser.wait(SOON, "the widget", "return document.querySelector('.portcullis-box')");
    scene.stage.relay.cut();
    browser.script("portcullis.execute()");
    browser.wait(SOON, "an error", "return told.length > 0");
    scene.stage.relay.mend();
    browser.script("document.querySelector('.portcullis-box button').focus()");
    browser.press(keys::ENTER);
    scene.token();
    assert_eq!(browser.script("return document.activeElement.getAttribute('role')"), json!("status"));
    browser.script("document.activeElement.blur()");
    browser.wait(SOON, "it to go", "return document.querySelector('.portcullis-box').style.display === 'none'");
    scene.browser
}

#[test]
fn it_speaks_the_language_of_its_page_and_from_right_to_left() {
    speaking_languages(Browser::with(Traits::default()));
}

fn speaking_languages(browser: Browser) -> Browser {
    let body = "<form><div lang=ar dir=rtl><div class=portcullis data-sitekey=contact></div></div></form>";
    let scene = Scene::of(Front::Proxy, settings(), browser, TAG, body);
    let spoken =
        "const box = document.querySelector('.portcullis-box[lang=ar]'); return box && [box.dir, box.textContent]";
    let spoken = scene.browser.wait(SOON, "Arabic", spoken);
    assert_eq!(spoken[0], json!("rtl"));
    assert!(spoken[1].as_str().unwrap().contains('ا'), "{spoken}");
    assert_eq!(scene.stage.relay.count("GET /.portcullis/tag-ar."), 1);
    scene.token();
    axe::finds_nothing(&scene.browser, "from right to left");

    scene.open(TAG, &body.replace("data-sitekey", "data-language=de data-theme=dark data-sitekey"));
    let german = "return document.querySelector('.portcullis-box[lang=de][dir=ltr]')?.textContent";
    scene.browser.wait(SOON, "German", german);
    scene.token();
    axe::finds_nothing(&scene.browser, "dark");
    scene.browser
}

#[test]
fn a_strict_policy_with_trusted_types_lets_it_work() {
    under_a_strict_policy(Browser::with(Traits::default()));
}

fn under_a_strict_policy(browser: Browser) -> Browser {
    let policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; script-src 'self'; worker-src 'self'; \
         connect-src 'self'; img-src 'self'; form-action 'self'; require-trusted-types-for 'script'; trusted-types portcullis\">";
    let scene = Scene::of(Front::Proxy, settings(), browser, &format!("{policy}{TAG}"), WIDGET);
    scene.token();
    assert_eq!(scene.browser.notes("violation"), [""; 0]);
    let asked = scene.stage.relay.requests();
    assert_eq!(scene.stage.relay.count("GET /.portcullis/sha256"), 0, "in workers, with wasm: {asked:?}");
    scene.browser
}

#[test]
fn keys_for_tests_always_answer_the_same() {
    keys_for_tests(Browser::with(Traits::default()));
}

fn keys_for_tests(browser: Browser) -> Browser {
    let widgets = TEST_SECRETS
        .map(|(test, _)| format!("<div class=portcullis data-sitekey={test} data-response-field-name={test}></div>"));
    let widgets = widgets.concat();
    let scene = Scene::of(Front::Proxy, settings(), browser, TAG, &format!("<form>{widgets}</form>"));
    let expected = [json!([]), json!(["invalid-input-response"]), json!(["timeout-or-duplicate"])];
    for ((test, secret), codes) in TEST_SECRETS.iter().zip(expected) {
        let field = format!("return document.querySelector('[name={test}]')?.value");
        let token = scene.browser.wait(2 * SOON, "a token", &field);
        for _ in 0..2 {
            let answer = scene.ask(secret, token.as_str().unwrap());
            assert_eq!(
                (&answer["success"], &answer["error-codes"]),
                (&json!(*test == "pass"), &codes),
                "{test}: {answer}"
            );
        }
    }
    scene.browser
}

#[test]
fn the_second_algorithm_pays_for_tokens_too() {
    let settings = settings()
        .set("challenge.difficulty", 1_200_000)
        .set("challenge.max_solve_seconds", 60)
        .set("challenge.hashwx.enabled", true);
    let scene = Scene::of(Front::Proxy, settings, Browser::with(Traits::default()), TAG, WIDGET);
    let token = scene.browser.wait(4 * SOON, "a token", TOKEN);
    assert!(scene.stage.relay.count("GET /.portcullis/hashwx.") > 0, "{:?}", scene.stage.relay.requests());
    assert_eq!(scene.stage.relay.count("GET /.portcullis/solver"), 0);
    assert_eq!(scene.ask(SECRET, token.as_str().unwrap())["success"], json!(true));
}

/// A page of another origin, with the tag and the widget of the verifier's site.
fn elsewhere(stage: &Stage, head: &str, key: &str) -> (Origin, TempDir, String) {
    let (origin, folder) = (Origin::start("elsewhere"), TempDir::new().unwrap());
    let tag = stage.url("/.portcullis/portcullis.js");
    let head = format!(
        "<script>globalThis.told = []; globalThis.wrong = (code) => told.push(code);</script>{head}<script src=\"{tag}\" defer></script>"
    );
    let body = format!("<form><div class=portcullis data-sitekey={key} data-error-callback=wrong></div></form>");
    std::fs::write(folder.path().join("page.html"), page(&head, &body)).unwrap();
    origin.offer(folder.path());
    let url = format!("http://{ELSEWHERE}:{}/files/page.html", origin.port);
    (origin, folder, url)
}

#[test]
fn a_page_of_another_origin_has_it_solved_in_a_frame() {
    for engine in Engine::ALL {
        let stage = Stage::new(Front::Proxy, settings());
        let (_origin, _folder, url) = elsewhere(&stage, "", "shop");
        let browser = Browser::of(engine, Traits::default());
        browser.open(&url);
        let token = browser.wait(3 * SOON, "a token", TOKEN);
        let asked = stage.relay.requests();
        assert_eq!(stage.relay.count("GET /.portcullis/frame?key=shop"), 1, "{}: {asked:?}", engine.name());
        assert_eq!(stage.relay.count("GET /.portcullis/sha256"), 0, "{}: in workers, {asked:?}", engine.name());
        let answer = ask(&stage.client(), "of the shop", token.as_str().unwrap());
        assert_eq!((&answer["success"], &answer["hostname"]), (&json!(true), &json!(ELSEWHERE)), "{answer}");
        // A script of the page puts something else in the place of everything.
        browser.script("document.querySelector('iframe[title=Portcullis]').remove(); portcullis.reset()");
        browser.wait(3 * SOON, "another token", TOKEN);
        assert_eq!(stage.relay.count("GET /.portcullis/frame?key=shop"), 2, "{}", engine.name());
        assert_eq!(stage.relay.count("GET /.portcullis/sha256"), 0, "{}: in workers again", engine.name());
    }
}

#[test]
fn where_the_frame_is_not_let_in_the_page_solves_by_itself() {
    let stage = Stage::new(Front::Proxy, settings());
    let policy = "<meta http-equiv=Content-Security-Policy content=\"frame-src 'none'\">";
    let (_origin, _folder, url) = elsewhere(&stage, policy, "shop");
    let browser = Browser::start();
    browser.open(&url);
    let token = browser.wait(4 * SOON, "a token", TOKEN);
    assert_eq!(stage.relay.count("GET /.portcullis/frame"), 0);
    assert_eq!(ask(&stage.client(), "of the shop", token.as_str().unwrap())["success"], json!(true));
}

#[test]
fn a_page_that_the_key_is_not_for_gets_neither_frame_nor_token() {
    let stage = Stage::new(Front::Proxy, settings());
    let (_origin, folder, url) = elsewhere(&stage, "", "contact");
    let browser = Browser::start();
    browser.open(&url);
    browser.wait(SOON, "an error", "return told.length > 0");
    // Its refusal is nothing that such a page may read.
    assert_eq!(browser.script("return told"), json!(["network"]));

    let client = stage.client();
    let frame = client.get("/.portcullis/frame?key=shop");
    frame.expect_status(200);
    let policy = frame.header("content-security-policy").unwrap();
    assert!(policy.ends_with(&format!("frame-ancestors http://{ELSEWHERE}:* https://{ELSEWHERE}:*")), "{policy}");
    client.get("/.portcullis/frame?key=nobodys").expect(403, "wrong_site");
    client.get("/.portcullis/frame").expect(403, "wrong_site");
    // And browsers hold to it.
    let framing = format!("<iframe src=\"{}\"></iframe>", stage.url("/.portcullis/frame?key=contact"));
    std::fs::write(folder.path().join("page.html"), page("", &framing)).unwrap();
    browser.log();
    browser.open(&url);
    browser.wait_for_origin(SOON);
    let log = browser.log().join("\n");
    assert!(log.contains("frame-ancestors"), "{log}");
}

#[test]
fn a_site_that_serves_the_package_itself_says_where_the_endpoints_are() {
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../www/dist");
    let read = |name: &str| std::fs::read_to_string(package.join(name)).unwrap();
    let integrity: Value = serde_json::from_str(&read("integrity.json")).unwrap();
    let integrity = integrity["portcullis.js"].as_str().unwrap().to_owned();
    let stage = Stage::new(Front::Proxy, settings());
    let folder = TempDir::new().unwrap();
    for entry in std::fs::read_dir(&package).unwrap().flatten() {
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let head =
        format!("<script src=\"portcullis.js\" data-base=\"/.portcullis/\" integrity=\"{integrity}\" defer></script>");
    std::fs::write(folder.path().join("page.html"), page(&head, WIDGET)).unwrap();
    stage.origin.offer(folder.path());
    let scene = Scene { stage, browser: Browser::with(Traits::default()), folder };
    scene.browser.open(&scene.stage.url("/files/page.html"));
    sent(&scene);
    for own in ["GET /.portcullis/widget.", "GET /.portcullis/buying.", "GET /.portcullis/solver"] {
        assert_eq!(scene.stage.relay.count(own), 0, "{own}");
    }
}
