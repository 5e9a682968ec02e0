//! Values measured in rounds: their median, with the least and the most beside it.

/// Rounds of every measurement; odd, so that the median is one of the values.
pub(crate) const ROUNDS: usize = 7;

/// One value a round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    values: Vec<f64>,
}

impl Sample {
    pub(crate) fn add(&mut self, value: f64) {
        self.values.push(value);
    }

    /// Round by round, this over `baseline`: what slows down a whole round leaves it as it is.
    pub(crate) fn over(&self, baseline: &Self) -> Self {
        Self { values: self.values.iter().zip(&baseline.values).map(|(value, base)| value / base).collect() }
    }

    pub(crate) fn median(&self) -> f64 {
        let sorted = self.sorted();
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn least(&self) -> f64 {
        self.sorted().first().copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn most(&self) -> f64 {
        self.sorted().last().copied().unwrap_or(f64::NAN)
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

impl FromIterator<f64> for Sample {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self { values: values.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        let slow_second_round: Sample = [10.0, 5.0, 10.0].into_iter().collect();
        let baseline: Sample = [2.0, 1.0, 4.0].into_iter().collect();
        let ratio = slow_second_round.over(&baseline);
        assert_eq!([ratio.least(), ratio.median(), ratio.most()].map(f64::to_bits), [2.5, 5.0, 5.0].map(f64::to_bits));
    }
}
