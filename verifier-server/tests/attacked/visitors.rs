//! Visitors: they come, solve, look at pages with all their parts, and leave.

use super::*;

impl World {
    pub(super) fn arrive(&mut self) {
        let gap = -(1.0 - self.random.part()).ln() * 1_000.0 / self.arrivals;
        self.at(whole(gap).max(1), Event::Arrive);
        let (place, rate) = (self.visitor)(&mut self.random);
        let able = self.offer.filter(|offer| self.random.part() >= offer.unable);
        let (rate, ceiling) = able.map_or((rate, CEILING), |offer| ((offer.rate)(rate), offer.ceiling));
        self.clients.push(Client { place, attacker: false, entry: None, rate, ceiling, pages_left: PAGES });
        self.open(self.clients.len() - 1);
    }

    pub(super) fn open(&mut self, client: usize) {
        if self.clients[client].pages_left == 0 {
            return;
        }
        self.clients[client].pages_left -= 1;
        let counted = self.counting;
        self.tally.pages += u32::from(counted);
        self.tally.unable[0] += u32::from(counted && self.clients[client].ceiling == CEILING);
        let began_ms = self.now_ms;
        self.views.push(View { client, began_ms, assets_left: ASSETS, page_served: false, failed: false, counted });
        self.ask_page(self.views.len() - 1);
        self.at(READING_MS, Event::Open(client));
    }

    pub(super) fn ask_page(&mut self, view: usize) {
        if self.now_ms > self.views[view].began_ms + PATIENCE_MS {
            return;
        }
        let client = self.views[view].client;
        if !self.send(client, Some(view), Kind::Navigation, Credits::ONE) {
            let (work, took_ms) = self.solve(client);
            self.at(took_ms, Event::Solved { client, view, work });
        }
    }

    /// The work of a challenge for a client, and how long it takes in milliseconds.
    pub(super) fn solve(&mut self, client: usize) -> (u64, u64) {
        let place = self.clients[client].place;
        let multiplier = self.multiplier(place);
        let count = u8::try_from(COUNT).unwrap();
        let difficulty =
            puzzle::price::asked(self.price(), multiplier, self.clients[client].ceiling, puzzle::Rate::ONE, count);
        let work = u64::from(difficulty.attempts()) * u64::from(count);
        let mean_ms = number(work) / self.clients[client].rate * 1_000.0;
        (work, whole(self.random.erlang(mean_ms, COUNT)) + 50)
    }

    pub(super) fn view_served(&mut self, view: usize, kind: Kind) {
        if kind == Kind::Navigation {
            self.views[view].page_served = true;
            self.tally.pages_served += u32::from(self.views[view].counted);
            self.at(30, Event::Assets(view));
            return;
        }
        let now_ms = self.now_ms;
        let seen = &mut self.views[view];
        seen.assets_left -= 1;
        let took_ms = now_ms - seen.began_ms;
        if seen.assets_left == 0 && !seen.failed && seen.counted && took_ms <= PATIENCE_MS {
            self.tally.whole_pages_served += 1;
            self.tally.unable[1] += u32::from(self.clients[seen.client].ceiling == CEILING);
            self.tally.took_ms.push(took_ms);
        }
    }
}
