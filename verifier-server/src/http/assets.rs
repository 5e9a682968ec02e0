//! What browsers load, embedded: the solver, the script, the styles, with hashes in their names.

use super::answer::bare;
use super::body::AnswerBody;
use super::former_assets::{FormerAssets, HashedName};
use crate::config::Look;
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH,
    LOCATION, VARY,
};
use hyper::{Response, StatusCode};

/// One file in three encodings.
#[derive(Debug)]
struct Asset {
    name: &'static str,
    content_type: &'static str,
    /// The `ETag` of what keeps its name whatever it holds; the others have a hash in their names.
    tag: Option<&'static str>,
    identity: &'static [u8],
    gzip: &'static [u8],
    brotli: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The template of the challenge page.
pub(super) const GATE_TEMPLATE: &str = GATE;
/// The template of the small challenge page.
pub(super) const GATE_SMALL_TEMPLATE: &str = GATE_SMALL;
/// The template of the page of a staff pass.
pub(super) const PASS_TEMPLATE: &str = PASS;
/// The page that runs our workers for pages of other origins.
pub(super) const FRAME_TEMPLATE: &str = FRAME;
/// The template of every other page.
pub(super) const MESSAGE_TEMPLATE: &str = MESSAGE;

/// The dashboard's page.
pub(super) const DASHBOARD_TEMPLATE: &str = DASHBOARD;

/// Browsers follow twenty redirections. Of two verifiers one is missed so often once in 65,536 times where chance chooses.
const ASKED_AGAIN_MAX: u32 = 16;

/// A worker has its own policy, from its own response: wasm compiles there whatever the site's policy says.
const SCRIPT_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; \
     require-trusted-types-for 'script'; trusted-types portcullis";

/// A picture runs nothing and loads nothing.
const PICTURE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// The asset called `name`, in the best encoding that the client takes.
pub(super) fn answer(name: &str, headers: &HeaderMap) -> Option<Response<AnswerBody>> {
    let asset = ASSETS.iter().find(|asset| asset.name == name)?;
    let Encoded { encoding, bytes, .. } = asset.encoded(headers);
    let known = asset.tag.is_some_and(|tag| is_known(headers, tag));
    let mut response =
        kept_for_ever(asset.content_type, if known { AnswerBody::empty() } else { AnswerBody::bytes(bytes) });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(CONTENT_TYPE);
    }
    let headers = response.headers_mut();
    if let Some(tag) = asset.tag {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(ETAG, HeaderValue::from_static(tag));
    }
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Some(encoding) = encoding.filter(|_| !known) {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    Some(response)
}

/// The files with a hash in their names, as they are.
pub(super) fn with_hashes() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    ASSETS.iter().filter(|asset| asset.tag.is_none()).map(|asset| (asset.name, asset.identity))
}

/// The file of a former version called `name`, as long as it is answered: as it would be if it were of this one, but for the
/// encodings.
pub(super) fn former(former: &FormerAssets, name: &str) -> Option<Response<AnswerBody>> {
    let hashed = HashedName::parse(name)?;
    let mut response = kept_for_ever(hashed.content_type, AnswerBody::bytes(former.get(name)?));
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    Some(response)
}

/// Several verifiers stand behind one balancer, and one that is being upgraded names files that the others do not have yet:
/// whoever asks for one asks again, and is led to another verifier by and by.
pub(super) fn ask_again(name: &str, asked: u32) -> Option<Response<AnswerBody>> {
    HashedName::parse(name)?;
    let next = asked.checked_add(1).filter(|next| *next <= ASKED_AGAIN_MAX)?;
    let mut response = bare(StatusCode::TEMPORARY_REDIRECT);
    let location = HeaderValue::try_from(format!("{name}?again={next}")).ok()?;
    response.headers_mut().insert(LOCATION, location);
    Some(response)
}

/// What a site's look brings: its colours, which are too short to be compressed, and its logo, which is.
pub(super) fn own(look: &Look, name: &str) -> Option<Response<AnswerBody>> {
    if let Some(colours) = look.stylesheet.as_ref().filter(|colours| colours.name == name) {
        return Some(kept_for_ever("text/css; charset=utf-8", AnswerBody::bytes(colours.css.clone())));
    }
    let logo = look.logo.as_ref().filter(|logo| logo.name == name)?;
    let mut response = kept_for_ever(logo.content_type, AnswerBody::bytes(logo.bytes.clone()));
    // Opened by itself a picture is a document, and one in SVG may hold a script.
    response.headers_mut().insert("content-security-policy", HeaderValue::from_static(PICTURE_POLICY));
    Some(response)
}

/// A file in the encoding that a client takes.
pub(super) struct Encoded {
    pub(super) content_type: &'static str,
    pub(super) encoding: Option<&'static str>,
    pub(super) bytes: &'static [u8],
}

/// The file of the dashboard called `name`: the admin listener alone has them.
pub(super) fn of_dashboard(name: &str, headers: &HeaderMap) -> Option<Encoded> {
    Some(DASHBOARD_ASSETS.iter().find(|asset| asset.name == name)?.encoded(headers))
}

impl Asset {
    fn encoded(&self, headers: &HeaderMap) -> Encoded {
        let (encoding, bytes) = if accepts(headers, "br") {
            (Some("br"), self.brotli)
        } else if accepts(headers, "gzip") {
            (Some("gzip"), self.gzip)
        } else {
            (None, self.identity)
        };
        Encoded { content_type: self.content_type, encoding, bytes }
    }
}

/// The same for pages of other origins: those of the hosts of a site key load the widget. It is the same for everybody and no
/// secret.
pub(super) fn for_every_origin(mut asset: Response<AnswerBody>) -> Response<AnswerBody> {
    let headers = asset.headers_mut();
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
    asset
}

/// What has a hash of its content in its name.
fn kept_for_ever(content_type: &'static str, body: AnswerBody) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    headers.insert("content-security-policy", HeaderValue::from_static(SCRIPT_POLICY));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}

/// Whether `If-None-Match` names `tag`, by the weak comparison (RFC 9110 §13.1.2).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|named| named == "*" || named.trim_start_matches("W/") == tag)
}

/// Whether `Accept-Encoding` names `coding` without forbidding it (RFC 9110 §12.5.3).
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let lists = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let forbidden = parts.any(|weight| weight.strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0)));
        named && !forbidden
    })
}

/// What a file is answered as.
#[cfg(test)]
pub(super) fn content_type(name: &str) -> Option<&'static str> {
    ASSETS.iter().find(|asset| asset.name == name).map(|asset| asset.content_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(list: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(list))])
    }

    #[test]
    fn encodings_are_chosen_as_the_client_takes_them() {
        assert!(accepts(&accepting("gzip, deflate, br"), "br"));
        assert!(accepts(&accepting("GZIP;q=0.5"), "gzip"));
        assert!(!accepts(&accepting("br;q=0, gzip"), "br"));
        assert!(!accepts(&accepting("brotli"), "br"));
        assert!(!accepts(&HeaderMap::new(), "gzip"));
    }

    #[test]
    fn the_script_tag_is_asked_for_again_and_sent_when_it_has_changed() {
        let first = answer("portcullis.js", &accepting("gzip")).expect("an asset");
        assert_eq!(first.headers()[CACHE_CONTROL], "no-cache");
        let tag = first.headers()[ETAG].clone();
        let again = |named: HeaderValue| {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, named)]);
            answer("portcullis.js", &headers).expect("an asset").status()
        };
        assert_eq!(again(tag), StatusCode::NOT_MODIFIED);
        assert_eq!(again(HeaderValue::from_static("\"0\"")), StatusCode::OK);
    }

    #[test]
    fn only_what_may_be_another_versions_is_asked_for_again_and_not_for_ever() {
        let name = "gate-en.0123456789abcdef.js";
        let mut asked = 0;
        while let Some(again) = ask_again(name, asked) {
            asked += 1;
            assert_eq!(again.status(), StatusCode::TEMPORARY_REDIRECT);
            assert_eq!(again.headers()[LOCATION], format!("{name}?again={asked}"));
            assert_eq!(again.headers()[CACHE_CONTROL], "no-store");
        }
        assert_eq!(asked, ASKED_AGAIN_MAX);
        for name in ["nothing", "gate.js", "x.0123456789abcdef.html"] {
            assert!(ask_again(name, 0).is_none(), "{name}");
        }
        assert!(ask_again(name, u32::MAX).is_none());
    }

    #[test]
    fn visitors_cannot_load_the_dashboard() {
        let file = DASHBOARD_ASSETS.first().expect("a file");
        assert!(of_dashboard(file.name, &HeaderMap::new()).is_some());
        assert!(answer(file.name, &HeaderMap::new()).is_none());
    }

    #[test]
    fn every_asset_has_its_hash_in_its_name_or_tag_and_three_encodings() {
        assert!(ASSETS.len() >= 4);
        for asset in ASSETS.iter().chain(DASHBOARD_ASSETS) {
            let hash = asset.tag.map_or_else(|| asset.name.split('.').nth(1), |tag| tag.get(1..17));
            assert_eq!(hash.map(str::len), Some(16), "{}", asset.name);
            assert!(
                asset.gzip.len() < asset.identity.len() && asset.brotli.len() <= asset.gzip.len(),
                "{}",
                asset.name
            );
        }
    }
}
