//! The curve of an attack as a picture: requests a second, what was turned away on top of what was let in.

use super::Facts;
use crate::load::float;
use crate::timeline::Point;
use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 24.0;
const PLOT_WIDTH: f64 = WIDTH - LEFT - 8.0;
const PLOT_HEIGHT: f64 = HEIGHT - TOP - 44.0;

/// The picture. It is described in a sentence for those who do not see it; the table in CSV has every point.
pub(super) fn svg(facts: &Facts<'_>) -> String {
    let attack = facts.attack;
    let curve = &attack.curve;
    let rate = |count: u64, point: &Point| float(count) / float(point.seconds().max(1));
    // From below: let in without paying, paid, turned away.
    let stacks: Vec<[f64; 3]> = curve
        .points
        .iter()
        .map(|point| {
            let [_, unpaid, paid, ..] = point.0;
            let [unpaid, both, all] = [unpaid, unpaid + paid, point.requests()].map(|count| rate(count, point));
            [unpaid, both, all]
        })
        .collect();
    let most = stacks.iter().map(|stack| stack[2]).fold(1.0, f64::max);
    let length = curve.points.len().max(1);
    let x = |index: usize| LEFT + PLOT_WIDTH * float(index as u64) / float(length as u64);
    let y = |rate: f64| TOP + PLOT_HEIGHT * (1.0 - rate / most);
    let area = |class: &str, upper: usize| {
        let mut path = format!("M{LEFT:.1} {:.1}", y(0.0));
        for (index, stack) in stacks.iter().enumerate() {
            let height = y(stack.get(upper).copied().unwrap_or(0.0));
            // A string takes everything.
            let _ = write!(path, "L{:.1} {height:.1}L{:.1} {height:.1}", x(index), x(index + 1));
        }
        let _ = write!(path, "L{:.1} {:.1}Z", x(stacks.len()), y(0.0));
        format!("<path class=\"{class}\" d=\"{path}\"/>")
    };
    // The highest first: what lies below is drawn over it.
    let areas = [area("away", 2), area("paid", 1), area("unpaid", 0)].concat();
    let mark = |at: u32, text: &str, line: f64| {
        let seconds = float(u64::from(at.saturating_sub(curve.from)));
        let all = float(length as u64 * u64::from(curve.point_seconds));
        let x = LEFT + PLOT_WIDTH * (seconds / all).min(1.0);
        let anchor = if x > WIDTH / 2.0 { "end" } else { "start" };
        let (bottom, below) = (TOP + PLOT_HEIGHT, TOP + PLOT_HEIGHT + 14.0 * line);
        format!(
            "<path class=\"mark\" d=\"M{x:.1} {TOP}V{bottom:.1}\"/><text x=\"{x:.1}\" y=\"{below:.1}\" text-anchor=\"{anchor}\">\
             {text} {}</text>",
            facts.times.utc(at).split(' ').nth(1).unwrap_or_default()
        )
    };
    let marks = [
        mark(attack.closed_at, "gate down", 1.0),
        mark(attack.overloaded_until, "overload until", 2.0),
        attack.ended_at.map(|at| mark(at, "over", 3.0)).unwrap_or_default(),
    ]
    .concat();
    let peak = attack.peaks.requests_per_second;
    let (middle, bottom) = (y(most / 2.0), TOP + PLOT_HEIGHT);
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"curve-title curve-description\">\
         <title id=\"curve-title\">Requests a second</title><desc id=\"curve-description\">The requests rise to {peak:.0} a second \
         at {} and are told apart as let in without paying, paid, and turned away.</desc>\
         <text x=\"{LEFT}\" y=\"14\">requests a second: <tspan class=\"away\">■ turned away</tspan> <tspan class=\"paid\">■ paid</tspan> \
         <tspan class=\"unpaid\">■ let in unpaid</tspan></text>{areas}\
         <path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom:.1}H{:.1}\"/>\
         <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{most:.0}</text><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{:.0}</text>\
         <text x=\"{}\" y=\"{bottom:.1}\" text-anchor=\"end\">0</text>{marks}</svg>\n",
        facts.times.utc(attack.peaks.requests_at),
        WIDTH - 8.0,
        LEFT - 6.0,
        TOP + 10.0,
        LEFT - 6.0,
        middle + 4.0,
        most / 2.0,
        LEFT - 6.0,
    )
}
