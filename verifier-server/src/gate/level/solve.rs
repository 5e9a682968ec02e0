//! The water level itself: the x with Σ min(demand, x · shares) = supply, over networks inside networks.

/// How closely the level is found: 2^-40 of where it was looked for.
const HALVINGS: u32 = 40;

/// A client network that asked for something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Asking {
    /// Credits a second.
    pub(super) demand: f64,
    /// How many shares it has, at least 1.
    pub(super) shares: f64,
    /// Which of the networks around it lies next to it.
    pub(super) inside: Option<usize>,
}

/// A network around others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Around {
    /// How many shares all in it have together.
    pub(super) shares: f64,
    /// Which other lies next around it. Its place is behind this one's.
    pub(super) inside: Option<usize>,
}

/// Credits a second for each share, or `None` where everybody gets what they ask for.
pub(super) fn level(asking: &[Asking], around: &[Around], supply: f64) -> Option<f64> {
    let mut sums = vec![0.0; around.len()];
    let mut admitted = |level| admitted(asking, around, level, &mut sums);
    if admitted(f64::INFINITY) <= supply {
        return None;
    }
    let (mut low, mut high) = (0.0, supply.max(f64::MIN_POSITIVE));
    while admitted(high) < supply {
        (low, high) = (high, high * 2.0);
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if admitted(middle) > supply {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(low)
}

/// What is admitted at a level. `sums` has a place for each network around others.
fn admitted(asking: &[Asking], around: &[Around], level: f64, sums: &mut [f64]) -> f64 {
    sums.fill(0.0);
    let mut total = 0.0;
    for network in asking {
        let granted = network.demand.min(level * network.shares);
        *network.inside.and_then(|place| sums.get_mut(place)).unwrap_or(&mut total) += granted;
    }
    for (place, network) in around.iter().enumerate() {
        let granted = sums[place].min(level * network.shares);
        *network.inside.and_then(|place| sums.get_mut(place)).unwrap_or(&mut total) += granted;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn alone(demand: f64) -> Asking {
        Asking { demand, shares: 1.0, inside: None }
    }

    #[test]
    fn who_asks_for_little_gets_it_and_the_others_share_the_rest() {
        let asking = [alone(1.0), alone(2.0), alone(100.0), Asking { shares: 3.0, ..alone(50.0) }];
        let level = level(&asking, &[], 19.0).expect("more than there is");
        assert!((level - 4.0).abs() < 1e-6, "{level}: 1 + 2 + 4 + 3 · 4");
        assert_eq!(super::level(&asking, &[], 153.0), None);
    }

    #[test]
    fn a_rented_allocation_has_the_shares_of_its_allocation() {
        let around = [Around { shares: 16.0, inside: None }];
        let rented = |_| Asking { inside: Some(0), ..alone(10.0) };
        let mut asking: Vec<Asking> = (0..256).map(rented).collect();
        asking.extend([alone(100.0); 4]);
        let level = level(&asking, &around, 100.0).expect("more than there is");
        assert!((level - 5.0).abs() < 1e-6, "{level}: 16 shares for the /16 and one for each of the others");
    }

    #[test]
    fn shares_are_nested_twice() {
        // 32 /48s of four /56s each in one /32: 64 shares, however many /56s there are.
        let mut around = vec![Around { shares: 4.0, inside: Some(32) }; 32];
        around.push(Around { shares: 64.0, inside: None });
        let mut asking: Vec<Asking> = (0..32 * 8).map(|home| Asking { inside: Some(home / 8), ..alone(9.0) }).collect();
        asking.push(alone(9.0));
        let level = level(&asking, &around, 65.0).expect("more than there is");
        assert!((level - 1.0).abs() < 1e-6, "{level}");
    }

    fn networks() -> impl Strategy<Value = (Vec<Asking>, Vec<Around>)> {
        (1_usize..6, 0_usize..3).prop_flat_map(|(inner, outer)| {
            let around = (0..inner + outer).map(move |place| {
                let inside = if place < inner && outer > 0 { Some(inner + place % outer) } else { None };
                (1.0..64.0_f64).prop_map(move |shares| Around { shares, inside })
            });
            let asking = (0.0..50.0_f64, 1.0..16.0_f64, proptest::option::of(0..inner))
                .prop_map(|(demand, shares, inside)| Asking { demand, shares, inside });
            (proptest::collection::vec(asking, 1..60), around.collect::<Vec<_>>())
        })
    }

    proptest! {
        #[test]
        fn all_that_there_is_is_given_and_no_more((asking, around) in networks(), supply in 0.01..500.0_f64) {
            let demand: f64 = asking.iter().map(|network| network.demand).sum();
            let mut sums = vec![0.0; around.len()];
            match level(&asking, &around, supply) {
                None => prop_assert!(demand <= supply * (1.0 + 1e-9)),
                Some(level) => {
                    let given = admitted(&asking, &around, level, &mut sums);
                    prop_assert!(given <= supply, "{given} of {supply}");
                    prop_assert!(given >= supply * (1.0 - 1e-6), "{given} of {supply}");
                }
            }
        }
    }
}
