//! How the attack was done, as far as its requests tell.

use super::{away_of, number, rate, share, sum};
use crate::load::float;
use crate::report::Facts;
use crate::report::document::{Block, name, paragraph, words};
use crate::timeline::Signal;

/// One source with at least this part of all that was turned away is said to be the attack's.
const MOST_OF_IT: f64 = 0.5;

pub(super) fn blocks(facts: &Facts<'_>) -> Vec<Block> {
    let mut blocks = vec![paragraph(networks(facts)), paragraph(work(facts))];
    blocks.extend(one_for_all(facts));
    blocks.push(signals(facts));
    blocks
}

fn networks(facts: &Facts<'_>) -> String {
    let attack = facts.attack;
    let networks = &attack.sources.networks;
    let listed = sum(networks, |source| source.turned_away);
    let Some(first) = networks.first().filter(|first| first.turned_away > 0) else {
        return "It was a flood of web requests (HTTP). No network stood out among those that asked.".to_owned();
    };
    let of_first = share(first.turned_away.min(away_of(attack)), away_of(attack));
    format!(
        "It was a flood of web requests (HTTP). The {} networks that were turned away most account for {} of the requests that were \
         turned away, the first of them for {of_first}.",
        networks.iter().filter(|network| network.turned_away > 0).count(),
        share(listed.min(away_of(attack)), away_of(attack)),
    )
}

fn work(facts: &Facts<'_>) -> String {
    let attack = facts.attack;
    let counts = &attack.counts;
    let refused: Vec<String> =
        counts.refused.iter().map(|(code, count)| format!("{} `{code}`", number(*count))).collect();
    let bad = if refused.is_empty() {
        "No bad solution was sent.".to_owned()
    } else {
        format!("Solutions that were refused, by code of the protocol: {}.", refused.join(", "))
    };
    let asked = if counts.sold == 0 {
        "Nobody solved a puzzle: not one clearance was sold.".to_owned()
    } else {
        format!(
            "{} were sold to those who solved a puzzle, visitors and, if any did, attackers alike; paid demand was {} a second at the \
             most.",
            if counts.sold == 1 { "1 clearance".to_owned() } else { format!("{} clearances", number(counts.sold)) },
            rate(attack.peaks.paid)
        )
    };
    format!("{asked} {bad}")
}

/// What most of it had in common.
fn one_for_all(facts: &Facts<'_>) -> Vec<Block> {
    let sources = &facts.attack.sources;
    let mut blocks = Vec::new();
    for (kind, list) in [("were for the path ", &sources.paths), ("called themselves ", &sources.user_agents)] {
        let all = sum(list, |source| source.turned_away).max(1);
        let Some(first) = list.first() else { continue };
        if float(first.turned_away) / float(all) >= MOST_OF_IT {
            let part = share(first.turned_away, all);
            blocks.push(Block::Paragraph(vec![
                words(format!("Of the requests that were turned away and are listed, {part} {kind}")),
                name(first.name.clone()),
                words("."),
            ]));
        }
    }
    blocks
}

fn signals(facts: &Facts<'_>) -> Block {
    let rows = facts.attack.signals.iter().map(|signal| {
        let Signal { name, first_at, last_at, seconds } = signal;
        vec![
            vec![words(told(name))],
            vec![words(facts.times.utc(*first_at))],
            vec![words(facts.times.utc(*last_at))],
            vec![words(number(*seconds))],
        ]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return paragraph(
            "The gate was down already when the attack was first noted, so no signal of its beginning is known.",
        );
    }
    let head = vec!["what showed it", "first (UTC)", "last (UTC)", "seconds"];
    Block::Table { caption: "Signs of overload".to_owned(), head, rows }
}

fn told(signal: &str) -> String {
    match signal {
        "offered" => "more was asked than the site can do",
        "queue_delay" => "requests waited too long for the site's server",
        "pressure" => "the machine was out of processor time or disk",
        "probe" => "the probe was far slower than usual",
        "failures" => "most networks got errors from the site's server",
        "held_up" => "transfers that did not move held the site's server",
        "told_load" => "a program of the operator's said so",
        other => other,
    }
    .to_owned()
}
