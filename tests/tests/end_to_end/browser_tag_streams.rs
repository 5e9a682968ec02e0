//! What a page sends of a stream, under the script tag: it can be sent only once, and is passed on as it is.

use serde_json::json;
use tests::browser::{Browser, Traits};
use tests::origin::Origin;
use tests::ports;
use tests::settings::Settings;
use tests::stage::HOST;
use tests::tls::{TlsServer, TlsSite};
use tests::verifier::Verifier;
use tests::wait::SOON;

/// The site over HTTP/2, without which browsers send no stream; where it is, and all that has to last.
fn stage() -> (u16, Origin, (TlsServer, Verifier)) {
    let origin = Origin::start("main");
    let settings = Settings::new()
        .set("beside", "proxy")
        .set("trusted_proxies", vec!["127.0.0.1/32"])
        .set("challenge.difficulty", 2_000)
        .rule("path = \"/app\"\naction = \"allow\"");
    let verifier = Verifier::start(settings.site("main", &[HOST], Some(&origin.url())));
    let port = ports::free();
    let lines = format!(
        "listen 127.0.0.1:{port} ssl http2; location / {{ proxy_pass http://127.0.0.1:{}; proxy_set_header Host $http_host; \
         proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; }}",
        verifier.port
    );
    let server = TlsServer::start(&[TlsSite { name: HOST, lines }]);
    (port, origin, (server, verifier))
}

/// In each way in which a page can send a stream: what it is answered.
const SEND: &str = "const stream = () => new ReadableStream({ pull(control) { \
       control.enqueue(new TextEncoder().encode('typed')); control.close(); } }); \
     const request = () => new Request('/upload', {method: 'POST', body: stream(), duplex: 'half'}); \
     const ways = [ \
       () => fetch('/upload', {method: 'POST', body: stream(), duplex: 'half'}), \
       () => fetch(request()), \
       () => fetch(new Request(request())), \
       () => fetch(request().clone()), \
       () => fetch(request(), {headers: {'x-app': 'yes'}}) ]; \
     return Promise.all(ways.map((send) => send().then(async (answer) => answer.status + ' ' + (answer.ok ? await answer.text() : ''))))";

#[test]
fn a_stream_is_sent_once_and_its_page_hears_what_the_gate_says() {
    let (port, origin, _lasting) = stage();
    let browser = Browser::with(Traits::default());
    browser.open(&format!("https://{HOST}:{port}/app"));
    browser.wait_for_origin(SOON);
    let told = browser.script(SEND);
    assert_eq!(told, json!(["429 ", "429 ", "429 ", "429 ", "429 "]));
    assert_eq!(origin.count("/upload"), 0);
    let loaded = |name: &str| browser.notes("request").iter().filter(|url| url.contains(name)).count();
    assert_eq!(loaded("/.portcullis/buying"), 0, "nothing is bought for what cannot be sent again");
    // With a clearance it passes as ever, and a request whose body is no stream is sent again.
    let body = "fetch(new Request('/upload', {method: 'POST', body: 'typed'})).then(async (answer) => answer.status + ' ' + await answer.text())";
    assert_eq!(browser.script(&format!("return {body}")), json!("200 5"));
    let told = browser.script(SEND);
    assert_eq!(told, json!(["200 5", "200 5", "200 5", "200 5", "200 5"]));
    assert_eq!(browser.script("return new Request('/').clone() instanceof Request"), json!(true));
    assert_eq!(browser.notes("violation"), Vec::<String>::new());
}
