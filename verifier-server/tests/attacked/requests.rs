//! Requests: paid for, before the origin, at the origin, served or dropped.

use super::*;

impl World {
    /// Sends a request; `false` where it is challenged.
    pub(super) fn send(&mut self, client: usize, view: Option<usize>, kind: Kind, cost: Credits) -> bool {
        let (now, price, place) = (self.now(), self.price(), self.clients[client].place);
        let nested = Nested::of(place.network);
        self.load.demand.ask(&nested, Amount::of(cost), &Unknown, now);
        let mut charged = None;
        let above_cap = self.controller.crowded(self.clock()) && self.load.demand.is_above_cap(&nested, now);
        if price > 0 {
            let payment = Payment { kind, cost, route_price: price, network: MARK, strict: false };
            let Some(entry) = &mut self.clients[client].entry else { return false };
            let (before, kept) = (entry.left, entry.weight(&payment, now));
            if !entry.pay(&payment, now) {
                return false;
            }
            charged = Some((Credits::hundredths(u32::try_from(before - entry.left).unwrap()), kept));
        } else if above_cap {
            return false;
        }
        let class = if charged.is_some() { Class::Cleared } else { Class::Free };
        let sent_ms = self.now_ms;
        let index = self.keep(Request { client, view, kind, cost, charged, sent_ms, waiting: None });
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(client as u64).to_be_bytes());
        let asked = admission::Request {
            class,
            network: nested,
            shares: [place.shares; 3],
            clearance: ClearanceId(id),
            cost: Amount::of(cost),
            part: kind == Kind::Asset,
        };
        let mut turns = Vec::new();
        let clock = self.clock();
        match self.admission.ask(&asked, Number(index), clock, &mut turns) {
            Asked::Now(_) => self.begins(index),
            Asked::Full(_) => turns.push(Turn::Dropped(Number(index))),
            Asked::Waits => {}
        }
        self.take_turns(turns);
        true
    }

    pub(super) fn keep(&mut self, request: Request) -> usize {
        if let Some(index) = self.unused.pop() {
            self.requests[index] = Some(request);
            return index;
        }
        self.requests.push(Some(request));
        self.requests.len() - 1
    }

    pub(super) fn take_turns(&mut self, turns: Vec<Turn<Number>>) {
        for turn in turns {
            match turn {
                Turn::Slot(Number(index)) => self.begins(index),
                Turn::Dropped(Number(index)) => self.dropped(index),
                Turn::AskAgain(Number(index)) => {
                    let request = self.requests[index].take().unwrap();
                    self.unused.push(index);
                    if !self.send(request.client, request.view, request.kind, request.cost) {
                        self.challenged(&request);
                    }
                }
            }
        }
    }

    pub(super) fn challenged(&mut self, request: &Request) {
        let Some(view) = request.view else { return };
        if request.kind == Kind::Navigation {
            self.ask_page(view);
        } else {
            self.views[view].failed = true;
        }
    }

    /// A request is at the origin.
    pub(super) fn begins(&mut self, index: usize) {
        let waiting = Waiting::begin(Arc::clone(&self.load));
        let now = self.now();
        let request = self.requests[index].as_mut().unwrap();
        request.waiting = Some(waiting);
        request.sent_ms = self.now_ms;
        if let Some((_, kept)) = request.charged {
            let network = Nested::of(self.clients[request.client].place.network);
            self.load.demand.pay(&network, kept, &Unknown, now);
        }
        self.at_origin.push_back(index);
        self.work();
    }

    pub(super) fn work(&mut self) {
        while self.idle_workers > 0
            && let Some(index) = self.at_origin.pop_front()
        {
            self.idle_workers -= 1;
            let cost = f64::from(self.requests[index].as_ref().unwrap().cost.in_hundredths()) / 100.0;
            self.at(whole(cost * SERVICE_MS).max(1), Event::Served(index));
        }
    }

    pub(super) fn served(&mut self, index: usize) {
        self.idle_workers += 1;
        let request = self.requests[index].take().unwrap();
        self.unused.push(index);
        let network = Nested::of(self.clients[request.client].place.network);
        let delay = Duration::from_millis(self.now_ms - request.sent_ms);
        let path = if request.kind == Kind::Asset { "/static/a" } else { "/" };
        let answered =
            Answered { network: &network, path, cost: Amount::of(request.cost), delay, outcome: Outcome::Fine };
        request.waiting.unwrap().answered(&answered, self.now());
        if self.clients[request.client].attacker && self.counting {
            self.tally.attacker_credits += f64::from(request.cost.in_hundredths()) / 100.0;
        }
        if let Some(view) = request.view {
            self.view_served(view, request.kind);
        }
        self.work();
        let mut turns = Vec::new();
        let clock = self.clock();
        self.admission.release(clock, &mut turns);
        self.take_turns(turns);
    }

    pub(super) fn dropped(&mut self, index: usize) {
        let request = self.requests[index].take().unwrap();
        self.unused.push(index);
        let now = self.now();
        if let (Some((charged, kept)), Some(entry)) = (request.charged, &mut self.clients[request.client].entry) {
            let back = entry.give_back(charged, now);
            let lost = u64::from(charged.in_hundredths() - back.in_hundredths());
            let network = Nested::of(self.clients[request.client].place.network);
            let kept = kept.times(lost, charged.in_hundredths().into());
            self.load.demand.pay(&network, kept, &Unknown, now);
        }
        match request.view {
            Some(view) if request.kind == Kind::Navigation => {
                let after_ms = 2_000 + u64::from(self.random.below(6_000));
                self.at(after_ms, Event::Retry(view));
            }
            Some(view) => self.views[view].failed = true,
            None => {}
        }
    }
}
