//! What a pass has beside the credits of its clearances: a rate, saved up for a while.

use puzzle::{Credits, UnixSeconds};

/// For so many seconds the rate is saved up: a page with all its parts comes at once.
const SAVED_SECONDS: f64 = 30.0;

/// What is left of a pass's rate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slice {
    credits: f64,
    filled_at: UnixSeconds,
}

impl Slice {
    /// Whether there is room for a request, where it fills by `rate` credits a second.
    pub(super) fn has_room(self, cost: Credits, rate: f64, now: UnixSeconds) -> bool {
        self.filled(rate, now).credits >= credits(cost)
    }

    /// Takes a request, if there is room for it.
    pub(super) fn take(&mut self, cost: Credits, rate: f64, now: UnixSeconds) -> bool {
        let has_room = self.has_room(cost, rate, now);
        *self = self.filled(rate, now);
        if has_room {
            self.credits -= credits(cost);
        }
        has_room
    }

    /// What it is at `now`; the first time it is full.
    fn filled(self, rate: f64, now: UnixSeconds) -> Self {
        let credits = self.credits + rate * f64::from(now.since(self.filled_at));
        Self { credits: credits.min(rate * SAVED_SECONDS), filled_at: self.filled_at.max(now) }
    }
}

fn credits(cost: Credits) -> f64 {
    f64::from(cost.in_hundredths()) / 100.0
}
