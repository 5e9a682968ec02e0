//! What a program of the operator's says the load is (`POST /load`).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The last word, which lapses: a program that has died says nothing.
#[derive(Debug, Default)]
pub struct ToldLoad {
    /// The load, 1 for full, and when it was told, since the start of the verifier.
    last: Mutex<Option<(f64, Duration)>>,
}

impl ToldLoad {
    /// How long a word holds.
    pub const LAPSES_AFTER: Duration = Duration::from_secs(10);

    /// Notes a load: 1 is full. `false` for what is negative or no number.
    pub fn tell(&self, load: f64, now: Duration) -> bool {
        let sound = load.is_finite() && load >= 0.0;
        if sound {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((load, now));
        }
        sound
    }

    /// The load as it was told in the last ten seconds.
    #[must_use]
    pub fn load(&self, now: Duration) -> Option<f64> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.filter(|(_, told_at)| now.saturating_sub(*told_at) < Self::LAPSES_AFTER).map(|(load, _)| load)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_lapses_after_ten_seconds() {
        let told = ToldLoad::default();
        let at = Duration::from_secs;
        assert_eq!(told.load(at(5)), None);
        assert!(told.tell(1.5, at(5)));
        assert!(!told.tell(f64::NAN, at(6)) && !told.tell(-0.5, at(6)) && !told.tell(f64::INFINITY, at(6)));
        assert_eq!(told.load(at(14)), Some(1.5));
        assert_eq!(told.load(at(15)), None);
    }
}
