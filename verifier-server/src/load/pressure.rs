//! Linux pressure stall information: how much of the time something had to wait for the machine.
//!
//! See <https://docs.kernel.org/accounting/psi.html>. Beside the verifier on one machine it tells of an origin that is
//! out of CPU or disk; it only starts the gate or holds it.

use std::path::Path;

/// The two resources that are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// `some avg10` of the CPU in per cent; `None` where it cannot be read.
    pub cpu: Option<f64>,
    /// The same of input and output.
    pub io: Option<f64>,
}

impl Pressure {
    /// Above this, in per cent, the machine is overloaded.
    pub const OVERLOAD_PERCENT: f64 = 40.0;

    /// Reads `cpu` and `io` in a folder that is `/proc/pressure` or like it.
    #[must_use]
    pub fn read(folder: &Path) -> Self {
        let of = |name| some_avg10(&std::fs::read_to_string(folder.join(name)).ok()?);
        Self { cpu: of("cpu"), io: of("io") }
    }

    /// The larger of the two, in per cent.
    #[must_use]
    pub fn highest(&self) -> Option<f64> {
        self.cpu.into_iter().chain(self.io).reduce(f64::max)
    }
}

/// `some avg10=1.23 avg60=…` in a file of this kind.
fn some_avg10(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let value = line.split_whitespace().find_map(|field| field.strip_prefix("avg10="))?;
    value.parse().ok().filter(|percent| (0.0..=100.0).contains(percent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ten_second_average_of_some_is_read() {
        let text = "some avg10=41.50 avg60=8.26 avg300=19.50 total=3768523391\nfull avg10=99.00 avg60=0.00 avg300=0.00 total=0\n";
        assert_eq!(some_avg10(text), Some(41.5));
        for odd in ["", "some", "some avg10=", "some avg10=x", "some avg10=-1", "some avg10=101", "full avg10=1.00"] {
            assert_eq!(some_avg10(odd), None, "{odd}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_guessed() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Pressure::read(folder.path()), Pressure::default());
        assert_eq!(Pressure::default().highest(), None);
        std::fs::write(folder.path().join("io"), "some avg10=7.00 avg60=0.00 avg300=0.00 total=0\n").expect("written");
        assert_eq!(Pressure::read(folder.path()).highest(), Some(7.0));
    }
}
