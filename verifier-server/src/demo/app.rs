//! The demo's single-page app: a page that stays and asks for things in every way that browsers have.
//!
//! What is sent to it comes back, so that the page can see that it has arrived whole.

use super::site::{NAVIGATION, typed};
use crate::clock;
use crate::html::Html;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use hyper::{Method, Response, StatusCode};
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("app/app.html");
const SCRIPT: &str = include_str!("app/app.js");
const STYLE: &str = include_str!("app/app.css");
/// htmx.org 2.0.11 as npm has it, by Big Sky Software, under 0BSD.
const HTMX: &str = include_str!("app/htmx.min.js");

/// What the operator's documentation asks for, and what this page needs itself. htmx makes elements of text, which Trusted Types
/// would forbid.
const POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; style-src 'self'; \
     img-src data:; frame-src 'self'; form-action 'self'; base-uri 'none'";

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// What the app may send at once.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The app's answer to a path of its own; `None` for any other.
pub(super) async fn answer(method: &Method, path: &str, body: Incoming) -> Option<Response<Full<Bytes>>> {
    Some(match (method, path) {
        (&Method::GET | &Method::HEAD, "/app") => {
            let mut page = typed(HTML, PAGE.replace("{{nav}}", NAVIGATION));
            page.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
            page
        }
        (&Method::GET | &Method::HEAD, "/static/app.js") => typed(JAVASCRIPT, SCRIPT),
        (&Method::GET | &Method::HEAD, "/static/htmx.js") => typed(JAVASCRIPT, HTMX),
        (&Method::GET | &Method::HEAD, "/static/app.css") => typed("text/css; charset=utf-8", STYLE),
        (&Method::GET, "/app/poll") => typed(TEXT, clock::now().0.to_string()),
        (&Method::POST, "/app/fetch" | "/app/xhr" | "/app/form" | "/app/htmx" | "/app/upload") => {
            if let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await {
                received(path, body.to_bytes())
            } else {
                let mut refused = typed(TEXT, "This is too much.");
                *refused.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
                refused
            }
        }
        _ => return None,
    })
}

fn received(path: &str, body: Bytes) -> Response<Full<Bytes>> {
    match path {
        "/app/upload" => {
            let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(&body));
            typed(TEXT, format!("{} bytes, SHA-256 {digest}", body.len()))
        }
        "/app/form" => {
            let text = Html::of(&field(&body));
            typed(
                HTML,
                format!(
                    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Received</title>\
                     <link rel=\"stylesheet\" href=\"/static/site.css\"><main><h1>Received</h1><p id=\"received\">{text}</p></main></html>"
                ),
            )
        }
        "/app/htmx" => typed(HTML, format!("<li>{}</li>", Html::of(&field(&body)))),
        _ => typed(TEXT, body),
    }
}

/// The field `text` of a form.
fn field(body: &[u8]) -> String {
    let mut fields = form_urlencoded::parse(body);
    fields.find_map(|(name, value)| (name == "text").then(|| value.into_owned())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(path: &str, body: &'static str) -> String {
        let body = received(path, Bytes::from_static(body.as_bytes())).into_body();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    #[tokio::test]
    async fn what_arrives_comes_back_and_no_text_becomes_markup() {
        let form = "text=%3Cb%3E+%26+so+on";
        assert!(text("/app/form", form).await.contains("<p id=\"received\">&lt;b&gt; &amp; so on</p>"));
        assert_eq!(text("/app/htmx", form).await, "<li>&lt;b&gt; &amp; so on</li>");
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(text("/app/upload", "abc").await, format!("3 bytes, SHA-256 {digest}"));
        assert_eq!(text("/app/fetch", "<b>").await, "<b>", "as plain text");
    }

    #[test]
    fn the_page_breaks_no_rule_of_its_policy() {
        for forbidden in ["style=", "onclick", "onsubmit", "<style", "innerHTML", "hx-on", "http:", "https:"] {
            assert!(!PAGE.contains(forbidden) && !SCRIPT.contains(forbidden), "{forbidden}");
        }
        assert_eq!(PAGE.matches("{{nav}}").count(), 1);
    }
}
