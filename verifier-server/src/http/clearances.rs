//! The clearances that a request carries, and the cookie that gives one (PROTOCOL §7).

use super::original::Scheme;
use crate::config::Site;
use crate::gate::CLEARANCES_MAX;
use hyper::Method;
use hyper::header::{COOKIE, HeaderMap, HeaderName, HeaderValue};
use puzzle::{ClearanceId, price::GRACE_SECONDS};

/// The header by which API clients send a clearance.
static CLEARANCE_HEADER: HeaderName = HeaderName::from_static("portcullis-clearance");
const PLAIN_COOKIE: &str = "portcullis";
const HOST_COOKIE: &str = "__Host-portcullis";
/// Of a site with a `cookie_domain`.
const SHARED_COOKIE: &str = "__Secure-portcullis";
const RETURN_COOKIE: &str = "__Host-portcullis-return";
pub(super) const PLAIN_TICKET_COOKIE: &str = "portcullis-ticket";
pub(super) const HOST_TICKET_COOKIE: &str = "__Host-portcullis-ticket";
/// Every cookie that is ours and never reaches the origin.
const OUR_COOKIES: [&str; 6] =
    [PLAIN_COOKIE, HOST_COOKIE, SHARED_COOKIE, RETURN_COOKIE, PLAIN_TICKET_COOKIE, HOST_TICKET_COOKIE];

/// The clearances in `headers`, at most [`CLEARANCES_MAX`]: the API header's first, then the cookies in order, those of this
/// very host before those of the site's domain: whoever has another host there can set any number of the latter.
pub(super) fn of(headers: &HeaderMap, method: &Method, scheme: Scheme, site: &Site) -> Vec<ClearanceId> {
    let name = if scheme == Scheme::Https { HOST_COOKIE } else { PLAIN_COOKIE };
    let shared = (scheme == Scheme::Https && site.cookie_domain.is_some()).then_some(SHARED_COOKIE);
    let header = headers.get(&CLEARANCE_HEADER).into_iter().map(HeaderValue::as_bytes);
    let named = |name: &'static str| {
        self::cookies(headers).filter(move |(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
    };
    let cookies = named(name).chain(shared.into_iter().flat_map(named));
    // A visitor who comes back from a bank or a sign-in service: SameSite=None, so for this one kind of request only.
    let returns = scheme == Scheme::Https
        && method == Method::POST
        && is(headers, "sec-fetch-mode", "navigate")
        && is(headers, "sec-fetch-dest", "document");
    let returning = returns
        .then(|| self::cookies(headers))
        .into_iter()
        .flatten()
        .filter(|(found, _)| *found == RETURN_COOKIE.as_bytes())
        .map(|(_, value)| value);
    header.chain(cookies.take(CLEARANCES_MAX)).chain(returning.take(1)).filter_map(parse).collect()
}

/// `Set-Cookie` values that give a clearance which lives for `expires_in` seconds: that of this host, or of the scheme,
/// first.
pub(super) fn set_cookies(id: ClearanceId, expires_in: u32, scheme: Scheme, site: &Site) -> Vec<HeaderValue> {
    let value = puzzle::encode(&id.0);
    let age = expires_in.saturating_add(GRACE_SECONDS);
    let domain = site.cookie_domain.as_ref().map(|domain| format!("; Domain={domain}"));
    let lasting = format!("{value}; Path=/; Max-Age={age}; HttpOnly");
    let cookies = match (scheme, domain) {
        (Scheme::Http, domain) => {
            vec![format!("{PLAIN_COOKIE}={lasting}; SameSite=Lax{}", domain.unwrap_or_default())]
        }
        (Scheme::Https, domain) => {
            let shared = domain.map(|domain| format!("{SHARED_COOKIE}={lasting}; SameSite=Lax; Secure{domain}"));
            let own = format!("{HOST_COOKIE}={lasting}; SameSite=Lax; Secure");
            let returning = format!("{RETURN_COOKIE}={lasting}; SameSite=None; Secure");
            std::iter::once(own).chain(shared).chain([returning]).collect()
        }
    };
    cookies.into_iter().filter_map(|cookie| cookie.try_into().ok()).collect()
}

/// Takes our cookies and header out, and joins what HTTP/2 split into several lines.
pub(super) fn strip(headers: &mut HeaderMap) {
    headers.remove(&CLEARANCE_HEADER);
    let untouched = headers.get_all(COOKIE).iter().count() <= 1 && !cookies(headers).any(|(name, _)| is_ours(name));
    if untouched {
        return;
    }
    let lines = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let kept: Vec<&[u8]> = lines
        .flat_map(|line| line.split(|byte| *byte == b';'))
        .map(<[u8]>::trim_ascii)
        .filter(|pair| !pair.is_empty() && !is_ours(name_of(pair)))
        .collect();
    let joined = HeaderValue::from_bytes(&kept.join(&b"; "[..])).ok().filter(|joined| !joined.is_empty());
    headers.remove(COOKIE);
    headers.extend(joined.map(|joined| (COOKIE, joined)));
}

fn is_ours(name: &[u8]) -> bool {
    OUR_COOKIES.iter().any(|ours| ours.as_bytes() == name)
}

fn is(headers: &HeaderMap, name: &str, value: &str) -> bool {
    headers.get(name).is_some_and(|found| found == value)
}

fn name_of(pair: &[u8]) -> &[u8] {
    pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii()
}

/// Names and values of all cookies.
pub(super) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = headers.get_all(COOKIE).into_iter().map(HeaderValue::as_bytes);
    lines.flat_map(|line| line.split(|byte| *byte == b';')).filter_map(|pair| {
        let position = pair.iter().position(|byte| *byte == b'=')?;
        Some((pair[..position].trim_ascii(), pair[position + 1..].trim_ascii()))
    })
}

fn parse(value: &[u8]) -> Option<ClearanceId> {
    let mut id = [0; 16];
    let len = puzzle::decode(value, &mut id)?.len();
    (len == id.len()).then_some(ClearanceId(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::path::Path;

    fn carrying(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_str(line).expect("a header"))).collect()
    }

    fn site(lines: &str) -> Site {
        let text = format!("[[site]]\nhosts = \"www.example.org\"\norigin = \"http://127.0.0.1:1\"\n{lines}");
        Config::parse(&text, Path::new("test.toml")).expect("a configuration").sites[0].clone()
    }

    fn value(first: u8) -> String {
        puzzle::encode(&[first; 16]).to_string()
    }

    #[test]
    fn at_most_sixteen_cookies_count_and_broken_ones_give_nothing() {
        let many: Vec<String> = (0..20).map(|first| format!("portcullis={}", value(first))).collect();
        let found = of(&carrying(&[&many.join("; ")]), &Method::GET, Scheme::Http, &site(""));
        assert_eq!(found.len(), CLEARANCES_MAX);
        let broken = carrying(&["portcullis=; portcullis=%%%; portcullis; =x; portcullis=AAAA"]);
        assert_eq!(of(&broken, &Method::GET, Scheme::Http, &site("")), []);
    }

    #[test]
    fn the_scheme_says_which_name_counts() {
        let both = carrying(&[&format!("portcullis={}", value(1)), &format!("__Host-portcullis={}", value(2))]);
        assert_eq!(of(&both, &Method::GET, Scheme::Http, &site("")), [ClearanceId([1; 16])]);
        assert_eq!(of(&both, &Method::GET, Scheme::Https, &site("")), [ClearanceId([2; 16])]);
    }

    #[test]
    fn the_return_cookie_counts_for_a_form_that_comes_back_and_for_nothing_else() {
        let mut headers = carrying(&[&format!("__Host-portcullis-return={}", value(3))]);
        assert_eq!(of(&headers, &Method::POST, Scheme::Https, &site("")), []);
        headers.insert("sec-fetch-mode", HeaderValue::from_static("navigate"));
        headers.insert("sec-fetch-dest", HeaderValue::from_static("document"));
        assert_eq!(of(&headers, &Method::POST, Scheme::Https, &site("")), [ClearanceId([3; 16])]);
        assert_eq!(of(&headers, &Method::GET, Scheme::Https, &site("")), []);
        assert_eq!(of(&headers, &Method::POST, Scheme::Http, &site("")), []);
    }

    #[test]
    fn the_cookie_of_a_domain_counts_only_where_it_is_shared_and_after_that_of_the_host() {
        let (own, shared) = (site(""), site("cookie_domain = \"example.org\""));
        let line = format!("__Secure-portcullis={}; __Host-portcullis={}", value(1), value(2));
        let both = carrying(&[&line]);
        assert_eq!(of(&both, &Method::GET, Scheme::Https, &own), [ClearanceId([2; 16])]);
        assert_eq!(of(&both, &Method::GET, Scheme::Https, &shared), [ClearanceId([2; 16]), ClearanceId([1; 16])]);
        assert_eq!(of(&both, &Method::GET, Scheme::Http, &shared), []);
        let planted: Vec<String> = (20..60).map(|first| format!("__Secure-portcullis={}", value(first))).collect();
        let planted = carrying(&[&planted.join("; "), &line]);
        let found = of(&planted, &Method::GET, Scheme::Https, &shared);
        assert_eq!((found[0], found.len()), (ClearanceId([2; 16]), CLEARANCES_MAX), "nobody's flood hides it");
        let set = |scheme| set_cookies(ClearanceId([1; 16]), 60, scheme, &shared);
        let names: Vec<String> = set(Scheme::Https)
            .iter()
            .map(|cookie| cookie.to_str().expect("text"))
            .map(|cookie| {
                format!("{} {}", cookie.split('=').next().expect("a name"), cookie.contains("; Domain=example.org"))
            })
            .collect();
        assert_eq!(names, ["__Host-portcullis false", "__Secure-portcullis true", "__Host-portcullis-return false"]);
        assert!(set(Scheme::Http)[0].to_str().expect("text").ends_with("; SameSite=Lax; Domain=example.org"));
    }

    #[test]
    fn our_cookies_are_stripped_and_the_others_stay() {
        let mut headers = carrying(&[
            "a=1; portcullis=x; b=2",
            "__Host-portcullis=y; c=3; portcullis-ticket=z; __Host-portcullis-ticket=z",
        ]);
        strip(&mut headers);
        assert_eq!(headers.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2; c=3"]);
        let mut only_ours = carrying(&["portcullis=x"]);
        strip(&mut only_ours);
        assert!(!only_ours.contains_key(COOKIE));
        let mut odd = carrying(&["a=1;b=2"]);
        strip(&mut odd);
        assert_eq!(odd[COOKIE], "a=1;b=2", "what is not ours stays byte for byte");
    }
}
