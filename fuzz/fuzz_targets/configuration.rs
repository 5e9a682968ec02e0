//! Any text as configuration: taken, or told with its line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;
use verifier_server::config::Config;
use verifier_server::explain::explain;

fuzz_target!(|text: &str| {
    match Config::parse(text, Path::new("portcullis.toml")) {
        Ok(config) => assert!(!explain(&config).is_empty()),
        Err(problems) => assert!(problems.count() > 0),
    }
});
