//! What attackers sent, and what they got.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::client::{Answer, Lost};
use crate::shop::{Clearance, code_of};

/// A sale to an attacker.
#[derive(Clone, Copy, Debug)]
pub struct Sale {
    /// Seconds from the begin of the attack.
    pub at_s: f64,
    /// Attempts that the challenge asked, scaled.
    pub work: u64,
    /// Credits that it bought.
    pub credits: f64,
}

/// Counters of one attack.
#[derive(Debug, Default)]
pub struct Tally {
    sent: AtomicU64,
    heard: Mutex<BTreeMap<String, u64>>,
    sales: Mutex<Vec<Sale>>,
}

impl Tally {
    /// Something was sent that is a request, or as much as one.
    pub fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// What came back: a status with the problem's code, or how the answer was lost.
    pub fn heard(&self, answer: &Result<Answer, Lost>) {
        match answer {
            Ok(answer) if answer.status < 400 || answer.is_from_origin() => self.note(&answer.status.to_string()),
            Ok(answer) => {
                let code = code_of(answer);
                let what =
                    if code.is_empty() { answer.status.to_string() } else { format!("{} {code}", answer.status) };
                self.note(&what);
            }
            Err(Lost::Unconnected) => self.note("not connected"),
            Err(Lost::Cut) => self.note("cut"),
            Err(Lost::Late) => self.note("given up"),
        }
    }

    /// One more of these.
    pub fn note(&self, what: &str) {
        self.note_many(what, 1);
    }

    /// So many more of these.
    pub fn note_many(&self, what: &str, count: u64) {
        let mut heard = lock(&self.heard);
        if let Some(known) = heard.get_mut(what) {
            *known += count;
        } else {
            heard.insert(what.to_owned(), count);
        }
    }

    /// A sale.
    pub fn bought(&self, clearance: &Clearance, at_s: f64) {
        lock(&self.sales).push(Sale { at_s, work: clearance.work, credits: clearance.credits });
    }

    /// How often what was noted.
    #[must_use]
    pub fn notes(&self) -> BTreeMap<String, u64> {
        lock(&self.heard).clone()
    }

    /// All sales.
    #[must_use]
    pub fn sales(&self) -> Vec<Sale> {
        lock(&self.sales).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
