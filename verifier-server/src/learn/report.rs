//! What was found, for the operator to read and to paste.

use super::{Caller, DAYS_MIN, Learned, Lines};
use crate::calendar;
use std::fmt::Write;
use std::path::Path;

/// Suggestions of a kind at the most: more are not read by anybody.
const CALLERS_MAX: usize = 40;
const FOLDERS_MAX: usize = 20;
/// Below it, in credits a second, a peak says more about the visitors than about the site.
const CAPACITY_LEAST: f64 = 5.0;

/// What was found. Everything that is not a rule stands behind a `#`, so that the whole can be appended to a configuration.
pub(super) fn report(learned: &Learned, profile: &Path) -> String {
    let mut text = String::new();
    let mut say = |line: &str| {
        // A string takes everything.
        let _ = writeln!(text, "{line}");
    };
    say(&format!(
        "# Learned by `portcullis learn` from logs of {} to {}.",
        calendar::told(learned.span.0),
        calendar::told(learned.span.1)
    ));
    say("# Whoever attacks you may have written into them for weeks: read this before you use it.");
    say("#");
    say(&format!(
        "# The peacetime profile is in {}. Before the verifier starts, put it into its `state_dir` under the",
        profile.display()
    ));
    say("# name `profile`, readable by the verifier's user and nobody else.");
    say("");
    capacity(learned, &mut say);
    assets(learned, &mut say);
    callers(learned, &mut say);
    text
}

/// How the reading went.
pub(super) fn summary(learned: &Learned) -> String {
    let (used, cells) = learned.profile.fill();
    let days = learned.profile.observed_seconds() / 86_400.0;
    let mut text = format!("{} lines read", counted(learned.lines.read));
    if learned.lines.malformed > 0 {
        let _ = write!(text, ", {} malformed ones left out", counted(learned.lines.malformed));
    }
    if learned.outside > 0 {
        let _ = write!(
            text,
            ", {} left out as too old, too late or in the last hour before --until",
            counted(learned.outside)
        );
    }
    let _ = write!(text, "; the profile knows {days:.1} days, the last ones most, in {used} of {cells} cells");
    text
}

/// How far it is.
pub(super) fn progress((read, all): (u64, u64), lines: Lines) -> String {
    let percent = (read * 100).checked_div(all).unwrap_or(100);
    format!("{percent} % of {} MiB, {} lines", all >> 20, counted(lines.read + lines.malformed))
}

fn capacity(learned: &Learned, say: &mut impl FnMut(&str)) {
    let Some(peak) = learned.peak else {
        say("# Nothing was answered, so nothing is known of what the site can do.");
        say("");
        return;
    };
    let at = calendar::told(peak.at);
    say(&format!(
        "# The site has done {:.1} credits a second (a page is one, a static file a tenth) in its busiest ten seconds,",
        peak.credits_per_second
    ));
    if peak.credits_per_second < CAPACITY_LEAST {
        say(&format!(
            "# at {at}. That is too little to tell what it could do: write no capacity_per_second because of it."
        ));
    } else {
        say(&format!(
            "# at {at}; it can do that at least, and maybe much more. Until a reverse proxy or `access_log` has learned how"
        ));
        say(
            "# much, this brings the gate down when far more is asked for, and turns away nobody who has paid. Into its [[site]]:",
        );
        say(&format!("#     capacity_at_least_per_second = {:.0}", peak.credits_per_second.floor()));
    }
    say("");
}

fn assets(learned: &Learned, say: &mut impl FnMut(&str)) {
    if learned.folders.is_empty() {
        say("# No folder holds nothing but static files that visitors ask for.");
    }
    for folder in learned.folders.iter().take(FOLDERS_MAX) {
        say(&format!("# {} static files asked for, and nothing else found there", counted(folder.requests.into())));
        say("[[rule]]");
        say(&format!("path = \"{}**\"", folder.path));
        say("asset = true");
    }
    left_out(learned.folders.len(), FOLDERS_MAX, say);
    say("");
}

fn callers(learned: &Learned, say: &mut impl FnMut(&str)) {
    if learned.callers.is_empty() {
        say(&format!("# No program called on {DAYS_MIN} days or more."));
        return;
    }
    say(
        "# These callers look like programs: payment callbacks, webhooks, monitors, apps. They cannot solve a puzzle, and while",
    );
    say(
        "# the gate is down they are turned away without a rule. A log does not tell whose they are, and anybody can ask once a",
    );
    say("# minute for weeks: take the # off those that YOU know, and off no others. What they may do then is bounded.");
    for caller in learned.callers.iter().take(CALLERS_MAX) {
        say("");
        say(&format!(
            "# {} requests on {} days, the last on {}{}",
            counted(caller.requests.into()),
            caller.days,
            calendar::date(caller.last),
            if caller.own { "; from this machine itself" } else { "" }
        ));
        for line in rule(caller) {
            say(&format!("{}{line}", if caller.own { "" } else { "#" }));
        }
    }
    left_out(learned.callers.len(), CALLERS_MAX, say);
}

/// Network, method and path together: none of them alone is anybody.
fn rule(caller: &Caller) -> [String; 5] {
    [
        "[[rule]]".to_owned(),
        format!("network = \"{}\"", caller.network),
        format!("method = \"{}\"", caller.method),
        format!("path = \"{}\"", caller.path),
        "action = \"allow\"".to_owned(),
    ]
}

fn left_out(count: usize, most: usize, say: &mut impl FnMut(&str)) {
    if count > most {
        say(&format!("# … and {} more, each of less", count - most));
    }
}

/// With a comma at every thousand.
fn counted(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_a_comma_at_every_thousand() {
        assert_eq!([0, 999, 1_000, 12_345_678].map(counted), ["0", "999", "1,000", "12,345,678"]);
    }
}
