//! What the pages and a first visit may weigh. A build that is over a limit fails.

use anyhow::ensure;

use super::languages::{Language, SOURCE};
use super::publish::Sizes;

/// What one file, by its logical name, may weigh in gzip.
const SOLVER_GZIP_BYTES_MAX: (&str, usize) = ("solver-simd.wasm", 5 * 1024);
/// What a site's own pages load before there is anything to solve.
const TAG_GZIP_BYTES_MAX: (&str, usize) = ("portcullis.js", 6 * 1024);
/// What a page loads besides, and the solver, where it has a widget or a form that needs a token.
const WIDGET_GZIP_BYTES_MAX: (&str, usize) = ("widget.js", 4 * 1024);
/// Page, script and worker, style, and the solver that the browser picks: what a server may send before it hears from a
/// new visitor again, so that a first visit takes one round trip less (RFC 6928: ten segments of 1,460 bytes, less heads).
const FIRST_VISIT_GZIP_BYTES_MAX: usize = 14_336;
/// What a browser loads besides where it solves `hashwx`: worker and solver.
const HASHWX_GZIP_BYTES_MAX: usize = 24 * 1024;
/// A page as it is sent, uncompressed: what a flood of requests makes the verifier send (PROTOCOL §6).
const PAGE_BYTES_MAX: [(&str, usize); 3] = [("gate.html", 4096), ("gate-small.html", 640), ("pass.html", 4096)];

/// What only a browser loads that solves `hashwx`.
const HASHWX: [&str; 2] = ["hashwx.js", "hashwx.wasm"];

/// What a browser with simd128 loads for one visit: the first two in the visitor's language.
const FIRST_VISIT: [&str; 4] = ["gate.html", "gate.js", "gate.css", "solver-simd.wasm"];
const IN_LANGUAGE: usize = 2;

/// Any challenge: 64 bytes that do not compress.
const CHALLENGE: &str = "AQErAgAAEABrA0nAASwAAIZfMpR5Cjihp18-7LDgfP9TaXtEMhWDwYiFc5_LDeSbxvBeZyPjsY5F4QGLX5glVg";

const REQUEST_ID: &str = "0123456789abcdef0123456789abcdef";

/// The most that the verifier writes between the tags of the small page. The other one has room.
const NOSCRIPT: &str = "<meta http-equiv=refresh content=3600>";

/// Fills a page in as the verifier does, with a challenge of full length and ordinary values.
pub(crate) fn filled(template: &str, language: &Language) -> String {
    let of_pass = template.contains("{{use}}");
    let (title, text) = if of_pass { ("pass_title", "pass_lead") } else { ("title", "lead") };
    let noscript =
        if of_pass { language.say("pass_noscript").to_owned() } else { NOSCRIPT.to_owned() + language.say("title") };
    let tag = &language.tag;
    let values = [
        ("base", "/.portcullis/"),
        ("cancel", language.say("cancel")),
        ("challenge", CHALLENGE),
        ("count", "8"),
        ("difficulty", "32768"),
        ("dir", language.say("direction")),
        ("expires_in", "300"),
        ("site", "www.example.org"),
        ("lang", tag),
        ("late", language.say("server_late")),
        ("method", "GET"),
        ("noscript", &noscript),
        ("noscript_refresh", "<noscript><meta http-equiv=refresh content=3600></noscript>"),
        ("open", language.say("pass_open")),
        ("progress_name", language.say("progress_name")),
        ("request", &language.say("request").replace("{id}", REQUEST_ID)),
        ("request_id", REQUEST_ID),
        ("script", &format!("gate-{tag}.0123456789abcdef.js")),
        ("text", language.say(text)),
        ("title", language.say(title)),
        ("use", language.say("pass_use")),
    ];
    let page =
        values.iter().fold(template.to_owned(), |page, (name, value)| page.replace(&format!("{{{{{name}}}}}"), value));
    // What only some sites have: their own colours, words and links.
    page.split("{{").map(|part| part.split_once("}}").map_or(part, |(_, after)| after)).collect()
}

/// What a file is called in the sizes that there is one of for each language.
pub(crate) fn in_language(name: &str, tag: &str) -> String {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    format!("{stem}-{tag}.{extension}")
}

/// The sum over what a first visit loads, in one language.
fn first_visit_in(sizes: &[Sizes], tag: &str) -> Sizes {
    let names: Vec<String> = FIRST_VISIT
        .iter()
        .enumerate()
        .map(|(index, name)| if index < IN_LANGUAGE { in_language(name, tag) } else { (*name).to_owned() })
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    sum(&format!("a first visit, {tag}"), &names, sizes)
}

/// The sums over what a first visit loads, in English and in the language in which it is most.
pub(crate) fn first_visits(sizes: &[Sizes]) -> Vec<Sizes> {
    let tags = sizes.iter().filter_map(|size| size.name.strip_prefix("gate-")?.strip_suffix(".js"));
    let heaviest = tags.map(|tag| first_visit_in(sizes, tag)).max_by_key(|sum| sum.gzip);
    [first_visit_in(sizes, SOURCE)].into_iter().chain(heaviest).collect()
}

/// The sum over what `hashwx` adds.
pub(crate) fn hashwx(sizes: &[Sizes]) -> Sizes {
    sum("hashwx adds", &HASHWX, sizes)
}

fn sum(name: &str, names: &[&str], sizes: &[Sizes]) -> Sizes {
    let mut total = Sizes { name: name.to_owned(), raw: 0, gzip: 0, brotli: 0 };
    for size in sizes.iter().filter(|size| names.contains(&size.name.as_str())) {
        total.raw += size.raw;
        total.gzip += size.gzip;
        total.brotli += size.brotli;
    }
    total
}

/// Whether `name` is the file `of` in some language.
fn is_in_language(name: &str, of: &str) -> bool {
    let tag = of.rsplit_once('.').and_then(|(stem, extension)| {
        name.strip_prefix(stem)?.strip_prefix('-')?.strip_suffix(extension)?.strip_suffix('.')
    });
    tag.is_some_and(|tag| tag.len() == 2)
}

/// Fails at the first limit that is passed.
pub(crate) fn check(sizes: &[Sizes]) -> anyhow::Result<()> {
    for size in sizes {
        for (page, bytes_max) in PAGE_BYTES_MAX {
            let (name, raw) = (&size.name, size.raw);
            ensure!(
                !is_in_language(name, page) || raw <= bytes_max,
                "{name} has {raw} bytes filled in; at most {bytes_max}"
            );
        }
        for (file, bytes_max) in [SOLVER_GZIP_BYTES_MAX, TAG_GZIP_BYTES_MAX, WIDGET_GZIP_BYTES_MAX] {
            let gzip = size.gzip;
            ensure!(size.name != file || gzip <= bytes_max, "{file} has {gzip} bytes in gzip; at most {bytes_max}");
        }
    }
    for Sizes { name, gzip, .. } in first_visits(sizes) {
        let names = FIRST_VISIT.join(", ");
        ensure!(
            gzip <= FIRST_VISIT_GZIP_BYTES_MAX,
            "{name} loads {gzip} bytes in gzip ({names}); at most {FIRST_VISIT_GZIP_BYTES_MAX}"
        );
    }
    let more = hashwx(sizes).gzip;
    let names = HASHWX.join(", ");
    ensure!(
        more <= HASHWX_GZIP_BYTES_MAX,
        "hashwx adds {more} bytes in gzip ({names}); at most {HASHWX_GZIP_BYTES_MAX}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(changed: &str, raw: usize, gzip: usize) -> Vec<Sizes> {
        let usual = [
            ("gate-en.html", 4096, 800),
            ("gate-ru.html", 4096, 800),
            ("gate-small-en.html", 640, 400),
            ("pass-en.html", 4096, 900),
            ("gate-en.js", 20_000, 7_536),
            ("gate-ru.js", 20_000, 7_536),
            ("gate.css", 3_000, 880),
            ("solver-simd.wasm", 17_000, 5_120),
            ("solver-scalar.wasm", 9_000, 9_000),
            ("portcullis.js", 20_000, 6_144),
            ("widget.js", 10_000, 4_096),
            ("hashwx.js", 5_000, 2_576),
            ("hashwx.wasm", 40_000, 22_000),
        ];
        let size = |(name, usual_raw, usual_gzip)| {
            let (raw, gzip) = if name == changed { (raw, gzip) } else { (usual_raw, usual_gzip) };
            Sizes { name: String::from(name), raw, gzip, brotli: gzip }
        };
        usual.map(size).into()
    }

    #[test]
    fn every_limit_may_be_reached_and_not_passed() {
        check(&sizes("", 0, 0)).expect("each at its limit");
        for (name, raw, gzip, message) in [
            ("gate-ru.html", 4097, 800, "gate-ru.html has 4097 bytes filled in; at most 4096"),
            ("gate-small-en.html", 641, 1, "gate-small-en.html has 641 bytes filled in; at most 640"),
            ("pass-en.html", 4097, 1, "pass-en.html has 4097 bytes filled in; at most 4096"),
            ("solver-simd.wasm", 17_000, 5_121, "solver-simd.wasm has 5121 bytes in gzip; at most 5120"),
            ("portcullis.js", 20_000, 6_145, "portcullis.js has 6145 bytes in gzip; at most 6144"),
            ("widget.js", 10_000, 4_097, "widget.js has 4097 bytes in gzip; at most 4096"),
            ("gate-ru.js", 20_000, 7_537, "a first visit, ru loads 14337 bytes in gzip"),
            ("gate-en.html", 4096, 801, "a first visit, en loads 14337 bytes in gzip"),
            ("hashwx.js", 5_000, 2_577, "hashwx adds 24577 bytes in gzip"),
        ] {
            let error = check(&sizes(name, raw, gzip)).expect_err(name).to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn pages_are_weighed_with_everything_filled_in() {
        let languages =
            super::super::languages::read(&crate::steps::workspace().join("www/languages")).expect("languages");
        let page = filled("<p>{{challenge}} {{site}} {{site}}{{colours}}</p>", &languages[0]);
        assert_eq!(page.len(), "<p></p>".len() + 86 + 2 * " www.example.org".len());
        assert!(!page.contains("{{"));
    }
}
