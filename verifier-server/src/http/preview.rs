//! The stub for fetchers of link previews (PROTOCOL §6): the one page of the gate with status 200.
//!
//! Anybody can call himself one of them, and then gets a few words that the operator wrote: nothing of it comes from the
//! origin, so nothing is won by it.

use super::answer::html;
use super::body::AnswerBody;
use super::page_rates::PageRates;
use crate::config::{Preview, Site};
use crate::telemetry::Metrics;
use hyper::header::{HeaderMap, USER_AGENT, VARY};
use hyper::http::HeaderValue;
use hyper::{Response, StatusCode};
use puzzle::{ClientNetwork, UnixSeconds};
use regex::bytes::Regex;
use std::fmt::Write as _;
use std::sync::LazyLock;

/// Stubs a second to one client network; then its fetchers meet what everybody meets.
const PREVIEWS_PER_SECOND_MAX: u32 = 10;
/// Bytes of a `User-Agent` that are looked at.
const USER_AGENT_BYTES_MAX: usize = 512;
/// Nothing on it runs or loads.
const PREVIEW_POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// What the stub depends on beside what every answer of the gate does.
const VARY_PREVIEW: &str = "Accept, Cookie, Sec-Fetch-Mode, Sec-Fetch-Dest, Origin, Portcullis-Clearance, User-Agent";

/// What fetchers of previews call themselves, in any case: of social networks, of messengers, and of the servers of
/// the fediverse.
const FETCHERS: [&str; 24] = [
    "facebookexternalhit",
    "facebot",
    "meta-externalfetcher",
    "twitterbot",
    "slackbot-linkexpanding",
    "telegrambot",
    "whatsapp",
    "discordbot",
    "linkedinbot",
    "mastodon",
    "signal-desktop",
    "signal-android",
    "signal-ios",
    "skypeuripreview",
    "viber",
    "redditbot",
    "pinterestbot",
    "vkshare",
    "bluesky cardyb",
    "synapse (bot;",
    "iframely",
    "embedly",
    "pleroma",
    "misskey",
];

/// Whether a request says that a fetcher of previews sent it.
pub(super) fn is_fetcher(headers: &HeaderMap) -> bool {
    let Some(agent) = headers.get(USER_AGENT) else { return false };
    let agent = agent.as_bytes();
    NAMES.is_match(&agent[..agent.len().min(USER_AGENT_BYTES_MAX)])
}

/// All names at once: a flood of challenged requests is looked through as well.
static NAMES: LazyLock<Regex> = LazyLock::new(|| {
    let names = FETCHERS.map(regex::escape).join("|");
    Regex::new(&format!("(?i-u)(?:{names})")).expect("escaped names are an expression")
});

/// Stubs of the last second.
pub(super) struct Previews(PageRates);

impl Default for Previews {
    fn default() -> Self {
        Self(PageRates::with_most(PREVIEWS_PER_SECOND_MAX))
    }
}

impl Previews {
    /// The stub of a site, if the site has one and the network has not had enough of them in this second.
    pub(super) fn answer(
        &self,
        site: &Site,
        network: ClientNetwork,
        metrics: &Metrics,
        now: UnixSeconds,
    ) -> Option<Response<AnswerBody>> {
        let preview = site.preview.as_ref()?;
        if self.0.is_crowded(network, now) {
            return None;
        }
        metrics.previews.inc();
        let mut response = html(StatusCode::OK, PREVIEW_POLICY, stub(preview));
        response.headers_mut().insert(VARY, HeaderValue::from_static(VARY_PREVIEW));
        Some(response)
    }
}

fn stub(preview: &Preview) -> String {
    let Preview { title, description, picture } = preview;
    let mut page = format!(
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"robots\" content=\"noindex\"><title>{title}</title>\
         <meta property=\"og:title\" content=\"{title}\"><meta property=\"og:type\" content=\"website\">"
    );
    // A string takes everything.
    if let Some(description) = description {
        let _ = write!(page, "<meta name=\"description\" property=\"og:description\" content=\"{description}\">");
    }
    if let Some(picture) = picture {
        let _ = write!(page, "<meta property=\"og:image\" content=\"{picture}\">");
    }
    let card = if picture.is_some() { "summary_large_image" } else { "summary" };
    let _ = write!(page, "<meta name=\"twitter:card\" content=\"{card}\">");
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::path::Path;

    /// PROTOCOL §6.
    const STUB_BYTES_MAX: usize = 1024;

    fn site(preview: &str) -> Site {
        let text = format!("[[site]]\norigin = \"http://127.0.0.1:1\"\n{preview}");
        Config::parse(&text, Path::new("test.toml")).expect("a configuration").sites[0].clone()
    }

    fn calling_itself(agent: &str) -> HeaderMap {
        HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_str(agent).expect("a header"))])
    }

    #[test]
    fn fetchers_are_known_by_what_they_call_themselves_and_browsers_are_none() {
        for agent in [
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "Twitterbot/1.0",
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
            "TelegramBot (like TwitterBot)",
            "WhatsApp/2.23.20.0",
            "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
            "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
            "http.rb/5.1.1 (Mastodon/4.2.0; +https://mastodon.example/)",
        ] {
            assert!(is_fetcher(&calling_itself(agent)), "{agent}");
        }
        for agent in
            ["Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "curl/8.0", "Slackbot 1.0"]
        {
            assert!(!is_fetcher(&calling_itself(agent)), "{agent}");
        }
        let late = format!("{} Twitterbot/1.0", "x".repeat(USER_AGENT_BYTES_MAX));
        assert!(!is_fetcher(&calling_itself(&late)), "only so much is looked at");
        assert!(!is_fetcher(&HeaderMap::new()));
    }

    #[test]
    fn the_longest_stub_has_a_kibibyte_and_words_stay_words() {
        let longest = site(&format!(
            "[site.preview]\ntitle = \"{}\"\ndescription = \"{}\"\npicture = \"https://a.example/{}\"",
            "&".repeat(18),
            "\\\"".repeat(40),
            "x".repeat(182)
        ));
        let page = stub(longest.preview.as_ref().expect("a preview"));
        assert!(page.len() <= STUB_BYTES_MAX, "{}", page.len());
        let hostile = site("[site.preview]\ntitle = \"</title><script>\"\ndescription = \"\\\" onload=x\"");
        let page = stub(hostile.preview.as_ref().expect("a preview"));
        assert!(!page.contains("<script") && !page.contains("\" onload"), "{page}");
        assert!(page.contains("content=\"summary\""));
    }

    #[test]
    fn the_eleventh_stub_of_a_second_is_none_and_a_site_without_words_has_none() {
        let (with, without) = (site("[site.preview]\ntitle = \"A\""), site(""));
        let (previews, metrics) = (Previews::default(), Metrics::new().expect("metrics"));
        let network = ClientNetwork::of([192, 0, 2, 1].into());
        let ask = |site: &Site, second| previews.answer(site, network, &metrics, UnixSeconds(second)).is_some();
        assert!(!ask(&without, 7));
        assert_eq!((0..12).filter(|_| ask(&with, 7)).count(), 10);
        assert!(ask(&with, 8));
        assert_eq!(metrics.previews.get(), 11);
    }
}
