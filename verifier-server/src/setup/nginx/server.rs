//! One `server { … }`: whether it can be gated as it stands.

use super::super::plan::{GATED_ALREADY, Problem};
use super::super::verifier::Verifier;
use super::config::{Configuration, Directive};
use super::files::SERVER_FILE;

/// A server.
#[derive(Debug)]
pub(super) struct Server<'c> {
    /// Its directive.
    pub(super) directive: &'c Directive,
    /// Its names, as they are written.
    pub(super) names: Vec<&'c str>,
}

/// What becomes of a server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is gated.
    Gate,
    /// It stays as it is.
    LeftAlone(&'static str),
}

impl<'c> Server<'c> {
    pub(super) fn of(directive: &'c Directive) -> Self {
        let children = directive.children();
        let names = children.iter().filter(|child| child.name == "server_name").flat_map(|child| &child.arguments);
        Self { directive, names: names.map(String::as_str).collect() }
    }

    /// Its names as `--site` takes them.
    pub(super) fn chosen_by(&self) -> impl Iterator<Item = &'c str> {
        self.names.iter().map(|name| name.trim_start_matches('.'))
    }

    /// Its names, for people.
    pub(super) fn told(&self) -> String {
        if self.names.is_empty() { "(no name)".to_owned() } else { self.names.join(" ") }
    }

    pub(super) fn verdict(&self, chosen: &[String]) -> Verdict {
        let is_chosen = |name: &str| chosen.iter().any(|host| host.eq_ignore_ascii_case(name));
        if !chosen.is_empty() && !self.chosen_by().any(is_chosen) {
            return Verdict::LeftAlone("it was not chosen");
        }
        let children = self.directive.children();
        let has_ours = |child: &&&Directive| child.name == "include" && child.told().ends_with(SERVER_FILE);
        if children.iter().any(|child| has_ours(&child)) {
            return Verdict::LeftAlone(GATED_ALREADY);
        }
        let returns = |directive: &Directive| directive.children().iter().any(|child| child.name == "return");
        if returns(self.directive) {
            return Verdict::LeftAlone("it answers by `return`, which asks nobody and costs nothing");
        }
        let mut locations = children.iter().filter(|child| child.name == "location").peekable();
        let costs_nothing = |location: &&Directive| returns(location) || location.told().contains("/.well-known/");
        if locations.peek().is_some() && locations.all(costs_nothing) && self.returns_at_root() {
            return Verdict::LeftAlone("it only redirects");
        }
        Verdict::Gate
    }

    /// Whether what no other location takes is answered by `return`.
    pub(super) fn returns_at_root(&self) -> bool {
        self.directive.children().iter().any(|child| {
            child.name == "location"
                && child.told() == "/"
                && child.children().iter().any(|below| below.name == "return")
        })
    }

    /// Of each location, and of each `if` in one, that has `error_page` lines of its own: the last one.
    pub(super) fn own_error_pages(&self) -> Vec<&'c Directive> {
        let blocks =
            self.directive.below().into_iter().filter(|below| matches!(below.name.as_str(), "location" | "if"));
        blocks
            .filter(|block| !block.children().iter().any(|child| child.name == "return"))
            .filter_map(|block| block.children().into_iter().rfind(|child| child.name == "error_page"))
            .collect()
    }

    /// Lines of the level above that count here, as long as there is none of its own.
    pub(super) fn error_pages_above<'h>(&self, http: &'h Directive) -> Vec<&'h Directive> {
        let is_page = |child: &&Directive| child.name == "error_page";
        if self.directive.children().iter().any(is_page) {
            return Vec::new();
        }
        http.children().into_iter().filter(is_page).collect()
    }

    /// What keeps it from being gated as it stands.
    pub(super) fn problems(
        &self,
        configuration: &Configuration,
        http: &Directive,
        verifier: &Verifier,
    ) -> Vec<Problem> {
        let mut problems = Vec::new();
        let above = http.children();
        let above = above.iter().filter(|directive| matches!(directive.name.as_str(), "auth_request" | "satisfy"));
        for directive in above.copied().chain(self.error_pages_above(http)).chain(self.directive.below()) {
            if let Some((what, paste)) = conflict(directive) {
                problems.push(configuration.problem(directive, what, paste));
            }
        }
        problems.extend(self.names.iter().filter_map(|name| verifier.unknown_host(name)));
        problems
    }
}

const CHAINED: &str = "the verifier can stand in front of this server instead: follow deploy/nginx-chained \
                       (docs/OPERATING.md, \"Chained\")";

/// What would be opened, closed or taken over, and what to do about it.
fn conflict(directive: &Directive) -> Option<(String, String)> {
    let told = directive.told();
    let is_off = told == "off";
    match directive.name.as_str() {
        "auth_request" if is_off => Some((
            "`auth_request off` would leave a hole in the gate here".to_owned(),
            "take the line out, or, if only static files are served here, gate the server by hand: \
             include /etc/nginx/portcullis-server.conf;"
                .to_owned(),
        )),
        "auth_request" => Some((format!("`auth_request {told}` asks somebody else already"), CHAINED.to_owned())),
        "satisfy" if told == "any" => Some((
            "`satisfy any` would let in whoever has paid, and everybody while the gate is off".to_owned(),
            "write here, if nobody but those it names may come in: auth_request off;  and gate the server by hand: \
             include /etc/nginx/portcullis-server.conf;"
                .to_owned(),
        )),
        "error_page" if told.ends_with("@portcullis_gate") => None,
        "error_page" if directive.arguments.iter().any(|argument| argument == "401") => Some((
            format!("`error_page {told}` takes the 401 by which the gate shows its page"),
            "take 401 out of it, and write: error_page 401 = @portcullis_gate;".to_owned(),
        )),
        "location" if told.contains("@portcullis") || told.contains("/.portcullis") => Some((
            format!("`location {told}` is there already"),
            "take out what was written by hand, and run this again".to_owned(),
        )),
        _ => None,
    }
}
