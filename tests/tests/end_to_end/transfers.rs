//! Bodies of any size pass through an admitted request and are never held.

use std::time::Duration;

use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::transfer::{Transfer, Version};
use tests::visitor::{buy, credits};

const GIBIBYTE: u64 = 1 << 30;
const PEAK_KIB_MAX: u64 = 64 * 1024;

fn stage() -> (Stage, impl Fn(Version) -> Transfer) {
    let stage = Stage::new(Front::Proxy, Settings::new().without("table_mib").set("limits.write_timeout_seconds", 30));
    let cookie = buy(&stage.client());
    let port = stage.verifier.port;
    (stage, move |version| Transfer { port, host: HOST.into(), cookie: cookie.clone(), version })
}

#[track_caller]
fn peak_is_small(stage: &Stage) {
    let peak = stage.verifier.memory_kib("VmHWM");
    assert!(peak < PEAK_KIB_MAX, "a peak of {peak} KiB");
}

fn upload(version: Version) {
    let (stage, transfer) = stage();
    assert_eq!(transfer(version).upload(GIBIBYTE), (200, GIBIBYTE.to_string()));
    assert_eq!(stage.origin.uploaded(), GIBIBYTE);
    assert_eq!(credits(&stage.client(), &transfer(version).cookie, "/"), Some(99.0), "one request, one credit");
    peak_is_small(&stage);
}

fn download(version: Version, pause: Duration) {
    let (stage, transfer) = stage();
    assert_eq!(transfer(version).download(GIBIBYTE, pause), (200, GIBIBYTE));
    peak_is_small(&stage);
}

#[test]
fn a_gibibyte_up_over_http_1() {
    upload(Version::One);
}

#[test]
fn a_gibibyte_up_over_http_2() {
    upload(Version::Two);
}

#[test]
fn a_gibibyte_down_over_http_1() {
    download(Version::One, Duration::ZERO);
}

#[test]
fn a_gibibyte_down_over_http_2_to_a_reader_that_stops_for_five_seconds() {
    download(Version::Two, Duration::from_secs(5));
}

#[test]
fn a_gibibyte_down_over_http_1_to_a_reader_that_stops_for_five_seconds() {
    download(Version::One, Duration::from_secs(5));
}

#[test]
fn an_upload_that_is_not_paid_for_is_refused_without_being_read() {
    let stage = Stage::new(Front::Proxy, Settings::new());
    let client = stage.client();
    let head = client.request("POST", "/upload").header("Content-Length", "1073741824").try_send().unwrap();
    assert_eq!(head.status, 429);
    assert_eq!(stage.origin.seen().len(), 0);
}
