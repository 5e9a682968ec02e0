//! The report of the demo's attack: a summary for the terminal, a page for the browser, and the command that writes it.

use super::lines::paragraph;
use crate::http::Verifier;
use crate::report::asn::Asns;
use crate::report::{Facts, Format, Times, report, summary};
use std::path::Path;

/// What the terminal tells; nothing where no attack was noticed.
pub(super) fn lines(verifier: &Verifier, config: &Path, folder: &Path) -> Vec<String> {
    let latest = verifier.timeline.list().first().map(|attack| attack.number);
    let Some(attack) = latest.and_then(|number| verifier.timeline.get(number).ok().flatten()) else {
        return Vec::new();
    };
    let Ok(times) = Times::new(None) else { return Vec::new() };
    let facts = Facts { attack: &attack, trusted: &[], asns: &Asns::new(), times: &times };
    let mut lines = vec![String::new(), format!("REPORT: attack {}", attack.number), String::new()];
    for sentences in summary(&facts).lines() {
        lines.extend(paragraph(sentences));
        lines.push(String::new());
    }
    let page = folder.join("report.html");
    match std::fs::write(&page, report(&facts, Format::Html)) {
        Ok(()) => lines.push(format!("All of it, as a page:  file://{}", page.display())),
        Err(error) => lines.push(format!("The page could not be written: {error}")),
    }
    lines.push(format!("In other forms:  portcullis report {} --config {}", attack.number, config.display()));
    lines
}
