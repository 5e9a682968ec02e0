//! What visitors noticed.

use super::{number, rate, requests};
use crate::report::Facts;
use crate::report::document::{Block, paragraph};

pub(super) fn blocks(facts: &Facts<'_>) -> Vec<Block> {
    let mut blocks = vec![paragraph(admitted(facts)), paragraph(solving(facts))];
    blocks.push(paragraph(origin(facts)));
    blocks
}

fn admitted(facts: &Facts<'_>) -> String {
    let counts = &facts.attack.counts;
    let dropped = match counts.dropped {
        0 => "None of those that were let through had to be dropped for want of room.".to_owned(),
        dropped => format!(
            "{} that had been let through were dropped because the site had no room for them (all sites of this verifier counted).",
            requests(dropped)
        ),
    };
    let busy = match counts.busy {
        0 => String::new(),
        busy => format!(" {} were turned away although they could pay, for want of room.", number(busy)),
    };
    format!(
        "{} were let in: {} after work, {} without. {dropped}{busy}",
        requests(counts.paid + counts.unpaid),
        number(counts.paid),
        number(counts.unpaid),
    )
}

fn solving(facts: &Facts<'_>) -> String {
    let waits = &facts.attack.counts.solving;
    let Some(mean) = waits.mean() else {
        return "Nobody waited for a puzzle to be solved and got in by it.".to_owned();
    };
    let within = |part: f64| {
        waits
            .bound_of(part)
            .map_or_else(|| "longer than was measured".to_owned(), |bound| format!("within {} s", rate(bound)))
    };
    format!(
        "Those who solved a puzzle waited {} s on average from getting it to being let in; half of them {}, nine in ten {}.",
        rate(mean),
        within(0.5),
        within(0.9)
    )
}

fn origin(facts: &Facts<'_>) -> String {
    let attack = facts.attack;
    let counts = &attack.counts;
    if counts.origin.count == 0 {
        return "What the site's own server answered is not known here: requests did not pass through this verifier."
            .to_owned();
    }
    let errors = match counts.origin_errors {
        0 => "none of them an error".to_owned(),
        errors => format!("{} of them errors (5xx) or none at all", number(errors)),
    };
    let delay = attack.peaks.delay_ratio.map_or_else(String::new, |ratio| {
        format!(" At its slowest it took {} times as long as usual, in the median over networks.", rate(ratio))
    });
    let mean = counts.origin.mean().unwrap_or_default();
    format!(
        "The site's own server gave {} answers, {errors}, in {:.3} s on average.{delay}",
        number(counts.origin.count),
        mean
    )
}
