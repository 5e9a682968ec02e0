//! What was not seen: what this report cannot tell, and what did not happen.

use crate::report::Facts;
use crate::report::document::{Block, words};

pub(super) fn blocks(facts: &Facts<'_>) -> Vec<Block> {
    let attack = facts.attack;
    let (counts, peaks) = (&attack.counts, &attack.peaks);
    let mut lines = vec![
        "Floods of packets and connections below the web's own protocol (HTTP) are not seen here. Who runs the line or the machine may \
         know of them."
            .to_owned(),
        "Single addresses are not kept, nor what was sent in requests beyond path and user agent. The web server's own log may have \
         them."
            .to_owned(),
        "Who is behind it: networks are where requests came from, often machines of others that were taken over. User agents are what \
         programs call themselves."
            .to_owned(),
    ];
    let mut not = |is_so: bool, line: &str| {
        if is_so {
            lines.push(line.to_owned());
        }
    };
    not(counts.refused.is_empty(), "No forged, repeated or wrong solution of a puzzle was seen.");
    not(counts.sold == 0, "Nobody was seen to solve a puzzle.");
    not(counts.origin.count > 0 && counts.origin_errors == 0, "No error of the site's own server was seen.");
    not(counts.dropped == 0 && counts.busy == 0, "Nobody who could pay was seen to be turned away.");
    not(counts.denied == 0, "No request was refused by a rule.");
    not(peaks.pressure_percent.is_none(), "The machine's own pressure (processor, disk) was not measured.");
    not(peaks.probe_s.is_none(), "No probe asked the site from outside: `probe_url` is not configured.");
    not(
        counts.origin.count == 0,
        "The delay and the errors of the site's own server are not in the counts: requests did not pass through this verifier.",
    );
    not(peaks.capacity.is_none(), "How much the site can do was not known, so the price did not follow the demand.");
    not(
        facts.asns.is_empty(),
        "Whose the networks are was not looked up: no file of autonomous systems was given (`--asn`).",
    );
    not(
        attack.sources.from > attack.began_at,
        "What was asked most in the first moments was not kept: the verifier had just been started.",
    );
    vec![Block::List(lines.into_iter().map(|line| vec![words(line)]).collect())]
}
