//! What is printed: one table of Markdown for each part.

use std::fmt::{self, Display, Formatter};

use crate::sample::Sample;

/// One part of the measurements.
pub(crate) struct Table {
    pub(crate) title: String,
    /// What was measured and how, in a sentence or two.
    pub(crate) method: String,
    /// Unit of the first column of figures.
    pub(crate) unit: &'static str,
    /// What the second column of figures is, where there is one.
    pub(crate) ratio: Option<&'static str>,
    pub(crate) rows: Vec<Row>,
}

/// One thing that was measured.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) value: Sample,
    /// Given where the table has a second column.
    pub(crate) ratio: Option<Sample>,
    pub(crate) aim: Option<Aim>,
}

/// What a median ought to be.
#[derive(Clone, Copy)]
pub(crate) enum Aim {
    /// The value is at least this.
    AtLeast(f64),
    /// The value is at most this.
    AtMost(f64),
    /// The ratio is at least this.
    RatioAtLeast(f64),
    /// The ratio is at most this.
    RatioAtMost(f64),
}

impl Row {
    fn verdict(&self) -> String {
        let Some(aim) = self.aim else { return "–".to_owned() };
        let met = match aim {
            Aim::AtLeast(aim) => self.value.median() >= aim,
            Aim::AtMost(aim) => self.value.median() <= aim,
            Aim::RatioAtLeast(aim) => self.ratio.as_ref().is_some_and(|ratio| ratio.median() >= aim),
            Aim::RatioAtMost(aim) => self.ratio.as_ref().is_some_and(|ratio| ratio.median() <= aim),
        };
        let verdict = if met { "met" } else { "**not met**" };
        match aim {
            Aim::AtLeast(aim) => format!("≥ {}: {verdict}", figure(aim)),
            Aim::AtMost(aim) => format!("≤ {}: {verdict}", figure(aim)),
            Aim::RatioAtLeast(aim) => format!("≥ {} ×: {verdict}", figure(aim)),
            Aim::RatioAtMost(aim) => format!("≤ {} ×: {verdict}", figure(aim)),
        }
    }
}

impl Display for Table {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "### {}\n\n{}\n", self.title, self.method)?;
        let (name, line) = match self.ratio {
            Some(ratio) => (format!(" {ratio} | min–max |"), "---:|---:|"),
            None => Default::default(),
        };
        writeln!(formatter, "| | {} | min–max |{name} aim |", self.unit)?;
        writeln!(formatter, "|---|---:|---:|{line}---|")?;
        for row in &self.rows {
            write!(formatter, "| {} | {} | {} ", row.name, figure(row.value.median()), spread(&row.value))?;
            if let Some(ratio) = &row.ratio {
                write!(formatter, "| {} | {} ", figure(ratio.median()), spread(ratio))?;
            }
            writeln!(formatter, "| {} |", row.verdict())?;
        }
        Ok(())
    }
}

fn spread(sample: &Sample) -> String {
    let [least, most] = [sample.least(), sample.most()].map(figure);
    if least == most { "–".to_owned() } else { format!("{least}–{most}") }
}

/// A figure with about three digits, or whole with thousands set apart.
fn figure(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => trimmed(&format!("{value:.2}")),
        size if size < 100.0 => trimmed(&format!("{value:.1}")),
        _ => grouped(&format!("{value:.0}")),
    }
}

fn trimmed(text: &str) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn grouped(digits: &str) -> String {
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_about_three_digits() {
        let figures = [0.014, 2.5, 15.25, 20.0, 100.0, 1_234.4, 1_234_567.0].map(figure);
        assert_eq!(figures, ["0.01", "2.5", "15.2", "20", "100", "1,234", "1,234,567"]);
    }

    #[test]
    fn an_aim_is_held_against_the_median() {
        let row = |aim| Row {
            name: String::new(),
            value: [1.0, 5.0, 9.0].into_iter().collect(),
            ratio: Some([0.5, 1.3, 1.4].into_iter().collect()),
            aim: Some(aim),
        };
        assert_eq!(row(Aim::AtLeast(5.0)).verdict(), "≥ 5: met");
        assert_eq!(row(Aim::AtMost(4.0)).verdict(), "≤ 4: **not met**");
        assert_eq!(row(Aim::RatioAtMost(1.3)).verdict(), "≤ 1.3 ×: met");
        assert_eq!(row(Aim::RatioAtLeast(1.4)).verdict(), "≥ 1.4 ×: **not met**");
    }
}
