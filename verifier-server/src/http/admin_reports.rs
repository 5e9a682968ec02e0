//! `GET /attacks/N/report?format=…`: the report of an attack, as a file.
//!
//! What strangers sent stands in it: it is handed out to be saved, and is never a page of this listener.

use super::admin_events::AdminBody;
use super::service::Verifier;
use crate::attack_keeper::trusted;
use crate::report::asn::Asns;
use crate::report::{Facts, Format, Times, report};
use clap::ValueEnum;
use hyper::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Reports that are made at the same time: each takes a thread, and some hundred kilobytes.
const AT_ONCE_MAX: usize = 2;
/// How long a further one waits for its turn.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Bytes of the name of a time zone.
const ZONE_BYTES_MAX: usize = 64;

/// Whoever opens it instead of saving it has a document that runs nothing, loads nothing, and has no origin.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; sandbox";

/// Why there is no report.
pub(super) type Refused = (StatusCode, String);

/// The places of those who make reports.
#[derive(Debug)]
pub(super) struct Reports(Arc<Semaphore>);

impl Default for Reports {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE_MAX)))
    }
}

impl Reports {
    /// A place, as soon as there is one.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        tokio::time::timeout(WAIT_MAX, Arc::clone(&self.0).acquire_owned()).await.ok()?.ok()
    }
}

/// The report that is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    number: u32,
    format: Format,
    /// Whose clocks show local times; nothing for this machine's.
    zone: Option<String>,
}

/// Whether it is the path of a report.
pub(super) fn is_one(path: &str) -> bool {
    number_of(path).is_some()
}

/// The number in `/attacks/N/report`, whatever it is.
fn number_of(path: &str) -> Option<&str> {
    path.strip_prefix("/attacks/")?.strip_suffix("/report")
}

/// Makes the report, on a thread that serves nobody else.
pub(super) async fn make(
    verifier: &Arc<Verifier>,
    reports: &Reports,
    path: &str,
    query: &str,
) -> Result<Response<AdminBody>, Refused> {
    let wanted = Wanted::parse(path, query)?;
    let place = reports.place().await.ok_or_else(|| {
        (StatusCode::SERVICE_UNAVAILABLE, "other reports are being made: ask again in a moment".to_owned())
    })?;
    let (number, format, verifier) = (wanted.number, wanted.format, Arc::clone(verifier));
    let made = tokio::task::spawn_blocking(move || {
        // Held until it is made, whether or not somebody still waits for it.
        let _place = place;
        wanted.report(&verifier)
    });
    let text = made.await.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))??;
    Ok(file(number, format, text))
}

impl Wanted {
    fn parse(path: &str, query: &str) -> Result<Self, Refused> {
        let number = number_of(path).and_then(|number| number.parse().ok()).ok_or_else(none)?;
        let mut wanted = Self { number, format: Format::Md, zone: None };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "format" => {
                    let bad = |_| (StatusCode::BAD_REQUEST, "`format` is html, md, json, csv or stix".to_owned());
                    wanted.format = Format::from_str(&value, false).map_err(bad)?;
                }
                "time_zone" if is_zone(&value) => wanted.zone = Some(value.into_owned()),
                "time_zone" => {
                    return Err((StatusCode::BAD_REQUEST, "`time_zone` is a name like Europe/Berlin".to_owned()));
                }
                _ => {}
            }
        }
        Ok(wanted)
    }

    /// For a thread that may wait: it reads files.
    fn report(&self, verifier: &Verifier) -> Result<String, Refused> {
        let times = Times::new(self.zone.as_deref()).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
        let found = verifier.timeline.get(self.number);
        let found = found.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        let attack = found.ok_or_else(none)?;
        let (trusted, asns) = (trusted(&verifier.config.load()), Asns::new());
        Ok(report(&Facts { attack: &attack, trusted: &trusted, asns: &asns, times: &times }, self.format))
    }
}

fn none() -> Refused {
    (StatusCode::NOT_FOUND, "there is no attack of this number".to_owned())
}

/// Whether it can be a name of the time zone database, and no path out of it.
fn is_zone(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte);
    name.len() <= ZONE_BYTES_MAX && name.split('/').all(|part| !part.is_empty() && part.bytes().all(letter))
}

fn file(number: u32, format: Format, text: String) -> Response<AdminBody> {
    let mut response = Response::new(AdminBody::whole(text));
    let headers = response.headers_mut();
    let disposition = format!("attachment; filename=\"attack-{number}.{}\"", format.extension());
    // Digits and an extension of ours: always a header.
    let disposition = HeaderValue::try_from(disposition).unwrap_or(HeaderValue::from_static("attachment"));
    headers.insert(CONTENT_DISPOSITION, disposition);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("content-security-policy", HeaderValue::from_static(POLICY));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_asked_for_by_number_form_and_zone() {
        let wanted = |number, format, zone: Option<&str>| Wanted { number, format, zone: zone.map(str::to_owned) };
        let parse = |path, query| Wanted::parse(path, query).map_err(|(status, _)| status.as_u16());
        assert_eq!(parse("/attacks/7/report", ""), Ok(wanted(7, Format::Md, None)));
        assert_eq!(
            parse("/attacks/7/report", "format=stix&time_zone=America%2FArgentina/Buenos_Aires&more=1"),
            Ok(wanted(7, Format::Stix, Some("America/Argentina/Buenos_Aires")))
        );
        for path in ["/attacks/-7/report", "/attacks//report", "/attacks/../7/report", "/attacks/99999999999/report"] {
            assert!(is_one(path));
            assert_eq!(parse(path, ""), Err(404), "{path}");
        }
        for path in ["/attacks/7", "/attacks/report", "/attacks/7/report/"] {
            assert!(!is_one(path), "{path}");
        }
        for query in ["format=pdf", "format=HTML", "time_zone=../../etc/passwd", "time_zone=/etc/passwd", "time_zone="]
        {
            assert_eq!(parse("/attacks/7/report", query), Err(400), "{query}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn two_reports_are_made_at_once_and_a_third_waits_and_goes() {
        let reports = Reports::default();
        let first = reports.place().await.expect("a place");
        let _second = reports.place().await.expect("a place");
        assert!(reports.place().await.is_none(), "nobody left for as long as it waits");
        let (third, ()) = tokio::join!(reports.place(), async { drop(first) });
        assert!(third.is_some());
    }
}
