//! The report of an attack, for people and for programs: what the record says, in the form that is asked for.
//!
//! `document` is text by type: what strangers chose is a `document::Span::Name`, and each form escapes it in its own way.
//! `words` writes the text; `html`, `markdown`, `csv` and `stix` put it down; `indicators` says what may be blocked, and
//! `lists` writes that for kernels and web servers.

pub mod asn;
mod chart;
mod csv;
mod document;
mod escape;
mod html;
mod indicators;
mod lists;
mod markdown;
mod stix;
mod times;
mod words;

pub use indicators::{Indicators, TURNED_AWAY_LEAST};
pub use lists::{ListFormat, list};
pub use times::{Times, ZoneError};

use crate::timeline::Attack;
use asn::Asns;
use ipnet::IpNet;
use serde_json::json;

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A page that stands for itself, to print or send
    Html,
    /// Markdown
    Md,
    /// The record, and what may be blocked
    Json,
    /// A table for spreadsheets
    Csv,
    /// STIX 2.1, for those who exchange indicators
    Stix,
}

impl Format {
    /// What its files are called after the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Md => "md",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Stix => "stix.json",
        }
    }

    /// What it is, as `Content-Type` says it.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Md => "text/markdown; charset=utf-8",
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Stix => "application/stix+json;version=2.1",
        }
    }
}

/// What a report is made from.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The attack.
    pub attack: &'a Attack,
    /// Networks that the configuration trusts now.
    pub trusted: &'a [IpNet],
    /// Whose the networks are, as far as a file tells.
    pub asns: &'a Asns,
    /// How times are told.
    pub times: &'a Times,
}

impl Facts<'_> {
    /// What may be blocked.
    #[must_use]
    pub fn indicators(&self) -> Indicators<'_> {
        Indicators::of(self.attack, self.trusted)
    }
}

/// The whole report.
#[must_use]
pub fn report(facts: &Facts<'_>, format: Format) -> String {
    match format {
        Format::Html => html::page(&words::document(facts), facts),
        Format::Md => markdown::text(&words::document(facts)),
        Format::Json => json_of(facts),
        Format::Csv => csv::table(facts),
        Format::Stix => stix::bundle(facts),
    }
}

/// What happened, in a few sentences: a paragraph a line.
#[must_use]
pub fn summary(facts: &Facts<'_>) -> String {
    words::summary_text(facts)
}

/// Which networks no list names, in a sentence.
#[must_use]
pub fn spared(facts: &Facts<'_>) -> String {
    words::spared_sentence(&facts.indicators())
}

fn json_of(facts: &Facts<'_>) -> String {
    let indicators = facts.indicators();
    let names =
        |sources: &[&crate::timeline::Source]| sources.iter().map(|source| source.name.clone()).collect::<Vec<_>>();
    let asns: Vec<_> = facts
        .asns
        .iter()
        .map(|(network, asn)| json!({ "network": network.to_string(), "asn": asn.number, "name": asn.name }))
        .collect();
    let told = json!({
        "attack": facts.attack,
        "indicators": {
            "networks": names(&indicators.networks),
            "user_agents": names(&indicators.user_agents),
            "paths": names(&indicators.paths),
        },
        "asns": asns,
    });
    format!("{told:#}")
}

#[cfg(test)]
mod tests;
