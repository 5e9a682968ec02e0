//! Attackers: they buy as fast as they hash, keep what they bought, spend it, or flood without paying.

use super::*;

impl World {
    pub(super) fn begin_to_buy(&mut self) {
        let Some(attack) = &self.attack else { return };
        if attack.rate <= 0.0 || !self.closed {
            return;
        }
        // One machine after the other: what counts is the rate of all together.
        self.attacker_solves();
        self.at(0, Event::Spend);
    }

    pub(super) fn attacker_solves(&mut self) {
        let Some(attack) = &self.attack else { return };
        let index = self.next_place % attack.places.len();
        let (place, rate) = (attack.places[index], attack.rate);
        if self.price() == 0 {
            return;
        }
        if self.hoard.len() >= attack.hoard {
            self.at(20, Event::Buy);
            return;
        }
        self.next_place += 1;
        let multiplier = self.multiplier(place);
        let count = u8::try_from(COUNT).unwrap();
        let difficulty =
            puzzle::price::asked(self.price(), multiplier, self.highest_ceiling(), puzzle::Rate::ONE, count);
        let work = u64::from(difficulty.attempts()) * u64::from(count);
        let took_ms = whole(number(work) / rate * 1_000.0).max(1);
        self.at(took_ms, Event::Bought { place: index, work });
    }

    pub(super) fn attacker_bought(&mut self, place: usize, work: u64) {
        let Some(attack) = &self.attack else { return };
        let place = attack.places[place];
        self.clients.push(Client { place, attacker: true, entry: None, rate: 0.0, ceiling: CEILING, pages_left: 0 });
        let client = self.clients.len() - 1;
        self.buy(client, work);
        self.hoard.push_back(client);
        self.attacker_solves();
    }

    /// One request of each clearance in turn, as many as the attackers' lines carry.
    pub(super) fn spend(&mut self) {
        let Some(attack) = &self.attack else { return };
        let (step_ms, requests) = (attack.step_ms.max(10), attack.requests);
        self.at(step_ms - self.now_ms % step_ms, Event::Spend);
        for _ in 0..step_ms * requests / 1_000 {
            let Some(client) = self.hoard.pop_front() else { return };
            if self.clients[client].entry.is_some() && self.send(client, None, Kind::Other, Credits::ONE) {
                self.hoard.push_back(client);
            }
        }
    }

    pub(super) fn flood(&mut self) {
        let Some(attack) = &self.attack else { return };
        let (unpaid, count) = (attack.unpaid, u32::try_from(attack.places.len()).unwrap());
        self.at(10, Event::Flood);
        for _ in 0..whole(unpaid / 100.0) {
            let index = self.random.below(count);
            let Some(attack) = &self.attack else { return };
            let place = attack.places[usize::try_from(index).unwrap()];
            // One client a place: it carries no clearance.
            self.clients.push(Client {
                place,
                attacker: true,
                entry: None,
                rate: 0.0,
                ceiling: CEILING,
                pages_left: 0,
            });
            let client = self.clients.len() - 1;
            if !self.send(client, None, Kind::Other, Credits::ONE) {
                self.clients.pop();
            }
        }
    }
}
