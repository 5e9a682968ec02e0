//! What the pages and a first visit may weigh. A build that is over a limit fails.

use anyhow::ensure;

use super::publish::Sizes;

/// What one file, by its logical name, may weigh in gzip.
const SOLVER_GZIP_BYTES_MAX: (&str, usize) = ("solver-simd.wasm", 5 * 1024);
/// What a site's own pages load before there is anything to solve.
const TAG_GZIP_BYTES_MAX: (&str, usize) = ("portcullis.js", 6 * 1024);
/// Page, script and worker, style, and the solver that the browser picks: what a server may send before it hears from a
/// new visitor again, so that a first visit takes one round trip less (RFC 6928: ten segments of 1,460 bytes, less heads).
const FIRST_VISIT_GZIP_BYTES_MAX: usize = 14_336;
/// What a browser loads besides where it solves `hashwx`: worker and solver.
const HASHWX_GZIP_BYTES_MAX: usize = 24 * 1024;
/// A page as it is sent, uncompressed: what a flood of requests makes the verifier send (PROTOCOL §6).
const PAGE_BYTES_MAX: [(&str, usize); 3] = [("gate.html", 4096), ("gate-small.html", 640), ("pass.html", 4096)];

/// What only a browser loads that solves `hashwx`.
const HASHWX: [&str; 2] = ["hashwx.js", "hashwx.wasm"];

/// What a browser with simd128 loads for one visit.
const FIRST_VISIT: [&str; 4] = ["gate.html", "gate.js", "gate.css", "solver-simd.wasm"];

/// Any challenge: 64 bytes that do not compress.
const CHALLENGE: &str = "AQErAgAAEABrA0nAASwAAIZfMpR5Cjihp18-7LDgfP9TaXtEMhWDwYiFc5_LDeSbxvBeZyPjsY5F4QGLX5glVg";

/// The most that the verifier writes between the tags of the small page. The other one has room.
const NOSCRIPT: &str = "<meta http-equiv=refresh content=3600>Please wait.";

/// What the page says where a site has no words of its own.
const TEXT: &str = "This site protects itself against a flood of automated requests. Before the page opens, your device does a \
     short calculation. There is nothing for you to do. No other company takes part, and nothing about you is stored.";

/// Fills a page in as the verifier does, with a challenge of full length and ordinary values.
pub(crate) fn filled(template: &str) -> String {
    let values = [
        ("base", "/.portcullis/"),
        ("colours", ""),
        ("challenge", CHALLENGE),
        ("count", "8"),
        ("difficulty", "32768"),
        ("expires_in", "300"),
        ("language", ""),
        ("text", TEXT),
        ("title", "One moment, please"),
        ("host", "www.example.org"),
        ("method", "GET"),
        ("noscript", NOSCRIPT),
        ("noscript_refresh", "<noscript><meta http-equiv=refresh content=3600></noscript>"),
        ("request_id", "0123456789abcdef0123456789abcdef"),
    ];
    values.iter().fold(template.to_owned(), |page, (name, value)| page.replace(&format!("{{{{{name}}}}}"), value))
}

/// The sum over what a first visit loads.
pub(crate) fn first_visit(sizes: &[Sizes]) -> Sizes {
    sum("a first visit", &FIRST_VISIT, sizes)
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

/// Fails at the first limit that is passed.
pub(crate) fn check(sizes: &[Sizes]) -> anyhow::Result<()> {
    for size in sizes {
        for (page, bytes_max) in PAGE_BYTES_MAX {
            let raw = size.raw;
            ensure!(size.name != page || raw <= bytes_max, "{page} has {raw} bytes filled in; at most {bytes_max}");
        }
        for (file, bytes_max) in [SOLVER_GZIP_BYTES_MAX, TAG_GZIP_BYTES_MAX] {
            let gzip = size.gzip;
            ensure!(size.name != file || gzip <= bytes_max, "{file} has {gzip} bytes in gzip; at most {bytes_max}");
        }
    }
    let total = first_visit(sizes).gzip;
    let names = FIRST_VISIT.join(", ");
    ensure!(
        total <= FIRST_VISIT_GZIP_BYTES_MAX,
        "a first visit loads {total} bytes in gzip ({names}); at most {FIRST_VISIT_GZIP_BYTES_MAX}"
    );
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
            ("gate.html", 4096, 800),
            ("gate-small.html", 640, 400),
            ("pass.html", 4096, 900),
            ("gate.js", 20_000, 7_536),
            ("gate.css", 3_000, 880),
            ("solver-simd.wasm", 17_000, 5_120),
            ("solver-scalar.wasm", 9_000, 9_000),
            ("portcullis.js", 20_000, 6_144),
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
            ("gate.html", 4097, 800, "gate.html has 4097 bytes filled in; at most 4096"),
            ("gate-small.html", 641, 1, "gate-small.html has 641 bytes filled in; at most 640"),
            ("pass.html", 4097, 1, "pass.html has 4097 bytes filled in; at most 4096"),
            ("solver-simd.wasm", 17_000, 5_121, "solver-simd.wasm has 5121 bytes in gzip; at most 5120"),
            ("portcullis.js", 20_000, 6_145, "portcullis.js has 6145 bytes in gzip; at most 6144"),
            ("gate.js", 20_000, 7_537, "a first visit loads 14337 bytes in gzip"),
            ("hashwx.js", 5_000, 2_577, "hashwx adds 24577 bytes in gzip"),
        ] {
            let error = check(&sizes(name, raw, gzip)).expect_err(name).to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn pages_are_weighed_with_everything_filled_in() {
        let page = filled("<p>{{challenge}} {{host}} {{host}}</p>");
        assert_eq!(page.len(), "<p></p>".len() + 86 + 2 * " www.example.org".len());
        assert!(!page.contains("{{"));
    }
}
