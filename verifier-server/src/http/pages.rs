//! The pages that the gate answers with: own words, own styles, no inline code.

use super::assets::{GATE_SMALL_TEMPLATE, GATE_TEMPLATE, MESSAGE_TEMPLATE, PASS_TEMPLATE};
use super::languages::Language;
use super::noscript::NoScript;
use crate::config::{Link, Look, Words};
use crate::html::Html;
use crate::notices::Notice;
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
    /// What the operator has to say besides; the small page has no room for it either.
    pub(super) notice: Option<&'a Notice>,
    /// In which everything is said that is not the site's own.
    pub(super) language: &'static Language,
}

impl GatePage<'_> {
    pub(super) fn render(&self) -> String {
        let shape = self.challenge.shape();
        let template = if self.small { GATE_SMALL_TEMPLATE } else { GATE_TEMPLATE };
        let (words, own) = (&self.language.words, self.look.words_in(self.language.tag));
        // The small page has room for the shortest words only.
        let title = if self.small { &words.title } else { own.title.as_ref().unwrap_or(&words.title) };
        fill(template, self.language, |name| match name {
            "base" => Some(self.base.into()),
            "script" => Some(self.language.gate_script.into()),
            "challenge" => Some(puzzle::encode(self.challenge.bytes()).as_str().into()),
            "count" => Some(shape.count.to_string()),
            "difficulty" => Some(shape.difficulty.attempts().to_string()),
            "expires_in" => Some(self.expires_in.to_string()),
            "method" => Some(escaped(self.method)),
            "site" => Some(site(self.look, self.host, self.base)),
            "title" => Some(title.to_string()),
            "own_title" => Some(own_attributes(own, own.title.as_ref())),
            "text" => Some(own.text.as_ref().unwrap_or(&words.lead).to_string()),
            "own_text" => Some(own_attributes(own, own.text.as_ref())),
            "notice" => Some(self.notice.map(Notice::html).unwrap_or_default().to_owned()),
            "links" => Some(links(self.look)),
            "cancel" => Some(words.cancel.to_string()),
            "progress_name" => Some(words.progress_name.to_string()),
            "colours" => Some(colours(Some(self.look), self.base)),
            "request_id" => Some(escaped(self.request_id)),
            "request" => Some(self.language.request(self.request_id)),
            "noscript_refresh" => Some(self.noscript.refresh()),
            "noscript" if self.small => Some(self.noscript.short_text(words)),
            "noscript" => Some(self.noscript.text(words)),
            _ => None,
        })
    }
}

/// A page that says something and does nothing.
#[derive(Debug)]
pub(super) struct MessagePage<'a> {
    pub(super) base: &'a str,
    pub(super) status: u16,
    pub(super) title: &'a Html,
    pub(super) text: &'a Html,
    pub(super) request_id: &'a str,
    /// Seconds after which the page is fetched again.
    pub(super) refresh_seconds: Option<u32>,
    /// The site's colours.
    pub(super) look: Option<&'a Look>,
    /// What the operator has to say besides.
    pub(super) notice: Option<&'a Notice>,
    /// That of title and text.
    pub(super) language: &'static Language,
}

impl MessagePage<'_> {
    pub(super) fn render(&self) -> String {
        let refresh = self
            .refresh_seconds
            .map_or_else(String::new, |seconds| format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">"));
        fill(MESSAGE_TEMPLATE, self.language, |name| match name {
            "base" => Some(self.base.into()),
            "status" => Some(self.status.to_string()),
            "title" => Some(self.title.to_string()),
            "text" => Some(self.text.to_string()),
            "request" => Some(self.language.request(self.request_id)),
            "refresh" => Some(refresh.clone()),
            "notice" => Some(self.notice.map(Notice::html).unwrap_or_default().to_owned()),
            "links" => self.look.map(links),
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
    pub(super) language: &'static Language,
}

impl PassPage<'_> {
    pub(super) fn render(&self) -> String {
        let words = &self.language.words;
        fill(PASS_TEMPLATE, self.language, |name| match name {
            "base" => Some(self.base.into()),
            "script" => Some(self.language.pass_script.into()),
            "site" => Some(site(self.look, self.host, self.base)),
            "title" => Some(words.pass_title.to_string()),
            "text" => Some(words.pass_lead.to_string()),
            "noscript" => Some(words.pass_noscript.to_string()),
            "use" => Some(words.pass_use.to_string()),
            "open" => Some(words.pass_open.to_string()),
            "request_id" => Some(escaped(self.request_id)),
            "request" => Some(self.language.request(self.request_id)),
            "colours" => Some(colours(Some(self.look), self.base)),
            _ => None,
        })
    }
}

/// Replaces every `{{name}}`; one that nobody knows becomes nothing. What every page says of its language stands here.
fn fill(template: &str, language: &Language, value: impl Fn(&str) -> Option<String>) -> String {
    let of_language = |name: &str| match name {
        "lang" => Some(language.tag.to_owned()),
        "dir" => Some(language.words.direction.clone()),
        "late" => Some(language.words.server_late.to_string()),
        _ => None,
    };
    let mut filled = String::with_capacity(template.len() + 512);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        filled.push_str(&value(name).or_else(|| of_language(name)).unwrap_or_default());
        rest = after;
    }
    filled.push_str(rest);
    filled
}

fn escaped(text: &str) -> String {
    Html::of(text).to_string()
}

/// What the site is called, with its picture, which says the same.
fn site(look: &Look, host: &str, base: &str) -> String {
    let name = look.name.as_ref().map_or_else(|| escaped(host), Html::to_string);
    let logo = look.logo.as_ref();
    logo.map_or(name.clone(), |logo| format!("<img id=\"logo\" src=\"{base}{}\" alt=\"\"> {name}", logo.name))
}

/// The attributes of a part that says the site's own words: the script leaves them, and their language.
fn own_attributes(own: &Words, words: Option<&Html>) -> String {
    match (words, &own.language) {
        (None, _) => String::new(),
        (Some(_), None) => " data-own".to_owned(),
        (Some(_), Some(language)) => format!(" lang=\"{}\" data-own", Html::of(language)),
    }
}

/// Where visitors may go instead.
fn links(look: &Look) -> String {
    let link = |Link { text, address }: &Link| format!("<li><a href=\"{address}\">{text}</a>");
    let links: String = look.links.iter().map(link).collect();
    if links.is_empty() { links } else { format!("<ul id=\"links\" dir=\"auto\">{links}</ul>") }
}

/// The link to a site's own colours, which come after ours.
fn colours(look: Option<&Look>, base: &str) -> String {
    let stylesheet = look.and_then(|look| look.stylesheet.as_ref());
    stylesheet
        .map_or_else(String::new, |stylesheet| format!("<link rel=\"stylesheet\" href=\"{base}{}\">", stylesheet.name))
}

#[cfg(test)]
mod tests {
    use super::super::languages::{english, preferred};
    use super::*;
    use crate::config::Config;
    use crate::gate::TicketOffer;
    use hyper::header::HeaderValue;
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
        page_in(english(), small, look, None)
    }

    fn page_in(language: &'static Language, small: bool, look: &Look, notice: Option<&Notice>) -> String {
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
            method: "DELETE",
            host: LONGEST_HOST,
            request_id: REQUEST_ID,
            noscript: NoScript::new(Some(&TicketOffer::Wait { seconds: 3_600 }), true, [0]),
            small,
            look,
            notice,
            language,
        }
        .render()
    }

    /// As much as a configuration takes of everything.
    fn longest() -> Look {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("logo.svg"), "<svg/>").expect("written");
        let all = ["light", "dark"].map(|scheme| format!("[site.page.{scheme}]\ntone = \"#2a6180\"\n")).concat();
        let links: Vec<String> = (0..4)
            .map(|_| format!("{{ text = \"{}\", to = \"https://{}/\" }}", "d".repeat(30), "e".repeat(41)))
            .collect();
        let text = format!(
            "[[site]]\norigin = \"http://127.0.0.1:1\"\n[site.page]\ntitle = \"{}\"\ntext = \"{}\"\nlanguage = \"{}\"\n\
             name = \"{}\"\nlogo = \"logo.svg\"\nlinks = [{}]\n{all}",
            "\\\"".repeat(120 / 6),
            "&".repeat(560 / 5),
            "ab".repeat(4) + &"-abcdefgh".repeat(3),
            "n".repeat(80),
            links.join(", ")
        );
        Config::parse(&text, &folder.path().join("test.toml")).expect("a configuration").sites[0].look.clone()
    }

    #[test]
    fn pages_are_as_small_as_the_protocol_says_in_every_language_and_with_everything() {
        let look = longest();
        let most = "https://".len() + "<a href=\"https://\"></a>".len();
        let address = "e".repeat((crate::notices::NOTICE_HTML_BYTES_MAX - most) / 2);
        let notice = Notice::new(&format!("https://{address}"), Some(&("ab".repeat(4) + &"-abcdefgh".repeat(3))));
        let notice = notice.expect("fits").expect("not empty");
        for language in super::super::languages::all() {
            let (full, small) =
                (page_in(language, false, &look, Some(&notice)), page_in(language, true, &look, Some(&notice)));
            assert!(full.contains("href=\"/.portcullis/colours.") && !small.contains("colours."));
            assert!(full.contains("src=\"/.portcullis/logo.") && full.contains("id=\"links\""));
            assert!(full.contains("id=\"notice\"") && !small.contains("id=\"notice\""));
            assert!(full.len() <= 4096, "{}: {}: {full}", language.tag, full.len());
            assert!(small.len() <= 640, "{}: {}: {small}", language.tag, small.len());
            assert!(!full.contains("{{") && !small.contains("{{"));
            assert!(full.contains("data-challenge=") && small.contains("data-challenge="));
        }
    }

    #[test]
    fn a_sites_words_stand_in_its_page_as_text_and_in_their_language() {
        let look = look(
            "title = \"Einen <Moment>\"\ntext = \"Gleich \\\"da\\\".\"\nlanguage = \"de\"\n[[site.page.translation]]\n\
             language = \"fr-CA\"\ntitle = \"Un instant\"",
        );
        let html = page(false, &look);
        assert_eq!(html.matches("Einen &lt;Moment&gt;").count(), 2, "{html}");
        assert!(html.contains("lang=\"de\" data-own>Gleich &quot;da&quot;.</p>"), "{html}");
        let french = preferred(Some(&HeaderValue::from_static("fr")), None);
        let html = page_in(french, false, &look, None);
        assert!(html.contains("lang=\"fr-CA\" data-own>Un instant</h1>"), "{html}");
        assert!(html.contains(french.words.lead.as_str()), "what is not translated is said in the visitor's language");
        let usual = page(false, &Look::default());
        assert_eq!(usual.matches("lang=").count(), 1);
        assert!(usual.contains("One moment, please") && usual.contains("stored.</p>"), "{usual}");
    }

    #[test]
    fn what_a_stranger_sent_cannot_become_markup() {
        let page = MessagePage {
            base: "/.portcullis/",
            status: 502,
            title: &Html::of("<script>"),
            text: &Html::of("\"'&"),
            request_id: "\"><script>",
            refresh_seconds: Some(3),
            look: None,
            notice: None,
            language: english(),
        };
        let html = page.render();
        assert!(html.contains("&lt;script&gt;") && html.contains("&quot;&#39;&amp;") && !html.contains("<script"));
        assert!(html.contains("<meta http-equiv=\"refresh\" content=\"3\">"));
    }
}
