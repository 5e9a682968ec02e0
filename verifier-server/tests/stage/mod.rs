//! A gate without sockets: one call a claim.
#![allow(dead_code, reason = "each test takes what it needs")]

use puzzle::{
    Algorithm, Challenge, ClearanceId, ClientNetwork, Master, Refusal, SubPuzzle, TOKEN_BYTES_MAX, Token, TokenTexts,
    UnixSeconds, decode, encode, target,
};
use std::path::Path;
use std::time::Duration;
use verifier_server::config::{Config, Site};
use verifier_server::gate::networks::{HashKey, Nested};
use verifier_server::gate::passes::{KeptPasses, PassRefusal};
use verifier_server::gate::policy::{Route, Subject};
use verifier_server::gate::site_keys::SiteKey;
use verifier_server::gate::table::Table;
use verifier_server::gate::target::Target;
use verifier_server::gate::{
    Abilities, Asking, Decision, Form, Gate, Masters, Met, NoChoice, NoGood, PaidAgain, Question, Quote, Receipt,
    Redeemed, Repeat, RequestFacts, SavedTable, Submission, SuppliesReport, TableFileError, TicketOffer, Worth,
};
use verifier_server::load::Surroundings;

/// The moment at which the table begins.
pub(crate) const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
/// The key of everything that hashes.
const HASH_KEY: HashKey = HashKey([1; 16]);
/// The master that signs.
pub(crate) const MASTER: [u8; 32] = [1; 32];
/// The client's network unless a test says otherwise.
pub(crate) const HOME: u8 = 0;

/// Some other network.
pub(crate) fn network(third: u8) -> u8 {
    third
}

pub(crate) fn client_network(third: u8) -> ClientNetwork {
    ClientNetwork::of([198, 51, third, 7].into())
}

fn secret_of(name: &str) -> [u8; 32] {
    let mut secret = [0; 32];
    secret[..name.len()].copy_from_slice(name.as_bytes());
    secret
}

/// A solved challenge.
#[derive(Clone)]
pub(crate) struct Paid {
    challenge: [u8; 64],
    nonces: Vec<u64>,
}

impl Paid {
    /// Attempts that its challenge asks.
    pub(crate) fn work(&self) -> u64 {
        Challenge::parse(&self.challenge).unwrap().shape().work(puzzle::Rate::ONE)
    }

    /// Its solution as it is sent.
    fn solution(&self) -> String {
        let bytes: Vec<u8> = self.nonces.iter().flat_map(|nonce| nonce.to_be_bytes()).collect();
        encode(&bytes).as_str().to_owned()
    }

    pub(crate) fn with_bit_flipped(&self, bit: usize) -> Self {
        let mut changed = self.clone();
        changed.challenge[bit / 8] ^= 0x80 >> (bit % 8);
        changed
    }

    /// The same solution for other bytes.
    pub(crate) fn with_challenge(&self, challenge: [u8; 64]) -> Self {
        Self { challenge, ..self.clone() }
    }

    /// The same with a last nonce that does not solve.
    pub(crate) fn unsolved(&self) -> Self {
        let challenge = Challenge::parse(&self.challenge).unwrap();
        let mut changed = self.clone();
        let last = u8::try_from(self.nonces.len() - 1).unwrap();
        let mut puzzle = SubPuzzle::new(challenge.bytes(), last);
        let target = target(challenge.shape().difficulty);
        *changed.nonces.last_mut().unwrap() = (0..u64::MAX).find(|nonce| puzzle.attempt(*nonce) > target).unwrap();
        changed
    }
}

/// A request: `GET /` at the site, from [`HOME`], unless it says otherwise.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) network: ClientNetwork,
    pub(crate) ids: &'a [ClearanceId],
    pub(crate) tickets: &'a [[u8; 64]],
    pub(crate) preflight: bool,
    /// The number under which a web server asks about it.
    pub(crate) repeat: Option<u32>,
}

impl Default for Asked<'_> {
    fn default() -> Self {
        let network = client_network(HOME);
        Self { host: "main.test", path: "/", network, ids: &[], tickets: &[], preflight: false, repeat: None }
    }
}

pub(crate) struct Stage {
    pub(crate) gate: Gate,
    config: Config,
    randomness: std::sync::atomic::AtomicU64,
}

impl Stage {
    pub(crate) fn new(config: &str) -> Self {
        let config = Config::parse(config, Path::new("test.toml")).map_err(|problems| problems.to_string()).unwrap();
        let masters = Masters { signing: Master(MASTER), old: None };
        let gate = Gate::new(masters, Table::new(config.table_mib), NOW, config.mode, HASH_KEY, NOW);
        gate.begin(&config);
        Self { gate, config, randomness: 0.into() }
    }

    pub(crate) fn configure(&mut self, config: &str) {
        self.config = Config::parse(config, Path::new("test.toml")).map_err(|problems| problems.to_string()).unwrap();
    }

    pub(crate) fn rotate(&self) {
        self.gate.set_masters(Masters { signing: Master([2; 32]), old: Some(Master(MASTER)) }, NOW);
    }

    pub(crate) fn saved(folder: &Path, master: [u8; 32]) -> Result<Option<SavedTable>, TableFileError> {
        SavedTable::take(folder, &Masters { signing: Master([8; 32]), old: Some(Master(master)) }, 1, NOW)
    }

    pub(crate) fn revived(self, saved: SavedTable) -> Self {
        let masters = Masters { signing: Master(MASTER), old: None };
        Self { gate: Gate::new(masters, saved.table, saved.table_begins, self.config.mode, HASH_KEY, NOW), ..self }
    }

    /// Ends the second before `now`, with a load that a program told.
    pub(crate) fn step(&self, told_load: Option<f64>, now: UnixSeconds) {
        self.step_at(told_load, Duration::from_secs(now.since(NOW).into()), now);
    }

    /// The same where the clock that nobody can set shows another time.
    pub(crate) fn step_at(&self, told_load: Option<f64>, since: Duration, now: UnixSeconds) {
        let surroundings = Surroundings { told_load, ..Surroundings::default() };
        self.gate.step(&self.config, &surroundings, since, Duration::from_secs(1), now);
    }

    /// The site's price.
    pub(crate) fn price(&self) -> u64 {
        self.gate.pricing(&self.config, self.site("main.test")).price
    }

    /// What is measured of the site.
    pub(crate) fn load(&self) -> std::sync::Arc<verifier_server::load::SiteLoad> {
        self.gate.load_of(self.site("main.test"))
    }

    /// Takes over what another gate has kept of its prices.
    pub(crate) fn resume(&self, other: &Self, now: UnixSeconds) {
        let saved = other.gate.saved_prices(&other.config, now);
        self.gate.resume(&self.config, &saved, Duration::from_secs(now.since(NOW).into()), now);
    }

    pub(crate) fn solve(&self, path: &str, from: u8, now: UnixSeconds) -> Paid {
        let pricing = self.gate.pricing_for(&self.config, self.site("main.test"), client_network(from), now);
        let quote = pricing.quote(&self.route(path));
        let number = self.randomness.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let random = u128::from(number).to_be_bytes();
        let asking = Asking { site: self.site("main.test"), key: None, network: client_network(from), quote };
        self.solved(&asking, now, random)
    }

    fn solved(&self, asking: &Asking<'_>, now: UnixSeconds, random: [u8; 16]) -> Paid {
        let challenge = self.gate.issue(&self.config, asking, Algorithm::Sha256, now, random).unwrap();
        let target = target(challenge.shape().difficulty);
        let nonces = (0..challenge.shape().count)
            .map(|index| {
                let mut puzzle = SubPuzzle::new(challenge.bytes(), index);
                (0..u64::MAX).find(|nonce| puzzle.attempt(*nonce) <= target).unwrap()
            })
            .collect();
        Paid { challenge: *challenge.bytes(), nonces }
    }

    /// The algorithm of a challenge for whoever can do so much.
    pub(crate) fn choose(&self, abilities: Abilities, from: u8, now: UnixSeconds) -> Result<Algorithm, NoChoice> {
        let (site, network) = (self.site("main.test"), client_network(from));
        let asking = Asking { site, key: None, network, quote: self.quote(from, now) };
        self.gate.choose(&self.config, &asking, abilities, now)
    }

    /// A challenge for the path `/`.
    pub(crate) fn challenge(&self, algorithm: Algorithm, from: u8, now: UnixSeconds) -> Challenge {
        let number = self.randomness.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (site, random) = (self.site("main.test"), u128::from(number).to_be_bytes());
        let asking = Asking { site, key: None, network: client_network(from), quote: self.quote(from, now) };
        self.gate.issue(&self.config, &asking, algorithm, now, random).unwrap()
    }

    fn quote(&self, from: u8, now: UnixSeconds) -> Quote {
        let pricing = self.gate.pricing_for(&self.config, self.site("main.test"), client_network(from), now);
        pricing.quote(&self.route("/"))
    }

    pub(crate) fn redeem(&self, paid: &Paid, from: u8, now: UnixSeconds) -> Result<Redeemed, Refusal> {
        self.redeem_at("main.test", paid, from, now)
    }

    pub(crate) fn redeem_at(&self, host: &str, paid: &Paid, from: u8, now: UnixSeconds) -> Result<Redeemed, Refusal> {
        let (challenge, solution) = (encode(&paid.challenge), paid.solution());
        let submission = Submission {
            challenge: challenge.as_str(),
            solution: &solution,
            network: client_network(from),
            form: None,
        };
        self.gate.redeem(&self.config, self.site(host), &submission, now, 5)
    }

    /// A solved challenge for a token of the site key called so.
    pub(crate) fn solve_form(&self, key: &str, from: u8, now: UnixSeconds) -> Paid {
        let (site, key) = (self.site("main.test"), self.site_key(key));
        let quote = self.gate.form_quote(&self.config, site, key);
        let number = self.randomness.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let asking = Asking { site, key: Some(key), network: client_network(from), quote };
        self.solved(&asking, now, u128::from(number).to_be_bytes())
    }

    /// Redeems it for a token with these words, as a page of the key's would: the key is found by the challenge.
    pub(crate) fn redeem_form(
        &self,
        paid: &Paid,
        (action, cdata): (&str, &str),
        from: u8,
        now: UnixSeconds,
    ) -> Result<Redeemed, Refusal> {
        let (challenge, solution) = (encode(&paid.challenge), paid.solution());
        let site = self.site("main.test");
        let texts = TokenTexts { host: "main.test", action, cdata };
        let key = self.gate.site_key_of(&self.config, site, &paid.challenge);
        let form = key.map(|key| Form { key, texts });
        let network = client_network(from);
        let submission = Submission { challenge: challenge.as_str(), solution: &solution, network, form };
        self.gate.redeem(&self.config, site, &submission, now, 5)
    }

    /// What `siteverify` finds of a token with the secret of `key`.
    pub(crate) fn use_token(
        &self,
        key: &str,
        token: &str,
        question: Option<&str>,
        now: UnixSeconds,
    ) -> Result<(), NoGood> {
        let mut buffer = [0; TOKEN_BYTES_MAX];
        let token = decode(token.as_bytes(), &mut buffer).and_then(Token::parse);
        self.gate.use_token(self.site_key(key), token.as_ref(), question.map(Question::of), now)
    }

    fn site_key(&self, key: &str) -> &SiteKey {
        self.config.site_keys.all().iter().find(|known| known.key == key).unwrap()
    }

    /// Redeems what is in base64url already.
    pub(crate) fn submit(
        &self,
        challenge: &str,
        solution: &str,
        from: u8,
        now: UnixSeconds,
    ) -> Result<Redeemed, Refusal> {
        let submission = Submission { challenge, solution, network: client_network(from), form: None };
        self.gate.redeem(&self.config, self.site("main.test"), &submission, now, 5)
    }

    pub(crate) fn buy(&self, path: &str, from: u8, now: UnixSeconds) -> ClearanceId {
        match self.redeem(&self.solve(path, from, now), from, now) {
            Ok(Redeemed::Clearance { id, .. }) => id,
            other => panic!("{other:?}"),
        }
    }

    /// Makes a pass for the site whose secret follows from its name.
    pub(crate) fn pass(&self, name: &str, hours: u32, now: UnixSeconds) {
        self.gate.new_pass(name, self.site("main.test"), &secret_of(name), hours, now).unwrap();
    }

    /// A device shows the secret of a pass: its clearance.
    pub(crate) fn show(
        &self,
        name: &str,
        from: u8,
        held: &[ClearanceId],
        now: UnixSeconds,
    ) -> Result<ClearanceId, PassRefusal> {
        let number = self.randomness.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // As spread as random ids are: by its id an entry has its place in the table.
        let fresh = u128::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes();
        let (site, secret) = (self.site("main.test"), secret_of(name));
        let shown = self.gate.redeem_pass(&self.config, (site, &secret), (client_network(from), held), now, fresh)?;
        match shown.1 {
            Redeemed::Clearance { id, .. } => Ok(id),
            other => panic!("a pass is always given: {other:?}"),
        }
    }

    /// Another process with what a crash leaves: the passes, and no table.
    pub(crate) fn after_a_crash(self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        self.gate.keep_passes(folder.path()).unwrap();
        let masters = Masters { signing: Master(MASTER), old: None };
        let gate = Gate::new(masters, Table::new(self.config.table_mib), NOW, self.config.mode, HASH_KEY, NOW);
        gate.begin(&self.config);
        gate.take_passes(&KeptPasses::read(folder.path()).unwrap().unwrap()).unwrap();
        Self { gate, ..self }
    }

    pub(crate) fn learned_rate(&self, from: u8) -> f32 {
        self.gate.memory().learned_rate(Nested::of(client_network(from)).levels()[0])
    }

    pub(crate) fn get(&self, path: &str, from: u8, ids: &[ClearanceId], now: UnixSeconds) -> Decision {
        self.get_at("main.test", path, from, ids, now)
    }

    pub(crate) fn get_at(&self, host: &str, path: &str, from: u8, ids: &[ClearanceId], now: UnixSeconds) -> Decision {
        self.with_facts(host, path, from, ids, |facts| {
            let met = self.gate.meet(&self.config, facts, now);
            if let Some(receipt) = &met.receipt {
                self.gate.goes_on(facts.site, receipt, now);
            }
            met.decision
        })
    }

    /// What a request to `path` was charged.
    pub(crate) fn charged(&self, path: &str, from: u8, id: ClearanceId, now: UnixSeconds) -> Receipt {
        self.with_facts("main.test", path, from, &[id], |facts| self.gate.meet(&self.config, facts, now).receipt)
            .unwrap()
    }

    /// It lasts, and is charged so many times more.
    pub(crate) fn pay_again(&self, receipt: &Receipt, times: u32, now: UnixSeconds) -> PaidAgain {
        self.gate.pay_again(&self.config, self.site("main.test"), receipt, times, now)
    }

    pub(crate) fn worth(&self, path: &str, from: u8, ids: &[ClearanceId], now: UnixSeconds) -> Worth {
        self.with_facts("main.test", path, from, ids, |facts| self.gate.worth(&self.config, facts, now))
    }

    fn with_facts<R>(
        &self,
        host: &str,
        path: &str,
        from: u8,
        ids: &[ClearanceId],
        act: impl FnOnce(&RequestFacts<'_>) -> R,
    ) -> R {
        let asked = Asked { host, path, network: client_network(from), ids, ..Asked::default() };
        self.with_asked(&asked, act)
    }

    /// What becomes of a request.
    pub(crate) fn meet(&self, asked: &Asked<'_>, now: UnixSeconds) -> Met {
        self.with_asked(asked, |facts| self.gate.meet(&self.config, facts, now))
    }

    /// What the page that answers a request offers a browser without script.
    pub(crate) fn offer(&self, asked: &Asked<'_>, now: UnixSeconds) -> Option<TicketOffer> {
        let number = self.randomness.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let random = u128::from(number).to_be_bytes();
        self.with_asked(asked, |facts| self.gate.offer_ticket(&self.config, facts, now, random))
    }

    /// What the supplies of the site do.
    pub(crate) fn supplies(&self) -> SuppliesReport {
        self.gate.supplies(self.site("main.test"))
    }

    /// What the rules say of a plain request for a path.
    fn route(&self, path: &str) -> Route {
        self.config.policy.route(&Subject {
            target: &Target::parse(path),
            has_query: path.contains('?'),
            host: "main.test",
            address: [198, 51, HOME, 7].into(),
            crawler: None,
            method: Some("GET"),
            headers: None,
        })
    }

    fn with_asked<R>(&self, asked: &Asked<'_>, act: impl FnOnce(&RequestFacts<'_>) -> R) -> R {
        let request_id = asked.repeat.map(|number| number.to_string());
        act(&RequestFacts {
            site: self.site(asked.host),
            route: self.route(asked.path),
            key: None,
            network: asked.network,
            clearances: asked.ids,
            tickets: asked.tickets,
            safe_method: true,
            navigation: true,
            preflight: asked.preflight,
            repeat: request_id.as_deref().map(|request_id| Repeat { request_id, method: "GET", target: asked.path }),
        })
    }

    fn site(&self, host: &str) -> &Site {
        self.config.site_of(host).unwrap()
    }
}
