//! The report in plain words: for somebody who was not there.

mod effect;
mod method;
mod unseen;

use super::document::{Block, Document, Line, Section, Span, name, paragraph, words};
use super::escape::visible;
use super::{Facts, Indicators};
use crate::load::whole;
use crate::operator::attacks::told_seconds;
use crate::timeline::{ActionKind, Attack, Source, Spared};

/// User agents and paths that are told.
const NAMED_MAX: usize = 20;

/// The whole text.
pub(super) fn document(facts: &Facts<'_>) -> Document {
    let attack = facts.attack;
    let title = vec![words(format!("Attack {} on ", attack.number)), name(attack.site.clone())];
    let section = |heading, blocks| Section { heading, blocks };
    let sections = vec![
        section("Summary", summary(facts)),
        section("When", vec![times(facts)]),
        section("How much", magnitude(facts)),
        section("How it was done", method::blocks(facts)),
        section("Indicators of compromise", indicators(facts)),
        section("What visitors noticed", effect::blocks(facts)),
        section("What was done", measures(facts)),
        section("What was not seen", unseen::blocks(facts)),
    ];
    Document { title, sections }
}

fn summary(facts: &Facts<'_>) -> Vec<Block> {
    let attack = facts.attack;
    let counts = &attack.counts;
    let seconds = attack.until().saturating_sub(attack.began_at);
    let began = facts.times.utc(attack.began_at);
    let lasted = match attack.ending {
        None => format!("goes on; until now it has lasted {}", told_seconds(seconds)),
        Some(_) => {
            format!("lasted {}, with the time in which the gate waited whether it comes back", told_seconds(seconds))
        }
    };
    let first = vec![
        words("The site "),
        name(attack.site.clone()),
        words(format!(
            " was asked for more than it can do, from {began} on. The attack {lasted}. {} came, at most {} in a second; in the minute \
             before there were {} a second.",
            requests(counts.requests()),
            number(whole(attack.peaks.requests_per_second.round())),
            rate(attack.before.requests_per_second),
        )),
    ];
    let second = format!(
        "The gate went down {} after the beginning. From then on visitors had to let their browsers solve a puzzle, which costs a \
         person some seconds and an attacker as much work for every few pages. {} were turned away, {} were paid for by such work, \
         and {} passed without it.",
        told_seconds(attack.closed_at.saturating_sub(attack.began_at)),
        number(counts.turned_away()),
        number(counts.paid),
        number(counts.unpaid),
    );
    let mut blocks = vec![Block::Paragraph(first), paragraph(second)];
    if attack.returns > 0 {
        let times = if attack.returns == 1 { "once".to_owned() } else { format!("{} times", attack.returns) };
        blocks.push(paragraph(format!(
            "It came back {times} within ten minutes after it seemed over; all of it is told here as one."
        )));
    }
    blocks
}

/// The summary as plain text, a paragraph a line.
pub(super) fn summary_text(facts: &Facts<'_>) -> String {
    let plain = |span: &Span| match span {
        Span::Words(words) => words.clone(),
        Span::Name(name) => visible(name),
    };
    let blocks = summary(facts);
    let lines = blocks.iter().filter_map(|block| match block {
        Block::Paragraph(line) => Some(line.iter().map(plain).collect::<String>()),
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn times(facts: &Facts<'_>) -> Block {
    let attack = facts.attack;
    let moments = [
        ("it began", Some(attack.began_at)),
        ("the gate went down", Some(attack.closed_at)),
        ("most requests in a second", Some(attack.peaks.requests_at).filter(|at| *at > 0)),
        ("last sign of overload", Some(attack.overloaded_until)),
        ("it was over", attack.ended_at),
    ];
    let rows = moments.into_iter().filter_map(|(what, at)| {
        let at = at?;
        Some(vec![vec![words(what)], vec![words(facts.times.utc(at))], vec![words(facts.times.local(at))]])
    });
    let caption = format!("Times; local is {}", facts.times.zone());
    Block::Table { caption, head: vec!["moment", "UTC", "local"], rows: rows.collect() }
}

fn magnitude(facts: &Facts<'_>) -> Vec<Block> {
    let attack = facts.attack;
    let (counts, peaks, before) = (&attack.counts, &attack.peaks, &attack.before);
    let all = counts.requests();
    let figure =
        |what: &str, count: u64| vec![vec![words(what)], vec![words(number(count))], vec![words(share(count, all))]];
    let figures = Block::Table {
        caption: "Requests from beginning to end".to_owned(),
        head: vec!["what became of them", "requests", "part"],
        rows: vec![
            figure("all", all),
            figure("asked for work (challenged)", counts.challenged),
            figure("paid for by work", counts.paid),
            figure("passed without work", counts.unpaid),
            figure("refused by a rule (denied)", counts.denied),
            figure("no room for them (busy)", counts.busy),
        ],
    };
    let capacity = match (attack.capacity(), before.capacity_configured) {
        (Some(capacity), true) => {
            format!("The site can do {} requests a second, as its configuration says.", rate(capacity))
        }
        (Some(capacity), false) => {
            format!("The site can do about {} requests a second, as was learned.", rate(capacity))
        }
        (None, _) => "How much the site can do was not known.".to_owned(),
    };
    let demand = format!(
        "{capacity} What was asked of it came to {} a second at the most, counted by what pages cost, and to {} with each network up \
         to its fair part; what was paid for came to {}. The price rose to {} attempts for a full clearance.",
        rate(peaks.raw),
        rate(peaks.offered),
        rate(peaks.paid),
        number(peaks.price),
    );
    vec![figures, paragraph(demand), Block::Curve]
}

fn indicators(facts: &Facts<'_>) -> Vec<Block> {
    let found = facts.indicators();
    let sources = &facts.attack.sources;
    let counted = format!(
        "Counted from {} to {} in tables of fixed size: a count may be a little too low and is never too high. Addresses are not kept, \
         only their networks.",
        facts.times.utc(sources.from),
        facts.times.utc(sources.to)
    );
    let mut blocks = vec![paragraph(counted)];
    if found.networks.is_empty() {
        blocks
            .push(paragraph("No network is named: of those that asked most, none may be blocked, or none asked much."));
    } else {
        let rows = found.networks.iter().map(|source| {
            let mut called = vec![name(source.name.clone())];
            called.extend(system_of(facts, &source.name));
            vec![called, vec![words(number(source.requests))], vec![words(number(source.turned_away))]]
        });
        blocks.push(Block::Table {
            caption: "Networks that may be blocked".to_owned(),
            head: vec!["name", "requests", "turned away"],
            rows: rows.collect(),
        });
    }
    blocks.push(paragraph(spared_sentence(&found)));
    if !found.spared.is_empty() {
        let rows = found.spared.iter().map(|(source, why)| {
            let (requests, away) = (number(source.requests), number(source.turned_away));
            vec![vec![name(source.name.clone())], vec![words(requests)], vec![words(away)], vec![words(why.told())]]
        });
        blocks.push(Block::Table {
            caption: "Networks that asked much and must not be blocked".to_owned(),
            head: vec!["name", "requests", "turned away", "because"],
            rows: rows.collect(),
        });
    }
    let told = "What programs called themselves, and the paths they asked for. An indicator is what nobody paid for while others paid, \
                and that was turned away more often than not; everything else visitors may have in common with the attack.";
    blocks.push(paragraph(told));
    blocks.push(named("User agents that asked most", &sources.user_agents, &found.user_agents));
    blocks.push(named("Paths that were asked for most", &sources.paths, &found.paths));
    blocks
}

/// Sources of a kind, and which of them are indicators.
fn named(caption: &str, sources: &[Source], found: &[&Source]) -> Block {
    let rows = sources.iter().take(NAMED_MAX).map(|source| {
        let is_indicator = if found.contains(&source) { "yes" } else { "no" };
        let numbers = [source.requests, source.turned_away, source.paid].map(|count| vec![words(number(count))]);
        let mut row = vec![vec![name(source.name.clone())]];
        row.extend(numbers);
        row.push(vec![words(is_indicator)]);
        row
    });
    let head = vec!["name", "requests", "turned away", "paid", "indicator"];
    Block::Table { caption: caption.to_owned(), head, rows: rows.collect() }
}

fn system_of(facts: &Facts<'_>, network: &str) -> Line {
    let asn = network.parse().ok().and_then(|network| facts.asns.get(&network));
    asn.map_or_else(Vec::new, |asn| {
        let number = words(format!(" AS{} ", asn.number));
        if asn.name.is_empty() { vec![number] } else { vec![number, name(asn.name.clone())] }
    })
}

/// Which networks are left out of every list, in a sentence.
pub(super) fn spared_sentence(indicators: &Indicators<'_>) -> String {
    let count = |why: Spared| indicators.spared.iter().filter(|(_, spared)| *spared == why).count();
    let reasons = [
        (Spared::Paid, "because somebody there paid"),
        (Spared::Usual, "because they usually visit the site"),
        (Spared::Trusted, "because the configuration trusts them"),
        (Spared::Private, "because they are not on the internet"),
    ];
    let left_out: Vec<String> = reasons
        .into_iter()
        .filter_map(|(why, because)| match count(why) {
            0 => None,
            1 => Some(format!(
                "1 network is left out {}",
                because
                    .replace("they are", "it is")
                    .replace("they usually visit", "it usually visits")
                    .replace("them", "it")
            )),
            more => Some(format!("{more} networks are left out {because}")),
        })
        .collect();
    let rule = "Networks in which somebody paid, that usually visit, or that the configuration trusts are never named";
    if left_out.is_empty() {
        format!("{rule}; here that left out none.")
    } else {
        format!("{rule}: {}.", left_out.join(", "))
    }
}

fn measures(facts: &Facts<'_>) -> Vec<Block> {
    let attack = facts.attack;
    let rows = attack.actions.iter().map(|action| {
        let price = if action.price > 0 { format!(", at {} attempts", number(action.price)) } else { String::new() };
        vec![
            vec![words(facts.times.utc(action.at))],
            vec![words(facts.times.local(action.at))],
            vec![words(format!("{}{price}", told(action.kind)))],
        ]
    });
    let caption = "What the gate and its operator did".to_owned();
    let mut blocks = vec![Block::Table { caption, head: vec!["UTC", "local", "what"], rows: rows.collect() }];
    if attack.actions_left_out > 0 {
        let more = number(attack.actions_left_out);
        blocks.push(paragraph(format!("{more} more are left out in the middle.")));
    }
    let how = match attack.ending {
        None => "It goes on.".to_owned(),
        Some(ending) => format!("It ended because {}.", ending.told()),
    };
    blocks.push(paragraph(format!("The mode at its beginning was {}. {how}", attack.before.mode)));
    blocks
}

const fn told(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::GateDown => "the gate went down",
        ActionKind::GateHolds => "the overload was over; the gate stayed down and waited",
        ActionKind::OverloadAgain => "the overload came back while the gate waited",
        ActionKind::PriceRaised => "the price was raised",
        ActionKind::SiteDown => "the site's own server gave errors or no answers",
        ActionKind::SiteUp => "the site's own server answered again",
        ActionKind::ModeOff => "the operator set mode off",
        ActionKind::ModeAuto => "the operator set mode auto",
        ActionKind::ModeOn => "the operator set mode on",
        ActionKind::Restarted => "the verifier was started again, with the gate down",
        ActionKind::GateUp => "the gate let go",
        ActionKind::ComesBack => "it came back",
    }
}

/// `1 request`, `12,345 requests`.
fn requests(count: u64) -> String {
    if count == 1 { "1 request".to_owned() } else { format!("{} requests", number(count)) }
}

/// `12,345`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// With a digit after the point where that matters.
fn rate(rate: f64) -> String {
    if rate < 10.0 { format!("{rate:.1}") } else { number(whole(rate.round())) }
}

/// A part of a whole, in percent.
fn share(part: u64, all: u64) -> String {
    let percent = crate::load::float(part) * 100.0 / crate::load::float(all.max(1));
    format!("{percent:.1} %")
}

/// The sum over some sources.
fn sum(sources: &[Source], of: fn(&Source) -> u64) -> u64 {
    sources.iter().map(of).sum()
}

/// All that was turned away among what the tables counted.
fn away_of(attack: &Attack) -> u64 {
    attack.counts.turned_away().max(1)
}
