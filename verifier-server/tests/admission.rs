//! The queue before an origin: who goes next, who is dropped, and what never happens.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use puzzle::{ClearanceId, ClientNetwork, Credits};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use verifier_server::gate::admission::{
    Admission, Asked, Class, LANE_REQUESTS_MAX, QUEUE_REQUESTS_MAX, Request, Token, Turn, WAIT_MAX,
};
use verifier_server::gate::networks::{HashKey, Nested};
use verifier_server::load::Amount;

/// By which networks and clearances are placed.
const HASH_KEY: HashKey = HashKey([1; 16]);

/// A request by its number; a client may have gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticket {
    number: u32,
    gone: bool,
}

impl Token for Ticket {
    fn is_gone(&self) -> bool {
        self.gone
    }
}

const fn ticket(number: u32) -> Ticket {
    Ticket { number, gone: false }
}

fn from(address: impl Into<IpAddr>) -> Request {
    Request {
        class: Class::Cleared,
        network: Nested::of(ClientNetwork::of(address.into())),
        shares: [1; 3],
        clearance: ClearanceId([0; 16]),
        cost: Amount::of(Credits::ONE),
        part: false,
    }
}

fn v4(second: u8, third: u8) -> Request {
    from([198, second, third, 1])
}

fn v6(provider: u16, site: u16, home: u8) -> Request {
    from([0x2001, provider, site, u16::from(home) << 8, 0, 0, 0, 1])
}

/// One slot, which is taken, and a clock.
struct Stage {
    admission: Admission<Ticket>,
    now: Duration,
    turns: Vec<Turn<Ticket>>,
    next: u32,
}

impl Stage {
    fn new() -> Self {
        let mut stage = Self {
            admission: Admission::new(1, HASH_KEY),
            now: Duration::from_secs(100),
            turns: Vec::new(),
            next: 1_000_000,
        };
        stage.admission.ask(&v4(255, 255), ticket(0), stage.now, &mut stage.turns);
        stage
    }

    fn ask(&mut self, request: &Request, number: u32) {
        let asked = self.admission.ask(request, ticket(number), self.now, &mut self.turns);
        assert!(matches!(asked, Asked::Waits), "{asked:?}");
    }

    /// Makes networks old: each is served so much that they are not new any more.
    fn known(&mut self, requests: &[Request]) {
        for request in requests {
            for _ in 0..3 {
                let number = self.next;
                self.next += 1;
                self.ask(request, number);
                assert_eq!(self.serve(1), [number]);
            }
        }
    }

    /// Who gets the slot, one after the other.
    fn serve(&mut self, count: usize) -> Vec<u32> {
        let mut served = Vec::new();
        while served.len() < count && self.admission.waiting() > 0 {
            self.admission.release(self.now, &mut self.turns);
            served.extend(self.turns.drain(..).filter_map(|turn| match turn {
                Turn::Slot(ticket) => Some(ticket.number),
                _ => None,
            }));
        }
        served
    }

    fn dropped(&mut self) -> Vec<u32> {
        let dropped = self.turns.iter().filter_map(|turn| match turn {
            Turn::Dropped(ticket) => Some(ticket.number),
            _ => None,
        });
        dropped.collect()
    }

    /// How often networks with backlogs are served among so many, by the index of the network.
    fn shares(&mut self, networks: &[Request], served: usize) -> Vec<usize> {
        self.known(networks);
        for round in 0..100 {
            for (index, request) in networks.iter().enumerate() {
                let number = u32::try_from(index).unwrap() * 1_000 + round;
                let _ = self.admission.ask(request, ticket(number), self.now, &mut self.turns);
            }
        }
        let mut counts = vec![0; networks.len()];
        for number in self.serve(served) {
            counts[usize::try_from(number / 1_000).unwrap()] += 1;
        }
        counts
    }
}

#[test]
fn while_there_is_a_slot_nobody_waits() {
    let mut admission = Admission::new(2, HASH_KEY);
    let mut turns = Vec::new();
    let now = Duration::ZERO;
    assert!(matches!(admission.ask(&v4(1, 1), ticket(1), now, &mut turns), Asked::Now(_)));
    assert!(matches!(admission.ask(&v4(1, 1), ticket(2), now, &mut turns), Asked::Now(_)));
    assert!(matches!(admission.ask(&v4(1, 1), ticket(3), now, &mut turns), Asked::Waits));
    assert!(turns.is_empty());
    admission.release(now, &mut turns);
    assert!(matches!(turns[..], [Turn::Slot(Ticket { number: 3, .. })]));
    assert_eq!(admission.slots(), (2, 2));
}

#[test]
fn a_network_that_asks_more_is_served_no_more() {
    let mut stage = Stage::new();
    let (loud, quiet) = (v4(1, 1), v4(2, 1));
    stage.known(&[loud, quiet]);
    (0..100).for_each(|number| stage.ask(&loud, number));
    (200..210).for_each(|number| stage.ask(&quiet, number));
    let served = stage.serve(20);
    assert_eq!(served.iter().filter(|number| **number >= 200).count(), 10, "{served:?}");
}

#[test]
fn a_new_network_goes_before_all_that_were_served() {
    let mut stage = Stage::new();
    let crowd: Vec<Request> = (0..50).map(|third| v4(third, 1)).collect();
    stage.known(&crowd);
    for request in &crowd {
        (0..10).for_each(|number| stage.ask(request, number));
    }
    (500..505).for_each(|number| stage.ask(&v4(200, 1), number));
    assert_eq!(stage.serve(3), [500, 501, 502], "three credits before it stands with the others");
    assert!(stage.serve(1)[0] < 500);
}

#[test]
fn assets_of_a_new_network_weigh_a_tenth() {
    let mut stage = Stage::new();
    stage.known(&[v4(1, 1)]);
    (0..50).for_each(|number| stage.ask(&v4(1, 1), number));
    stage.ask(&v4(2, 1), 100);
    let asset = Request { cost: Amount::of(Credits::TENTH), ..v4(2, 1) };
    (101..121).for_each(|number| stage.ask(&asset, number));
    let served = stage.serve(21);
    assert!(served.iter().all(|number| *number >= 100), "a page and its twenty assets: {served:?}");
}

#[test]
fn a_slash_16_has_sixteen_shares_however_many_networks_are_in_it() {
    let mut stage = Stage::new();
    let mut networks: Vec<Request> = (0..64).map(|third| v4(18, third)).collect();
    networks.extend((0..16).map(|second| v4(100 + second, 1)));
    let shares = stage.shares(&networks, 640);
    let rented: usize = shares[..64].iter().sum();
    assert!((300..=340).contains(&rented), "sixteen of thirty-two shares of 640: {rented}");
    assert!(shares[64..].iter().all(|single| (18..=22).contains(single)), "{shares:?}");
}

#[test]
fn a_slash_32_has_64_shares_and_a_slash_48_four_of_them() {
    let mut stage = Stage::new();
    let mut networks: Vec<Request> = (0..32).map(|home| v6(0xdb8, 1, home)).collect();
    networks.extend((0..4).map(|second| v4(100 + second, 1)));
    let shares = stage.shares(&networks, 320);
    let subscriber: usize = shares[..32].iter().sum();
    assert!((150..=170).contains(&subscriber), "four of eight shares of 320: {subscriber}");

    let mut stage = Stage::new();
    let mut networks: Vec<Request> = (0..100).map(|site| v6(0xdb8, site, 0)).collect();
    networks.extend((0..16).map(|second| v4(100 + second, 1)));
    let shares = stage.shares(&networks, 800);
    let provider: usize = shares[..100].iter().sum();
    assert!((620..=660).contains(&provider), "64 of 80 shares of 800: {provider}");
}

#[test]
fn shares_that_are_known_weigh() {
    let mut stage = Stage::new();
    let office = Request { shares: [8, 16, 1], ..v4(1, 1) };
    let networks = [office, v4(2, 1), v4(3, 1)];
    let shares = stage.shares(&networks, 100);
    assert!((76..=84).contains(&shares[0]), "eight of ten: {shares:?}");
}

#[test]
fn a_dear_request_waits_until_its_network_has_saved_for_it() {
    let mut stage = Stage::new();
    let (dear, cheap) = (Request { cost: Amount::of(Credits::whole(20)), ..v4(1, 1) }, v4(2, 1));
    stage.known(&[v4(1, 1), cheap]);
    (0..5).for_each(|number| stage.ask(&dear, number));
    (100..200).for_each(|number| stage.ask(&cheap, number));
    let served = stage.serve(63);
    let dear_ones = served.iter().filter(|number| **number < 100).count();
    assert_eq!(dear_ones, 3, "twenty credits of each: {served:?}");
}

#[test]
fn classes_go_one_before_the_other() {
    let mut stage = Stage::new();
    let class = |class| Request { class, ..v4(1, 1) };
    stage.ask(&class(Class::Unpaid), 4);
    stage.ask(&class(Class::Cleared), 2);
    stage.ask(&class(Class::Free), 3);
    stage.ask(&class(Class::Reserved), 1);
    assert_eq!(stage.serve(4), [1, 2, 3, 4]);
}

#[test]
fn who_waits_too_long_is_dropped_and_does_not_hold_up_the_fresh() {
    let mut stage = Stage::new();
    stage.ask(&v4(1, 1), 1);
    stage.now += WAIT_MAX;
    stage.ask(&v4(1, 1), 2);
    stage.now += Duration::from_millis(1);
    stage.admission.release(stage.now, &mut stage.turns);
    assert_eq!(stage.dropped(), [1]);
    assert!(stage.turns.iter().any(|turn| matches!(turn, Turn::Slot(Ticket { number: 2, .. }))));
}

#[test]
fn a_client_that_has_gone_takes_no_slot() {
    let mut stage = Stage::new();
    let gone = Ticket { number: 1, gone: true };
    stage.admission.ask(&v4(1, 1), gone, stage.now, &mut stage.turns);
    stage.ask(&v4(1, 1), 2);
    assert_eq!(stage.serve(1), [2]);
}

#[test]
fn one_bad_neighbour_does_not_starve_the_office() {
    let mut stage = Stage::new();
    let neighbour = Request { clearance: ClearanceId([1; 16]), ..v4(1, 1) };
    for number in 0..1_000 {
        let _ = stage.admission.ask(&neighbour, ticket(number), stage.now, &mut stage.turns);
    }
    assert_eq!(stage.admission.waiting(), LANE_REQUESTS_MAX);
    let colleagues: Vec<Request> =
        (2..66).map(|byte| Request { clearance: ClearanceId([byte; 16]), ..v4(1, 1) }).collect();
    for (number, colleague) in (10_000..).zip(&colleagues) {
        stage.ask(colleague, number);
    }
    let served = stage.serve(100);
    let of_colleagues = served.iter().filter(|number| **number >= 10_000).count();
    assert!(
        of_colleagues >= 40,
        "one of eight shares its bucket with the neighbour, more or fewer by chance: {served:?}"
    );
}

#[test]
fn a_full_queue_makes_room_where_most_wait_and_nowhere_else() {
    let mut stage = Stage::new();
    stage.ask(&v4(200, 1), 1);
    for number in 0..70 {
        for _ in 0..LANE_REQUESTS_MAX {
            let _ = stage.admission.ask(&v4(number, 2), ticket(100), stage.now, &mut stage.turns);
        }
    }
    assert_eq!(stage.admission.waiting(), QUEUE_REQUESTS_MAX);
    stage.turns.clear();
    for second in 100..150 {
        let _ = stage.admission.ask(&v4(second, 3), ticket(2), stage.now, &mut stage.turns);
    }
    assert_eq!(stage.dropped(), [100; 50], "newcomers and the single request keep their places");
    let unpaid = Request { class: Class::Unpaid, ..v4(201, 1) };
    let asked = stage.admission.ask(&unpaid, ticket(3), stage.now, &mut stage.turns);
    assert!(matches!(asked, Asked::Full(_)), "nobody who paid makes room for who did not");
}

#[test]
fn when_the_gate_goes_down_those_of_whom_nothing_was_asked_ask_again() {
    let mut stage = Stage::new();
    stage.ask(&Request { class: Class::Free, ..v4(1, 1) }, 1);
    stage.ask(&v4(1, 1), 2);
    stage.ask(&Request { class: Class::Unpaid, ..v4(1, 1) }, 3);
    stage.admission.ask_free_again(&mut stage.turns);
    assert!(matches!(stage.turns[..], [Turn::AskAgain(Ticket { number: 1, .. })]));
    stage.turns.clear();
    assert_eq!(stage.serve(2), [2, 3]);
}

#[test]
fn one_networks_own_backlog_is_no_delay_of_the_site() {
    let mut stage = Stage::new();
    (0..100).for_each(|number| stage.ask(&v4(1, 1), number));
    for _ in 0..30 {
        stage.now += Duration::from_millis(10);
        stage.admission.release(stage.now, &mut stage.turns);
    }
    let second = stage.admission.second(stage.now, &mut stage.turns);
    assert!(second.waits <= Duration::from_millis(20), "{second:?}");
}

#[test]
fn networks_that_wait_for_each_other_are() {
    let mut stage = Stage::new();
    (0..100).for_each(|number| stage.ask(&v4(number, 1), number.into()));
    for _ in 0..30 {
        stage.now += Duration::from_millis(10);
        stage.admission.release(stage.now, &mut stage.turns);
    }
    let second = stage.admission.second(stage.now, &mut stage.turns);
    assert_eq!(second.waits, Duration::from_millis(300), "most of them wait still");
    let one_16: Vec<Request> = (0..200).map(|third| v4(18, third)).collect();
    let mut stage = Stage::new();
    for (number, request) in (0..).zip(&one_16) {
        stage.ask(request, number);
    }
    for _ in 0..30 {
        stage.now += Duration::from_millis(10);
        stage.admission.release(stage.now, &mut stage.turns);
    }
    let second = stage.admission.second(stage.now, &mut stage.turns);
    assert!(second.waits <= Duration::from_millis(20), "networks of one /16 wait for each other: {second:?}");
}

/// What happens to a queue.
#[derive(Clone, Debug)]
enum Event {
    Ask { class: u8, second: u8, third: u8, clearance: u8, cost: u32, gone: bool },
    Release,
    Slots(u32),
    Pass(u64),
    Second,
    AskAgain,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0..4_u8, 0..4_u8, 0..4_u8, any::<u8>(), 1..3_000_u32, prop::bool::weighted(0.1)).prop_map(
            |(class, second, third, clearance, cost, gone)| Event::Ask { class, second, third, clearance, cost, gone }
        ),
        5 => Just(Event::Release),
        1 => (1..8_u32).prop_map(Event::Slots),
        2 => (1..2_000_u64).prop_map(Event::Pass),
        1 => Just(Event::Second),
        1 => Just(Event::AskAgain),
    ]
}

proptest! {
    #[test]
    fn every_request_has_one_end_and_slots_are_never_oversold(events in prop::collection::vec(event(), 1..400)) {
        let mut admission = Admission::new(3, HASH_KEY);
        let mut now = Duration::from_secs(50);
        let (mut in_slots, mut number) = (0_u32, 0);
        let mut ends: BTreeMap<u32, u32> = BTreeMap::new();
        let mut asked = BTreeMap::new();
        for event in events {
            let mut turns = Vec::new();
            match event {
                Event::Ask { class, second, third, clearance, cost, gone } => {
                    let class = [Class::Reserved, Class::Cleared, Class::Free, Class::Unpaid][usize::from(class)];
                    let request = Request {
                        class,
                        clearance: ClearanceId([clearance; 16]),
                        cost: Amount::of(Credits::hundredths(cost)),
                        ..v4(second, third)
                    };
                    number += 1;
                    asked.insert(number, gone);
                    match admission.ask(&request, Ticket { number, gone }, now, &mut turns) {
                        Asked::Now(ticket) => { in_slots += 1; *ends.entry(ticket.number).or_default() += 1; }
                        Asked::Full(ticket) => *ends.entry(ticket.number).or_default() += 1,
                        Asked::Waits => {}
                    }
                }
                Event::Release if in_slots > 0 => { in_slots -= 1; admission.release(now, &mut turns); }
                Event::Release => {}
                Event::Slots(slots) => admission.set_slots(slots, now, &mut turns),
                Event::Pass(milliseconds) => now += Duration::from_millis(milliseconds),
                Event::Second => { admission.second(now, &mut turns); }
                Event::AskAgain => admission.ask_free_again(&mut turns),
            }
            for turn in turns {
                let ticket = match turn {
                    Turn::Slot(ticket) => { in_slots += 1; ticket }
                    Turn::Dropped(ticket) | Turn::AskAgain(ticket) => ticket,
                };
                *ends.entry(ticket.number).or_default() += 1;
            }
            prop_assert_eq!(admission.slots().0, in_slots);
        }
        now += WAIT_MAX + Duration::from_secs(1);
        let mut turns = Vec::new();
        admission.second(now, &mut turns);
        prop_assert_eq!(admission.waiting(), 0);
        for turn in turns {
            let (Turn::Slot(ticket) | Turn::Dropped(ticket) | Turn::AskAgain(ticket)) = turn;
            *ends.entry(ticket.number).or_default() += 1;
        }
        for (number, gone) in asked {
            let end = ends.get(&number).copied().unwrap_or_default();
            prop_assert!(end == 1 || (gone && end == 0), "{number}: {end}");
        }
    }
}
