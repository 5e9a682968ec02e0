//! What was found so far, and what later looks need of it.

use super::paste::{Front, Thing};
use super::silence::Silence;
use super::visitor::{Answer, Question, Visitor};
use super::{Finding, Outcome};
use crate::cli::DoctorArguments;
use crate::setup::TEST_PATH;

/// One run.
pub(super) struct Examination<'v> {
    pub(super) visitor: &'v Visitor,
    pub(super) base_path: &'v str,
    /// Whether the gate is to be open, and is looked at where it asks for work at all times.
    pub(super) calm: bool,
    /// Ports at which the site could be reached around the gate; empty: the usual ones.
    pub(super) ports: &'v [u16],
    /// Where plain HTTP is.
    pub(super) http_port: u16,
    /// Whose words the lines to paste are in.
    pub(super) front: Front,
    /// A challenge that the gate gave.
    pub(super) challenge: Option<String>,
    /// The cookie that was bought.
    pub(super) clearance: Option<String>,
    /// For whom the verifier takes us.
    pub(super) network: Option<String>,
    pub(super) findings: Vec<Finding>,
}

impl<'v> Examination<'v> {
    pub(super) fn new(visitor: &'v Visitor, arguments: &'v DoctorArguments) -> Self {
        Self {
            visitor,
            base_path: &arguments.base_path,
            calm: arguments.calm,
            ports: &arguments.port,
            http_port: arguments.http_port,
            front: Front::of(arguments.server),
            challenge: None,
            clearance: None,
            network: None,
            findings: Vec::new(),
        }
    }

    /// The page at which the gate is looked at.
    pub(super) fn gated_target(&self) -> &'v str {
        if self.calm { TEST_PATH } else { &self.visitor.target }
    }

    /// An endpoint of the browser's, for the page at which the gate is looked at.
    pub(super) fn endpoint(&self, name: &str, target: &str) -> String {
        let wanted: String = form_urlencoded::Serializer::new(String::new()).append_pair("for", target).finish();
        format!("{}{name}?{wanted}", self.base_path)
    }

    pub(super) async fn get(&self, target: &str) -> Result<Answer, Silence> {
        self.visitor.ask(Question::get(target)).await
    }

    pub(super) fn pass(&mut self, name: &'static str, seen: impl Into<String>) {
        self.findings.push(Finding { name, outcome: Outcome::Passed, seen: seen.into() });
    }

    pub(super) fn fail(&mut self, name: &'static str, seen: impl Into<String>, paste: impl Into<String>) {
        self.findings.push(Finding { name, outcome: Outcome::Failed(paste.into()), seen: seen.into() });
    }

    pub(super) fn skip(&mut self, name: &'static str, seen: impl Into<String>) {
        self.findings.push(Finding { name, outcome: Outcome::Skipped, seen: seen.into() });
    }

    /// What is to be written in the web server in front.
    pub(super) fn line(&self, thing: Thing) -> String {
        self.front.line(thing)
    }
}
