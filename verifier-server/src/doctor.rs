//! `portcullis doctor`: is this site protected now, seen from outside? At most forty requests, and for each thing that is wrong
//! the line to paste.

mod admission;
mod examination;
mod forgery;
mod names;
mod page;
mod paste;
mod ports;
mod reach;
mod silence;
mod visitor;

use crate::cli::DoctorArguments;
use crate::tls::TlsError;
use examination::Examination;
pub use paste::Kind;
use std::fmt;
use visitor::Visitor;

/// Requests of one run.
pub const REQUESTS_MAX: u32 = 40;

/// Why nothing could be looked at.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// The address cannot be used.
    #[error("{0}")]
    Address(String),
    /// The file with authorities cannot be used.
    #[error("{0}")]
    Tls(#[from] TlsError),
}

/// What became of one thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is as it should be.
    Passed,
    /// It is not; what to write, and where.
    Failed(String),
    /// It could not be looked at, or does not apply.
    Skipped,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name, the same in every run.
    pub name: &'static str,
    /// What became of it.
    pub outcome: Outcome,
    /// What was seen, in plain words.
    pub seen: String,
}

/// Everything that was looked at.
#[derive(Debug)]
pub struct Report {
    /// In the order in which it was.
    pub findings: Vec<Finding>,
    /// How many requests it took.
    pub requests: u32,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        !self.findings.iter().any(|finding| matches!(finding.outcome, Outcome::Failed(_)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { name, outcome, seen } in &self.findings {
            let mark = match outcome {
                Outcome::Passed => "pass",
                Outcome::Failed(_) => "FAIL",
                Outcome::Skipped => "  - ",
            };
            writeln!(formatter, "{mark}  {name:<16} {seen}")?;
            if let Outcome::Failed(paste) = outcome {
                for line in paste.lines() {
                    writeln!(formatter, "        {line}")?;
                }
            }
        }
        let failed = self.findings.iter().filter(|finding| matches!(finding.outcome, Outcome::Failed(_))).count();
        let requests = self.requests;
        match failed {
            0 => write!(formatter, "\nNothing is wrong that can be seen from here. {requests} requests."),
            1 => write!(formatter, "\nOne thing is wrong. {requests} requests."),
            _ => write!(formatter, "\n{failed} things are wrong. {requests} requests."),
        }
    }
}

/// Looks at a site.
///
/// # Errors
/// See [`DoctorError`]; that something is wrong with the site is no error.
pub async fn run(arguments: &DoctorArguments) -> Result<Report, DoctorError> {
    let visitor = Visitor::of(arguments).await?;
    let mut examination = Examination::new(&visitor, arguments);
    page::look(&mut examination).await;
    admission::look(&mut examination).await;
    forgery::look(&mut examination).await;
    reach::look(&mut examination).await;
    names::look(&mut examination).await;
    ports::look(&mut examination).await;
    Ok(Report { findings: examination.findings, requests: visitor.asked() })
}
