//! Price and demand over time for each scenario; served pages and latency for all.

use super::Report;
use crate::outcome::Outcome;
use crate::plot::{Bars, Line, bars, lines};
use crate::scenario::Stand;

const STANDS: [Stand; 3] = [Stand::Bare, Stand::Fresh, Stand::Profiled];
/// A reading in so many is drawn.
const THINNED: usize = 3;

/// Names and contents.
pub(super) fn all(report: &Report) -> Vec<(String, String)> {
    let mut pictures = vec![
        (
            "served".to_owned(),
            overview(report, "Pages served during the attack", " %", Some(100.0), |outcome| {
                Some(outcome.served_percent(|_| true))
            }),
        ),
        (
            "latency".to_owned(),
            overview(report, "95th percentile of a page's time, solving included", " s", None, |outcome| {
                outcome.times(|_| true).map(|times| times.p95)
            }),
        ),
    ];
    for played in &report.played {
        if let Some(outcome) = played.outcomes.iter().find(|outcome| outcome.stand == played.scenario.main_stand()) {
            pictures.push((played.scenario.name.to_owned(), over_time(played.scenario.name, outcome)));
        }
    }
    pictures
}

fn overview(
    report: &Report,
    title: &str,
    unit: &str,
    most: Option<f64>,
    value: impl Fn(&Outcome) -> Option<f64>,
) -> String {
    let groups: Vec<Bars> = report
        .played
        .iter()
        .map(|played| Bars {
            name: played.scenario.name.to_owned(),
            values: STANDS
                .iter()
                .map(|stand| played.outcomes.iter().find(|outcome| column(outcome.stand) == *stand).and_then(&value))
                .collect(),
        })
        .collect();
    bars(title, unit, &STANDS.map(Stand::name), &groups, most)
}

/// Where a run stands in the overview: one that starts cold is installed in the middle of an attack, and what was learned from
/// a log is a profile.
const fn column(stand: Stand) -> Stand {
    match stand {
        Stand::Cold => Stand::Fresh,
        Stand::Learned => Stand::Profiled,
        stand => stand,
    }
}

/// Price in tenths of a second of a slow phone would need an axis of its own: it has a picture of its own, below.
fn over_time(name: &str, outcome: &Outcome) -> String {
    let readings: Vec<_> = outcome.readings.iter().step_by(THINNED).collect();
    let gate = |of: fn(&crate::watch::GateReading) -> f64| -> Vec<(f64, f64)> {
        readings.iter().filter_map(|reading| Some((reading.at_s, of(reading.gate.as_ref()?)))).collect()
    };
    let visitors = readings.windows(2).map(|pair| {
        let credits = pair[1].visitors.served - pair[0].visitors.served;
        (pair[1].at_s, credits / (pair[1].at_s - pair[0].at_s).max(0.001))
    });
    let demand = [
        Line { name: "offered".into(), points: gate(|gate| gate.offered) },
        Line { name: "paid".into(), points: gate(|gate| gate.paid) },
        Line { name: "visitors served".into(), points: visitors.collect() },
    ];
    let price = [Line {
        name: "price".into(),
        points: gate(|gate| gate.price)
            .into_iter()
            .map(|(at, price)| (at, outcome.scale.phone_seconds(price)))
            .collect(),
    }];
    let marks = [(outcome.attack_s.0, "attack"), (outcome.attack_s.1, "")];
    stacked(
        &format!("{name}: demand and price over time"),
        &[
            lines(&format!("{name}: demand, credits/s"), "/s", &demand, &marks),
            lines(&format!("{name}: price, seconds of a slow phone"), " s", &price, &marks),
        ],
    )
}

/// Pictures one below the other.
fn stacked(title: &str, pictures: &[String]) -> String {
    const HEIGHT: f64 = 220.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 {0}\" width=\"640\" height=\"{0}\" \
         role=\"img\" aria-label=\"{title}\"><title>{title}</title>",
        HEIGHT * pictures.len() as f64
    );
    for (index, picture) in pictures.iter().enumerate() {
        let y = HEIGHT * index as f64;
        svg.push_str(&picture.trim_end().replacen("<svg ", &format!("<svg y=\"{y}\" "), 1));
    }
    svg + "</svg>\n"
}
