//! A table for spreadsheets (RFC 4180): the sums, the curve, and the sources, a row each, told apart by the first column.

use super::escape::csv_cell;
use super::{Facts, Times};
use crate::timeline::{Attack, Point, Source};

/// The columns. What a row does not have is empty.
const HEAD: [&str; 17] = [
    "kind",
    "name",
    "from_utc",
    "to_utc",
    "seconds",
    "requests",
    "turned_away",
    "unpaid",
    "paid",
    "challenged",
    "denied",
    "busy",
    "sold",
    "refused",
    "origin_errors",
    "price",
    "note",
];

/// The whole table, with its head.
pub(super) fn table(facts: &Facts<'_>) -> String {
    let attack = facts.attack;
    let mut rows = vec![HEAD.map(str::to_owned), total(attack)];
    let curve = &attack.curve;
    for (index, point) in curve.points.iter().enumerate() {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let from = curve.from.saturating_add(index.saturating_mul(curve.point_seconds));
        rows.push(of_point(from, curve.point_seconds, point));
    }
    let sources = &attack.sources;
    let kinds = [
        ("network", &sources.networks),
        ("path", &sources.paths),
        ("user_agent", &sources.user_agents),
        ("reason", &sources.reasons),
    ];
    for (kind, source) in kinds.into_iter().flat_map(|(kind, sources)| sources.iter().map(move |source| (kind, source)))
    {
        rows.push(of_source(facts, kind, source));
    }
    rows.iter().map(|row| row.each_ref().map(|cell| csv_cell(cell)).join(",") + "\r\n").collect()
}

fn row(kind: &str, name: &str, from: u32, to: u32) -> [String; 17] {
    let mut row = <[String; 17]>::default();
    let (from, to) = (Times::rfc3339(from), Times::rfc3339(to));
    for (cell, text) in row.iter_mut().zip([kind.to_owned(), name.to_owned(), from, to]) {
        *cell = text;
    }
    row
}

fn fill<const N: usize>(row: &mut [String; 17], from: usize, numbers: [u64; N]) {
    for (cell, number) in row.iter_mut().skip(from).zip(numbers) {
        *cell = number.to_string();
    }
}

fn total(attack: &Attack) -> [String; 17] {
    let counts = &attack.counts;
    let mut row = row("total", &attack.site, attack.began_at, attack.until());
    let numbers = [
        u64::from(attack.until() - attack.began_at),
        counts.requests(),
        counts.turned_away(),
        counts.unpaid,
        counts.paid,
        counts.challenged,
        counts.denied,
        counts.busy,
        counts.sold,
        counts.refused_in_all(),
        counts.origin_errors,
        attack.peaks.price,
    ];
    fill(&mut row, 4, numbers);
    let signals: Vec<&str> = attack.signals.iter().map(|signal| signal.name.as_str()).collect();
    row[16] = format!("attack {}, signals: {}", attack.number, signals.join(" "));
    row
}

fn of_point(from: u32, seconds: u32, point: &Point) -> [String; 17] {
    let [counted, unpaid, paid, challenged, denied, busy, sold, refused, origin_errors, price, _] = point.0;
    let mut row = row("curve", "", from, from.saturating_add(seconds));
    let (requests, turned_away) = (point.requests(), point.turned_away());
    let numbers =
        [counted, requests, turned_away, unpaid, paid, challenged, denied, busy, sold, refused, origin_errors, price];
    fill(&mut row, 4, numbers);
    row
}

fn of_source(facts: &Facts<'_>, kind: &str, source: &Source) -> [String; 17] {
    let sources = &facts.attack.sources;
    let mut row = row(kind, &source.name, sources.from, sources.to);
    fill(&mut row, 5, [source.requests, source.turned_away]);
    row[8] = source.paid.to_string();
    let asn = source.name.parse().ok().and_then(|network| facts.asns.get(&network));
    let asn = asn.map(|asn| format!("AS{} {}", asn.number, asn.name));
    let spared = source.spared.filter(|_| kind == "network").map(|spared| format!("spared: {}", spared.told()));
    row[16] = [asn, spared].into_iter().flatten().collect::<Vec<_>>().join(", ");
    row
}
