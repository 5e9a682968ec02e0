//! The pages that the gate answers with: own words, own styles, no inline code.

use super::assets::{GATE_SMALL_TEMPLATE, GATE_TEMPLATE, MESSAGE_TEMPLATE, PASS_TEMPLATE};
use super::noscript::NoScript;
use crate::config::Look;
use crate::html::Html;
use puzzle::Challenge;

/// Policy of the challenge page: nothing but our own files, nothing inline, Trusted Types on. A frame of another site
/// may show it, because it says there why it does not solve: there is nothing on it that a stolen click could do.
pub(super) const GATE_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self' data:; worker-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     require-trusted-types-for 'script'; trusted-types portcullis";
/// Policy of the page of a staff pass. Nobody may frame it: there is a button on it.
pub(super) const PASS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";
/// Policy of every other page.
pub(super) const MESSAGE_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'self'; require-trusted-types-for 'script'";

/// What a challenge page says.
#[derive(Debug)]
pub(super) struct GatePage<'a> {
    pub(super) base: &'a str,
    pub(super) challenge: &'a Challenge,
    pub(super) expires_in: u32,
    pub(super) method: &'a str,
    pub(super) host: &'a str,
    pub(super) request_id: &'a str,
    /// What it is where no script runs.
    pub(super) noscript: NoScript,
    /// For a network that fetches many pages: at most 640 bytes.
    pub(super) small: bool,
    /// The site's words and colours; the small page has room for neither.
    pub(super) look: &'a Look,
}

impl GatePage<'_> {
    pub(super) fn render(&self) -> String {
        let shape = self.challenge.shape();
        let template = if self.small { GATE_SMALL_TEMPLATE } else { GATE_TEMPLATE };
        fill(template, |name| match name {
            "base" => Some(self.base.into()),
            "challenge" => Some(puzzle::encode(self.challenge.bytes()).as_str().into()),
            "count" => Some(shape.count.to_string()),
            "difficulty" => Some(shape.difficulty.attempts().to_string()),
            "expires_in" => Some(self.expires_in.to_string()),
            "method" => Some(escaped(self.method)),
            "host" => Some(escaped(self.host)),
            "title" => Some(self.look.words.title.to_string()),
            "text" => Some(self.look.words.text.to_string()),
            "language" => Some(self.language()),
            "colours" => Some(colours(Some(self.look), self.base)),
            "request_id" => Some(escaped(self.request_id)),
            "noscript_refresh" => Some(self.noscript.refresh()),
            "noscript" => Some(if self.small { self.noscript.short_text() } else { self.noscript.text() }),
            _ => None,
        })
    }

    /// The attribute that names the language of the site's own words.
    fn language(&self) -> String {
        let language = self.look.words.language.as_ref();
        language.map_or_else(String::new, |language| format!(" lang=\"{}\"", Html::of(language)))
    }
}

/// A page that says something and does nothing.
#[derive(Debug)]
pub(super) struct MessagePage<'a> {
    pub(super) base: &'a str,
    pub(super) status: u16,
    pub(super) title: &'a str,
    pub(super) text: &'a str,
    pub(super) request_id: &'a str,
    /// Seconds after which the page is fetched again.
    pub(super) refresh_seconds: Option<u32>,
    /// The site's colours.
    pub(super) look: Option<&'a Look>,
}

impl MessagePage<'_> {
    pub(super) fn render(&self) -> String {
        let refresh = self
            .refresh_seconds
            .map_or_else(String::new, |seconds| format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">"));
        fill(MESSAGE_TEMPLATE, |name| match name {
            "base" => Some(self.base.into()),
            "status" => Some(self.status.to_string()),
            "title" => Some(escaped(self.title)),
            "text" => Some(escaped(self.text)),
            "request_id" => Some(escaped(self.request_id)),
            "refresh" => Some(refresh.clone()),
            "colours" => Some(colours(self.look, self.base)),
            _ => None,
        })
    }
}

/// The page on which a staff pass is redeemed. The same for everybody: what the link brings only its script sees.
#[derive(Debug)]
pub(super) struct PassPage<'a> {
    pub(super) base: &'a str,
    pub(super) host: &'a str,
    pub(super) request_id: &'a str,
    /// The site's colours.
    pub(super) look: &'a Look,
}

impl PassPage<'_> {
    pub(super) fn render(&self) -> String {
        fill(PASS_TEMPLATE, |name| match name {
            "base" => Some(self.base.into()),
            "host" => Some(escaped(self.host)),
            "request_id" => Some(escaped(self.request_id)),
            "colours" => Some(colours(Some(self.look), self.base)),
            _ => None,
        })
    }
}

/// Replaces every `{{name}}`; one that nobody knows becomes nothing.
fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(template.len() + 512);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        filled.push_str(&value(name).unwrap_or_default());
        rest = after;
    }
    filled.push_str(rest);
    filled
}

fn escaped(text: &str) -> String {
    Html::of(text).to_string()
}

/// The link to a site's own colours, which come after ours.
fn colours(look: Option<&Look>, base: &str) -> String {
    let stylesheet = look.and_then(|look| look.stylesheet.as_ref());
    stylesheet
        .map_or_else(String::new, |stylesheet| format!("<link rel=\"stylesheet\" href=\"{base}{}\">", stylesheet.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::gate::TicketOffer;
    use puzzle::{Algorithm, Audience, DayKeys, Difficulty, Master, NewChallenge, Purpose, Shape, UnixSeconds};
    use std::num::NonZeroU16;
    use std::path::Path;

    const LONGEST_HOST: &str = "a-rather-long-name-of-a-campaign.example.org";
    const REQUEST_ID: &str = "00112233445566778899aabbccddeeff";

    fn look(page: &str) -> Look {
        let text = format!("[[site]]\norigin = \"http://127.0.0.1:1\"\n[site.page]\n{page}");
        Config::parse(&text, Path::new("test.toml")).expect("a configuration").sites[0].look.clone()
    }

    fn page(small: bool, look: &Look) -> String {
        let now = UnixSeconds(1_800_000_000);
        let keys = DayKeys::derive(&Master([1; 32]), now.day());
        let challenge = keys.issue(&NewChallenge {
            shape: Shape { algorithm: Algorithm::Sha256, count: 8, difficulty: Difficulty::MIN },
            issued_at: now,
            lifetime_seconds: NonZeroU16::MAX,
            purpose: Purpose::Gate,
            standing: false,
            random: [7; 16],
            binding: [0; 8],
            site: keys.site_tag(Audience::Site("main")),
        });
        GatePage {
            base: "/.portcullis/",
            challenge: &challenge,
            expires_in: 300,
            method: "GET",
            host: LONGEST_HOST,
            request_id: REQUEST_ID,
            noscript: NoScript::new(Some(&TicketOffer::Wait { seconds: 3_600 }), true, [0]),
            small,
            look,
        }
        .render()
    }

    #[test]
    fn pages_are_as_small_as_the_protocol_says() {
        let all = ["light", "dark"].map(|scheme| format!("[site.page.{scheme}]\ntone = \"#2a6180\"\n")).concat();
        let longest = format!(
            "title = \"{}\"\ntext = \"{}\"\nlanguage = \"{}\"\n{all}",
            "\\\"".repeat(160 / 6),
            "&".repeat(1_200 / 5),
            "ab".repeat(4) + &"-abcdefgh".repeat(3)
        );
        let (full, small) = (page(false, &look(&longest)), page(true, &look(&longest)));
        assert!(full.contains("href=\"/.portcullis/colours.") && !small.contains("colours."));
        assert!(full.len() <= 4096, "{}", full.len());
        assert!(small.len() <= 640, "{}: {small}", small.len());
        assert!(!full.contains("{{") && !small.contains("{{"));
        assert!(full.contains("data-challenge=") && small.contains("data-challenge="));
    }

    #[test]
    fn a_sites_words_stand_in_its_page_as_text_and_in_their_language() {
        let look = look("title = \"Einen <Moment>\"\ntext = \"Gleich \\\"da\\\".\"\nlanguage = \"de\"");
        let html = page(false, &look);
        assert_eq!(html.matches("Einen &lt;Moment&gt;").count(), 2, "{html}");
        assert!(html.contains("lang=\"de\">Gleich &quot;da&quot;.</p>"), "{html}");
        let usual = page(false, &Look::default());
        assert_eq!(usual.matches("lang=").count(), 1);
        assert!(usual.contains("One moment, please") && usual.contains("stored.</p>"), "{usual}");
    }

    #[test]
    fn what_a_stranger_sent_cannot_become_markup() {
        let page = MessagePage {
            base: "/.portcullis/",
            status: 502,
            title: "<script>",
            text: "\"'&",
            request_id: REQUEST_ID,
            refresh_seconds: Some(3),
            look: None,
        };
        let html = page.render();
        assert!(html.contains("&lt;script&gt;") && html.contains("&quot;&#39;&amp;"));
        assert!(html.contains("<meta http-equiv=\"refresh\" content=\"3\">"));
    }
}
