//! Lines of a web server's log: as datagrams while it runs, and in files for `portcullis learn`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use verifier_server::learn::Entry;
use verifier_server::load::access_log::Line;

fuzz_target!(|bytes: &[u8]| {
    if let Some(line) = Line::parse(bytes) {
        assert!(line.upstream.is_none_or(|upstream| upstream.delay.as_secs() <= 3_600));
    }
    let text = String::from_utf8_lossy(bytes);
    if let Some(entry) = Entry::parse(&text) {
        assert!(text.contains(entry.method(&text)) && text.contains(entry.target(&text)));
    }
});
