//! The pages that the gate answers with: own words, own styles, no inline code.

use super::assets::{GATE_SMALL_TEMPLATE, GATE_TEMPLATE, MESSAGE_TEMPLATE};
use super::noscript::NoScript;
use puzzle::Challenge;

/// Policy of the challenge page: nothing but our own files, nothing inline, Trusted Types on. A frame of another site
/// may show it, because it says there why it does not solve: there is nothing on it that a stolen click could do.
pub(super) const GATE_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self' data:; worker-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     require-trusted-types-for 'script'; trusted-types portcullis";
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
            "request_id" => Some(escaped(self.request_id)),
            "noscript_refresh" => Some(self.noscript.refresh()),
            "noscript" => Some(if self.small { self.noscript.short_text() } else { self.noscript.text() }),
            _ => None,
        })
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

/// Text as it may stand in HTML, in an attribute too.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::TicketOffer;
    use puzzle::{Algorithm, Audience, DayKeys, Difficulty, Master, NewChallenge, Purpose, Shape, UnixSeconds};
    use std::num::NonZeroU16;

    const LONGEST_HOST: &str = "a-rather-long-name-of-a-campaign.example.org";
    const REQUEST_ID: &str = "00112233445566778899aabbccddeeff";

    fn page(small: bool) -> String {
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
        }
        .render()
    }

    #[test]
    fn pages_are_as_small_as_the_protocol_says() {
        let (full, small) = (page(false), page(true));
        assert!(full.len() <= 4096, "{}", full.len());
        assert!(small.len() <= 640, "{}: {small}", small.len());
        assert!(!full.contains("{{") && !small.contains("{{"));
        assert!(full.contains("data-challenge=") && small.contains("data-challenge="));
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
        };
        let html = page.render();
        assert!(html.contains("&lt;script&gt;") && html.contains("&quot;&#39;&amp;"));
        assert!(html.contains("<meta http-equiv=\"refresh\" content=\"3\">"));
    }
}
