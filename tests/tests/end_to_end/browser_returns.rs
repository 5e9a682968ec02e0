//! A visitor who comes back from a bank: a form that another site's page sends, over HTTPS, in a real browser.

use tests::browser::Browser;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::tls::{TlsServer, TlsSite};
use tests::verifier::Verifier;
use tests::wait::SOON;

const SHOP: &str = "portcullis.test";
const BANK: &str = "bank.test";

/// The shop behind the gate and the bank that is none of its business, both over TLS.
fn stage() -> (TlsServer, Verifier, Origin) {
    let origin = Origin::start("shop");
    let settings = Settings::new().set("beside", "proxy").set("trusted_proxies", vec!["127.0.0.1/32"]);
    let verifier = Verifier::start(settings.site("main", &[SHOP], Some(&origin.url())));
    let gate = format!(
        "location / {{ proxy_pass http://127.0.0.1:{}; proxy_set_header Host $http_host; proxy_set_header \
         X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; }}",
        verifier.port
    );
    let page = format!(
        "<!doctype html><meta charset=utf-8><title>Bank</title><form method=post action=https://{SHOP}:PORT/submit>\
         <input name=paid value=yes><button id=pay>Pay</button></form>"
    );
    let bank = format!("location / {{ default_type text/html; return 200 '{page}'; }}");
    let sites = [TlsSite { name: SHOP, lines: gate }, TlsSite { name: BANK, lines: bank }];
    (TlsServer::start(&sites), verifier, origin)
}

#[test]
fn a_payment_return_passes_for_a_visitor_with_a_clearance_and_not_for_a_stranger() {
    let (server, _verifier, origin) = stage();
    let (shop, bank) = (format!("https://{SHOP}:{}/", server.port), format!("https://{BANK}:{}/", server.port));

    let stranger = Browser::start();
    stranger.open(&bank);
    stranger.click("#pay");
    stranger.wait(
        SOON,
        "the gate's page",
        "return document.body.dataset.challenge && document.body.dataset.method === 'POST'",
    );
    assert_eq!(origin.seen().len(), 0, "nothing of it reached the site");
    drop(stranger);

    let visitor = Browser::start();
    visitor.open(&shop);
    assert_eq!(visitor.wait_for_origin(SOON), "/");
    visitor.open(&bank);
    visitor.click("#pay");
    visitor.wait(SOON, "the form to arrive", "return document.querySelector('#echo')?.textContent");
    assert_eq!(origin.count("/submit"), 1);
    let seen = origin.last();
    assert_eq!((seen.method.as_str(), seen.header("origin")), ("POST", bank.trim_end_matches('/').to_owned()));
    assert_eq!((seen.header("sec-fetch-site"), seen.header("cookie")), ("cross-site".to_owned(), String::new()));
}
