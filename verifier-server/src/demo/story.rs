//! What the terminal tells of the demo's attack: what was seen goes in, lines of plain text come out.

use super::course::{Course, FLOOD_PER_SECOND_MAX, Phase};
use super::lines::{clock, note, paragraph};
use super::networks::{FLOOD_NETWORKS, Networks};
use super::second::{Gate, Now, Second, row};
use super::totals::Totals;
use super::visitors::VISITORS;
use super::workers::CAPACITY_PER_SECOND;
use std::time::Duration;

/// How long every second has its line after something happened, and how far apart they are later.
const CLOSE_LOOK: Duration = Duration::from_secs(5);
const FAR_LOOK: Duration = Duration::from_secs(5);
const FAR_LOOK_AT_HOLD: Duration = Duration::from_secs(10);
/// How long it goes on when everything is over, to show that it is.
const AFTERWARDS: Duration = Duration::from_secs(5);
/// How long it waits for the gate to let go after the flood: the gate may be held by something else.
const WAITS_MAX: Duration = Duration::from_mins(10);

/// The story so far.
#[derive(Debug)]
pub(super) struct Story {
    course: Course,
    networks: Networks,
    phase: Phase,
    gate: Gate,
    /// When something happened last, and when a line was written last.
    happened: Duration,
    told: Duration,
    went_down: Option<Duration>,
    let_go: Option<Duration>,
    any_solved: bool,
    totals: Totals,
}

impl Story {
    pub(super) fn new(course: Course, networks: Networks) -> Self {
        Self {
            course,
            networks,
            phase: Phase::Before,
            gate: Gate::Open,
            happened: Duration::ZERO,
            told: Duration::ZERO,
            went_down: None,
            let_go: None,
            any_solved: false,
            totals: Totals::default(),
        }
    }

    /// What will happen.
    pub(super) fn begin(&self) -> Vec<String> {
        let begins = self.course.begins();
        let afterwards = match self.networks {
            Networks::Many => {
                "After that the gate stays down for about another minute, in case the flood comes back, and then lets go."
            }
            Networks::One => {
                "This system gives out no address of 127.0.0.0/8 but 127.0.0.1: flood, visitors and your browser are one \
                 network here. One loud network closes no gate: whoever is in it is asked for work, nobody else would be, \
                 and that ends about ten seconds after the flood."
            }
        };
        let mut lines = paragraph(&format!(
            "An attack in mode auto, on this machine alone. The site can do {CAPACITY_PER_SECOND} pages a second. \
             {VISITORS} visitors read a page a second each. After {:.0} seconds begins a flood of up to \
             {FLOOD_PER_SECOND_MAX} requests a second that do not pay. It lasts {:.0} seconds. {afterwards}",
            begins.as_secs_f64(),
            self.course.over().saturating_sub(begins).as_secs_f64()
        ));
        lines.push(String::new());
        lines.extend(paragraph(
            "Each line: the time; what the gate does; requests in that second, and how many of them got a puzzle \
             instead of an answer; pages that visitors read (each page is two requests, with its style sheet); the price \
             in attempts at a puzzle; how long the site takes for a page.",
        ));
        lines.push(String::new());
        lines
    }

    /// Something may have happened.
    pub(super) fn look(&mut self, at: Duration, now: Now) -> Vec<String> {
        let mut lines = Vec::new();
        let phase = self.course.phase(at);
        if phase != self.phase {
            self.phase = phase;
            lines.push(self.phase_begins());
        }
        if now.gate != self.gate {
            lines.push(self.gate_changes(at, now));
            self.gate = now.gate;
        }
        if !lines.is_empty() {
            self.happened = at;
        }
        lines.iter().flat_map(|line| note(at, line)).collect()
    }

    /// A second has passed.
    pub(super) fn second(&mut self, at: Duration, now: Now, second: &Second) -> Vec<String> {
        let mut lines = self.look(at, now);
        self.totals.add(second, now.gate == Gate::Open);
        if second.visited.solved > 0 && !self.any_solved {
            self.any_solved = true;
            self.happened = at;
            lines.extend(note(at, "Visitors solve their puzzles and are let through. The flood solves none."));
        }
        let apart = if now.gate == Gate::Holds { FAR_LOOK_AT_HOLD } else { FAR_LOOK };
        // Seconds are a little longer or shorter than they should be.
        let is_time = at + Duration::from_millis(500) >= self.told + apart;
        if at < self.happened + CLOSE_LOOK || is_time {
            self.told = at;
            lines.push(row(at, now, second));
        }
        lines
    }

    /// Whether there is nothing more to tell.
    pub(super) fn is_over(&self, at: Duration) -> bool {
        let over = self.course.over();
        let quiet_since = self.let_go.map_or(over, |let_go| let_go.max(over));
        (self.gate == Gate::Open && at >= quiet_since + AFTERWARDS) || at >= over + WAITS_MAX
    }

    /// What it came to.
    pub(super) fn summary(&self, at: Duration) -> Vec<String> {
        let text = format!("In {} {} {}", clock(at), self.totals.text(), self.acted().unwrap_or_default());
        [vec![String::new()], paragraph(&text)].concat()
    }

    /// How quick the gate was; `None` if it did nothing.
    fn acted(&self) -> Option<String> {
        let down = self.went_down?.saturating_sub(self.overloaded()?).as_secs_f64();
        let acted = format!("The gate acted {down:.1} seconds after the flood became more than the site can do");
        Some(match self.let_go {
            Some(let_go) => {
                let open = let_go.saturating_sub(self.course.over()).as_secs_f64();
                format!("{acted}, and let go {open:.0} seconds after its end.")
            }
            None => format!("{acted}."),
        })
    }

    fn overloaded(&self) -> Option<Duration> {
        self.course.reaches(f64::from(CAPACITY_PER_SECOND))
    }

    fn phase_begins(&self) -> String {
        let from = match self.networks {
            Networks::Many => format!("{FLOOD_NETWORKS} networks"),
            Networks::One => "one network".to_owned(),
        };
        match self.phase {
            Phase::Before => "All is quiet.".to_owned(),
            Phase::Rises => format!("The flood begins, from {from}: requests that do not pay."),
            Phase::Stays => format!(
                "The flood is at its height, {FLOOD_PER_SECOND_MAX} requests a second, for {:.0} seconds.",
                self.course.stays().as_secs_f64()
            ),
            Phase::Over => "The flood ends.".to_owned(),
        }
    }

    fn gate_changes(&mut self, at: Duration, now: Now) -> String {
        match now.gate {
            Gate::Down | Gate::Partly => {
                self.let_go = None;
                let since = self.overloaded().filter(|overloaded| *overloaded <= at && self.went_down.is_none());
                let when = since.map_or_else(String::new, |overloaded| {
                    format!(
                        ", {:.1} seconds after the flood became more than the site can do",
                        at.saturating_sub(overloaded).as_secs_f64()
                    )
                });
                self.went_down = self.went_down.or(Some(at));
                if now.gate == Gate::Partly {
                    return format!(
                        "THE GATE IS DOWN FOR THE LOUD{when}: networks that ask for more than their share have to solve a \
                         puzzle, the others are asked nothing."
                    );
                }
                format!(
                    "THE GATE IS DOWN{when}. Whoever wants a page has to solve a puzzle first; open the address above in a \
                     browser to see it. The site needs some seconds for what came in before."
                )
            }
            Gate::Holds => format!(
                "Less is asked than the site can do. The gate stays down for {:.0} seconds more, in case it comes back.",
                now.hold_left.as_secs_f64()
            ),
            Gate::Open => {
                self.let_go = Some(at);
                "THE GATE LETS GO. Nothing is asked of anybody any more.".to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::visitors::Visited;
    use super::*;

    const FLOOD: Duration = Duration::from_secs(20);
    const LOOK: Duration = Duration::from_millis(100);

    /// Tells what happens while the gate does what `gate` says at each time.
    fn told(story: &mut Story, until: Duration, gate: impl Fn(Duration) -> Gate) -> Vec<String> {
        let mut lines = story.begin();
        let mut at = Duration::ZERO;
        while at < until {
            for _ in 0..10 {
                at += LOOK;
                lines.extend(story.look(at, now(gate(at))));
            }
            let asked = crate::load::whole(story.course.per_second(at)) + 16;
            let challenged = if gate(at) == Gate::Open { 0 } else { asked - 16 };
            let solved = u32::from(challenged > 0);
            let visited = Visited { pages: 8, solved, given_up: 0, slowest: LOOK };
            let site_delay = Some(Duration::from_millis(80));
            let second = Second { elapsed: Duration::from_secs(1), asked, challenged, visited, site_delay };
            lines.extend(story.second(at, now(gate(at)), &second));
            if story.is_over(at) {
                lines.extend(story.summary(at));
                break;
            }
        }
        lines
    }

    fn now(gate: Gate) -> Now {
        let price = if gate == Gate::Open { 0 } else { 262_144 };
        Now { gate, price, hold_left: Duration::from_mins(1) }
    }

    /// Down from 8 s on, holding from 25 s, open again from 85 s.
    fn as_it_should(at: Duration) -> Gate {
        match at.as_secs() {
            8..25 => Gate::Down,
            25..85 => Gate::Holds,
            _ => Gate::Open,
        }
    }

    fn story(networks: Networks) -> Story {
        Story::new(Course::of(FLOOD), networks)
    }

    /// The text without its line breaks.
    fn in_one_line(lines: &[String]) -> String {
        lines.iter().flat_map(|line| line.split_whitespace()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn everything_that_happens_is_told_once_and_in_its_order() {
        let text = in_one_line(&told(&mut story(Networks::Many), Duration::from_secs(200), as_it_should));
        let parts = [
            "The flood begins, from 100 networks",
            "0:08 THE GATE IS DOWN",
            "Visitors solve their puzzles",
            "at its height, 300 requests a second",
            "The flood ends",
            "The gate stays down for 60 seconds more",
            "1:25 THE GATE LETS GO",
            "In 1:30 there were",
            "No page was given up",
        ];
        let places: Vec<usize> =
            parts.iter().map(|part| text.find(part).unwrap_or_else(|| unreachable!("{part} in {text}"))).collect();
        assert!(places.is_sorted(), "{text}");
        assert!(parts.iter().all(|part| text.matches(part).count() == 1), "{text}");
    }

    #[test]
    fn it_is_no_wall_of_text_and_plain_in_a_pipe() {
        for networks in [Networks::Many, Networks::One] {
            let lines = told(&mut story(networks), Duration::from_secs(200), as_it_should);
            assert!((20..70).contains(&lines.len()), "{} lines", lines.len());
            for line in lines {
                assert!(line.chars().count() <= 80 && !line.chars().any(char::is_control), "{line}");
            }
        }
    }

    #[test]
    fn it_ends_when_the_gate_has_let_go_or_after_minutes_of_waiting() {
        let mut held = story(Networks::Many);
        told(&mut held, Duration::from_secs(100), |at| if at.as_secs() < 8 { Gate::Open } else { Gate::Holds });
        assert!(!held.is_over(Duration::from_secs(100)));
        assert!(held.is_over(held.course.over() + WAITS_MAX));
        let quiet = story(Networks::Many);
        assert!(!quiet.is_over(quiet.course.begins()), "not before the flood, though the gate is open");
        assert!(quiet.is_over(quiet.course.over() + AFTERWARDS), "also where the gate never went down");
    }

    #[test]
    fn on_one_network_it_says_what_is_different() {
        let partly = |at: Duration| if (8..30).contains(&at.as_secs()) { Gate::Partly } else { Gate::Open };
        let text = in_one_line(&told(&mut story(Networks::One), Duration::from_mins(1), partly));
        assert!(text.contains("no address of 127.0.0.0/8 but 127.0.0.1"), "{text}");
        assert!(text.contains("from one network") && text.contains("DOWN FOR THE LOUD"), "{text}");
    }
}
