//! Tokens for forms (PROTOCOL §4), in every mode: `GET challenge?purpose=form` asks work for one, and `GET frame` is the page
//! that does it for pages of other origins.

use super::answer::{html, problem, problem_body};
use super::assets::FRAME_TEMPLATE;
use super::body::AnswerBody;
use super::cors;
use super::endpoints::{Call, Query, malformed};
use crate::config::Host;
use crate::gate::site_keys::SiteKey;
use hyper::header::HeaderValue;
use hyper::{Response, StatusCode};
use puzzle::Refusal;

/// Policy of the frame, but for who may hold it: its own script, and that script's workers.
const FRAME_POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src data:; \
     form-action 'self'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types portcullis; frame-ancestors";

/// Answers with work for a token.
pub(super) fn challenge(call: &Call<'_>, query: &Query) -> Response<AnswerBody> {
    let Some(name) = &query.key else { return malformed(call, "Say for which site key: key=…") };
    let key = call.config.site_keys.named(call.site, name);
    let Some(key) = key.filter(|key| cors::form_host(key, call.visitor, call.headers).is_some()) else {
        return wrong_site(call);
    };
    let quote = call.verifier.gate.form_quote(call.config, call.site, key);
    let mut response = call.offer(&call.asking(Some(key), quote), query.abilities());
    cors::allow_form(&mut response, key, call.visitor, call.headers);
    response
}

/// `GET frame?key=…`: a page that runs our workers, for pages of the key's hosts, which browsers let run none of another origin.
/// There is nothing of the visitor in it, and nobody else may hold it.
pub(super) fn frame(call: &Call<'_>, query: &Query) -> Response<AnswerBody> {
    let key = query.key.as_ref().and_then(|name| call.config.site_keys.named(call.site, name));
    let Some(key) = key else { return wrong_site(call) };
    let mut response =
        html(StatusCode::OK, FRAME_POLICY, FRAME_TEMPLATE.replace("{{base}}", call.config.base_path.as_str()));
    // Where the hosts cannot be written, the policy ends before them, and that is nobody.
    if let Ok(policy) = HeaderValue::from_str(&format!("{FRAME_POLICY} {}", holders(key))) {
        response.headers_mut().insert("content-security-policy", policy);
    }
    response
}

/// Whose pages may hold the frame, as `frame-ancestors` says it: by any scheme and port, as for what they ask.
fn holders(key: &SiteKey) -> String {
    let host = |host: &Host| match host {
        Host::Exact(name) => format!("http://{name}:* https://{name}:*"),
        Host::Below(suffix) => format!("http://*{suffix}:* https://*{suffix}:*"),
    };
    // A key for no host in particular is for the pages beside its endpoints.
    if key.hosts.is_empty() { "'self'".to_owned() } else { key.hosts.iter().map(host).collect::<Vec<_>>().join(" ") }
}

/// Lets a page that tells what failed in its form read the number of the failure, also where it is of another origin.
pub(super) fn readable(mut response: Response<AnswerBody>, call: &Call<'_>, query: &Query) -> Response<AnswerBody> {
    let key = query.key.as_ref().and_then(|name| call.config.site_keys.named(call.site, name));
    if let Some(key) = key {
        cors::allow_form(&mut response, key, call.visitor, call.headers);
    }
    response
}

fn wrong_site(call: &Call<'_>) -> Response<AnswerBody> {
    let refusal = Refusal::WrongSite;
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::FORBIDDEN);
    let title = "There is no such site key here, or it is not for pages of that host";
    problem(status, problem_body(status, refusal.code(), title, call.request_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_may_be_held_by_pages_of_the_keys_hosts_and_by_no_others() {
        let held_by = |hosts: Vec<Host>| {
            holders(&SiteKey { key: "contact".to_owned(), site: 1, hosts, digests: Vec::new(), test: None, place: 0 })
        };
        let below = Host::Below(".shop.example".to_owned());
        assert_eq!(
            held_by(vec![Host::Exact("shop.example".to_owned()), below]),
            "http://shop.example:* https://shop.example:* http://*.shop.example:* https://*.shop.example:*"
        );
        assert_eq!(held_by(Vec::new()), "'self'");
    }
}
