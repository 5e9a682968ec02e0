//! Plain SVG, readable on light and dark pages.

use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 34.0;
/// Colours that stand out from white and from black, and from each other without red and green.
const COLOURS: [&str; 4] = ["#2f7fd6", "#e08a1e", "#8a63d2", "#3f9e8f"];
/// The text follows the page's theme; a picture in `<img>` sees the system's.
const STYLE: &str = "<style>text{font:12px system-ui,sans-serif;fill:#333}.title{font-weight:600}.axis{stroke:#888;\
                     stroke-width:1;fill:none}.line{fill:none;stroke-width:1.8}.grid{stroke:#8884;stroke-width:1}\
                     @media (prefers-color-scheme:dark){text{fill:#ddd}}</style>";

/// A line of a plot.
#[derive(Clone, Debug)]
pub struct Line {
    /// In the legend.
    pub name: String,
    /// Seconds, and the value then.
    pub points: Vec<(f64, f64)>,
}

/// A bar: a group, a place in it, and the value.
#[derive(Clone, Debug)]
pub struct Bars {
    /// What stands under the bars.
    pub name: String,
    /// One for each series; `None`: not measured.
    pub values: Vec<Option<f64>>,
}

/// Lines over time. `marks` are vertical lines with a word.
#[must_use]
pub fn lines(title: &str, unit: &str, lines: &[Line], marks: &[(f64, &str)]) -> String {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let end = points().map(|(at, _)| *at).fold(1.0, f64::max);
    let most = rounded_up(points().map(|(_, value)| *value).filter(|value| value.is_finite()).fold(0.0, f64::max));
    let x = |at: f64| LEFT + at / end * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - (value / most).clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM);
    let mut svg = begin(title, unit, most, WIDTH, HEIGHT);
    for (at, word) in marks {
        let _ = write!(
            svg,
            "<path class=\"axis\" stroke-dasharray=\"3 3\" d=\"M{0:.1} {TOP}V{1}\"/><text x=\"{2:.1}\" y=\"{3}\">{4}</text>",
            x(*at),
            HEIGHT - BOTTOM,
            x(*at) + 4.0,
            TOP + 10.0,
            escaped(word)
        );
    }
    for (index, line) in lines.iter().enumerate() {
        let mut path = String::new();
        for (place, (at, value)) in line.points.iter().enumerate() {
            let _ = write!(path, "{}{:.1} {:.1}", if place == 0 { 'M' } else { 'L' }, x(*at), y(*value));
        }
        let colour = COLOURS[index % COLOURS.len()];
        let _ = write!(svg, "<path class=\"line\" stroke=\"{colour}\" d=\"{path}\"/>");
    }
    let names: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
    legend(&mut svg, &names, WIDTH);
    let step = rounded_up(end / 6.0);
    let mut at = 0.0;
    while at <= end {
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{at:.0} s</text>",
            x(at),
            HEIGHT - BOTTOM + 18.0
        );
        at += step;
    }
    svg + "</svg>\n"
}

/// Groups of bars, lying: names at the left. `most` is the end of the scale.
#[must_use]
pub fn bars(title: &str, unit: &str, series: &[&str], groups: &[Bars], most: Option<f64>) -> String {
    const BAR: f64 = 9.0;
    const NAMES: f64 = 150.0;
    let group = BAR * series.len() as f64 + 8.0;
    let height = TOP + group * groups.len() as f64 + 30.0;
    let found = groups.iter().flat_map(|group| group.values.iter().flatten()).copied().fold(0.0, f64::max);
    let most = most.unwrap_or_else(|| rounded_up(found));
    let width = |value: f64| (value / most).clamp(0.0, 1.0) * (WIDTH - NAMES - RIGHT);
    let mut svg = head(title, WIDTH, height);
    for quarter in 0..=4_u32 {
        let value = most * f64::from(quarter) / 4.0;
        let x = NAMES + width(value);
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{x:.1} {TOP}V{:.1}\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}{unit}</text>",
            height - 24.0,
            height - 8.0,
            short(value)
        );
    }
    for (row, bars) in groups.iter().enumerate() {
        let top = TOP + group * row as f64;
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            NAMES - 6.0,
            top + group / 2.0,
            escaped(&bars.name)
        );
        for (index, value) in bars.values.iter().enumerate() {
            let Some(value) = value else { continue };
            let colour = COLOURS[index % COLOURS.len()];
            // A sliver for nothing: a bar that is not there was not measured.
            let _ = write!(
                svg,
                "<rect x=\"{NAMES}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>",
                top + BAR * index as f64,
                width(*value).max(1.5),
                BAR - 1.5
            );
        }
    }
    legend(&mut svg, series, WIDTH);
    svg + "</svg>\n"
}

fn head(title: &str, width: f64, height: f64) -> String {
    let title = escaped(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height:.0}\" width=\"{width}\" \
         height=\"{height:.0}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>{STYLE}\
         <text class=\"title\" x=\"8\" y=\"16\">{title}</text>"
    )
}

fn begin(title: &str, unit: &str, most: f64, width: f64, height: f64) -> String {
    let mut svg = head(title, width, height);
    for quarter in 0..=4_u32 {
        let part = f64::from(quarter) / 4.0;
        let y = height - BOTTOM - part * (height - TOP - BOTTOM);
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{:.1}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}{}</text>",
            width - RIGHT,
            LEFT - 6.0,
            y + 4.0,
            short(most * part),
            if quarter == 4 { unit } else { "" }
        );
    }
    let _ = write!(svg, "<path class=\"axis\" d=\"M{LEFT} {TOP}V{0:.1}H{1:.1}\"/>", height - BOTTOM, width - RIGHT);
    svg
}

fn legend(svg: &mut String, names: &[&str], width: f64) {
    for (index, name) in names.iter().enumerate() {
        let (x, y) = (width - RIGHT + 14.0, TOP + 8.0 + 18.0 * index as f64);
        let colour = COLOURS[index % COLOURS.len()];
        let _ = write!(
            svg,
            "<rect x=\"{x}\" y=\"{:.1}\" width=\"10\" height=\"10\" fill=\"{colour}\"/><text x=\"{}\" y=\"{y:.1}\">{}</text>",
            y - 9.0,
            x + 15.0,
            escaped(name)
        );
    }
}

/// The next of 1, 2, 5, 10, 20 …
fn rounded_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1e-9).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|part| part * power).find(|round| *round >= value).unwrap_or(10.0 * power)
}

fn short(value: f64) -> String {
    if value >= 10.0 || value.fract().abs() < 1e-9 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_with_a_round_number() {
        let rounded = [0.003, 0.7, 1.0, 3.1, 199.0, 201.0].map(rounded_up);
        assert_eq!(rounded.map(|value| format!("{value}")), ["0.005", "1", "1", "5", "200", "500"]);
    }

    #[test]
    fn what_was_not_measured_has_no_bar_and_nothing_has_a_sliver() {
        let groups = [Bars { name: "a<b".into(), values: vec![None, Some(0.0), Some(50.0)] }];
        let svg = bars("Served", " %", &["x", "y", "z"], &groups, Some(100.0));
        // Two bars and three squares of the legend.
        assert_eq!(svg.matches("<rect").count(), 5);
        assert!(svg.contains("a&lt;b"));
    }
}
