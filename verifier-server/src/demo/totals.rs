//! What the seconds of the demo's attack add up to.

use super::second::Second;
use super::visitors::Visited;

/// All seconds so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    asked: u64,
    challenged: u64,
    /// What visitors got while the gate was open, and while it was not.
    open: Visited,
    gated: Visited,
}

impl Totals {
    /// A second in which the gate was open, or not.
    pub(super) fn add(&mut self, second: &Second, is_open: bool) {
        self.asked += second.asked;
        self.challenged += second.challenged;
        let sum = if is_open { &mut self.open } else { &mut self.gated };
        sum.pages += second.visited.pages;
        sum.solved += second.visited.solved;
        sum.given_up += second.visited.given_up;
        sum.slowest = sum.slowest.max(second.visited.slowest);
    }

    /// Whole sentences, of which the first goes on after the time it took.
    pub(super) fn text(&self) -> String {
        let given_up = match self.open.given_up + self.gated.given_up {
            0 => "No page was given up.".to_owned(),
            pages => format!("{pages} pages were given up."),
        };
        format!(
            "there were {} requests; {} of them got a puzzle instead of an answer. Visitors read {} pages, {} of them while \
             the gate was not open, and solved {} puzzles. {given_up} Their slowest page took {:.1} seconds while the gate \
             was open, and {:.1} seconds while it was not, with the solving and with what the site still had to do for the \
             flood.",
            self.asked,
            self.challenged,
            self.open.pages + self.gated.pages,
            self.gated.pages,
            self.open.solved + self.gated.solved,
            self.open.slowest.as_secs_f64(),
            self.gated.slowest.as_secs_f64(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_visitors_got_is_summed_by_what_the_gate_did() {
        let second = |pages, solved, slowest| Second {
            elapsed: Duration::from_secs(1),
            asked: 100,
            challenged: 40,
            visited: Visited { pages, solved, given_up: 1, slowest: Duration::from_millis(slowest) },
            site_delay: None,
        };
        let mut totals = Totals::default();
        totals.add(&second(8, 0, 200), true);
        totals.add(&second(3, 2, 1_500), false);
        totals.add(&second(4, 1, 900), false);
        let text = totals.text();
        for part in [
            "300 requests; 120",
            "15 pages, 7 of them",
            "solved 3 puzzles. 3 pages were given up",
            "0.2 seconds",
            "1.5 seconds",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
