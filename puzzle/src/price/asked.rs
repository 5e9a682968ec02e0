//! What a challenge asks.

use crate::{Algorithm, Difficulty, Multiplier, Rate, Shape};

/// p90 ÷ mean of the sum of k exponentials, for k = 1 to 64, in ten-thousandths: how much longer than the mean one in
/// ten visitors takes. (The 0.9 quantile of the Erlang distribution of shape k, divided by k.)
const P90_PER_MEAN: [u32; Shape::COUNT_MAX as usize] = [
    23026, 19449, 17741, 16702, 15987, 15458, 15046, 14714, 14439, 14206, 14006, 13832, 13678, 13541, 13419, 13308,
    13207, 13114, 13030, 12951, 12879, 12811, 12748, 12689, 12633, 12581, 12532, 12485, 12441, 12400, 12360, 12322,
    12286, 12251, 12218, 12187, 12156, 12127, 12099, 12072, 12046, 12021, 11997, 11974, 11952, 11930, 11909, 11889,
    11869, 11850, 11831, 11813, 11796, 11779, 11762, 11746, 11731, 11715, 11701, 11686, 11672, 11658, 11645, 11632,
];

/// The ceiling `w`: the most work that one challenge of `count` sub-puzzles may ask, so that the slowest supported
/// phone still finishes its p90 within `max_solve_seconds`.
#[must_use]
pub fn ceiling(algorithm: Algorithm, rate: Rate, max_solve_seconds: u32, count: u8) -> u64 {
    let index = usize::from(count.clamp(1, Shape::COUNT_MAX)) - 1;
    let attempts = u64::from(max_solve_seconds) * u64::from(algorithm.slowest_attempts_per_second());
    let work = attempts.saturating_mul(u64::from(rate.get())).saturating_mul(10_000);
    (work / u64::from(P90_PER_MEAN[index])).max(1)
}

/// The difficulty of a challenge at `price`: `ceil(min(p·m, w) ÷ (k·rate))`.
#[must_use]
pub fn asked(price: u64, multiplier: Multiplier, ceiling: u64, rate: Rate, count: u8) -> Difficulty {
    let hundredths = u128::from(price) * u128::from(multiplier.in_hundredths());
    let hundredths = hundredths.min(u128::from(ceiling) * 100);
    let per_attempt = 100 * u128::from(count.max(1)) * u128::from(rate.get());
    let attempts = u32::try_from(hundredths.div_ceil(per_attempt)).unwrap_or(u32::MAX);
    Difficulty::new(attempts).unwrap_or(Difficulty::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_ceiling_is_fifteen_seconds_of_the_slowest_phone() {
        let work = ceiling(Algorithm::Sha256, Rate::ONE, 15, 8);
        assert_eq!(work / 100_000, 101, "15 s × 1 MH/s ÷ 1.47 = 10.2 M, got {work}");
        let attempts = ceiling(Algorithm::HashWx, Rate::ONE, 15, 4);
        assert_eq!(attempts / 10_000, 269, "15 s × 300 kH/s ÷ 1.67 = 2.69 M, got {attempts}");
        let rate = Rate::new(100).expect("not 0");
        assert_eq!(ceiling(Algorithm::HashWx, rate, 15, 4) / 100, attempts);
    }

    #[test]
    fn the_table_of_quantiles_is_that_of_the_erlang_distribution() {
        extern crate std;
        for (index, &ratio) in P90_PER_MEAN.iter().enumerate() {
            let count = u32::try_from(index + 1).expect("64 at most");
            let x = f64::from(ratio) / 10_000.0 * f64::from(count);
            let (mut term, mut sum) = (1.0, 1.0);
            for i in 1..count {
                term *= x / f64::from(i);
                sum += term;
            }
            let below = 1.0 - f64::exp(-x) * sum;
            assert!((below - 0.9).abs() < 1e-4, "k = {count}: {below}");
        }
    }
}
