//! Who visits the site: where from, and with what devices.

use super::{PHONE, Place, Random, scattered};
use puzzle::ClientNetwork;

/// Shares of the two networks that many visitors share, where weeks of peace tell of them.
const KNOWN_SHARES: u32 = 50;

/// Visitors: half of them on networks of their own, a quarter in an office, a quarter behind a carrier's NAT, with
/// phones and desktops; nothing is known of their networks.
pub(crate) fn visitor(random: &mut Random) -> (Place, f64) {
    of(random, 1)
}

/// The same with what weeks of peace tell of the two.
pub(crate) fn visitor_known(random: &mut Random) -> (Place, f64) {
    of(random, KNOWN_SHARES)
}

fn of(random: &mut Random, shares: u32) -> (Place, f64) {
    let many = |third| Place { network: ClientNetwork::of([203, 0, third, 1].into()), shares };
    let place = match random.part() {
        part if part < 0.5 => scattered(20_000 + random.below(19_000)),
        part if part < 0.75 => many(1),
        _ => many(2),
    };
    (place, device(random))
}

/// Attempts a second of a tenth slowest phones, a half ordinary ones, and desktops.
fn device(random: &mut Random) -> f64 {
    match random.part() {
        part if part < 0.1 => PHONE,
        part if part < 0.6 => 5.0 * PHONE,
        _ => 40.0 * PHONE,
    }
}
