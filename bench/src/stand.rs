//! A gate with a configuration and submissions for it, good and spoiled.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use anyhow::Context as _;
use puzzle::{Algorithm, Challenge, ClientNetwork, Master, SubPuzzle, UnixSeconds, encode, target};
use verifier_server::config::{Config, Mode};
use verifier_server::gate::networks::{HashKey, Memory, Profile};
use verifier_server::gate::table::Table;
use verifier_server::gate::{Asking, Gate, Masters, Quote, Submission};

/// The moment of the measurement: time is an argument of the gate.
pub const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
/// When a challenge was issued that has expired, after the table began.
pub const LONG_AGO: UnixSeconds = UnixSeconds(NOW.0 - 3_600);
/// Life of a clearance: short of the challenge's, so that a solution can be sent again after it.
pub const CLEARANCE_SECONDS: u32 = 60;
/// Attempts of a sub-puzzle, few because solving is not what is measured.
pub const DIFFICULTY: u32 = 8;
/// By how much the price has risen for `outpriced`: beyond the twentieth that is honoured.
const RISE: u32 = 32;

/// A gate in mode `on`.
pub struct Stand {
    /// The gate itself.
    pub gate: Gate,
    /// Its configuration.
    pub config: Config,
    /// The same under a price at which the work buys too little.
    pub dear: Config,
    issued: u128,
    networks: u32,
}

/// What a client sends: challenge and solution as text.
#[derive(Clone)]
pub struct Submitted {
    challenge: String,
    solution: String,
}

impl Submitted {
    fn new(challenge: &Challenge, nonces: &[[u8; 8]]) -> Self {
        let solution = encode(nonces.as_flattened());
        Self { challenge: encode(challenge.bytes()).to_string(), solution: solution.to_string() }
    }

    /// One nonce too few.
    #[must_use]
    pub fn shortened(&self) -> Self {
        // Seven nonces instead of eight.
        Self { solution: encode(&[0x5a; 56]).to_string(), ..self.clone() }
    }

    /// With another MAC.
    #[must_use]
    pub fn forged(&self) -> Self {
        let mut forged = self.clone();
        // The last character holds padding that must stay zero; those before it are nothing but MAC.
        let place = forged.challenge.len() - 4;
        let other = if forged.challenge[place..].starts_with('A') { "B" } else { "A" };
        forged.challenge.replace_range(place..=place, other);
        forged
    }

    /// As the endpoint hands it on.
    #[must_use]
    pub fn as_submission(&self, network: ClientNetwork) -> Submission<'_> {
        Submission { challenge: &self.challenge, solution: &self.solution, network, form: None }
    }
}

impl Stand {
    /// The host of its site.
    pub const HOST: &str = "example.org";
    /// The host of its other site.
    pub const OTHER_HOST: &str = "example.net";
    /// Where submissions come from.
    pub const VISITOR: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

    /// A gate at whose floor a sub-puzzle takes so many attempts.
    ///
    /// # Errors
    /// Where the configuration below is not one.
    pub fn new(difficulty: u32) -> anyhow::Result<Self> {
        let config = config_at(difficulty)?;
        let masters = Masters { signing: Master([7; 32]), old: None };
        let table_begins = UnixSeconds(NOW.0 - 86_400);
        let gate = Gate::new(masters, Table::new(config.table_mib), table_begins, Mode::On, HashKey::of_process(), NOW);
        // As the verifier starts: what networks usually bring is asked of their memory.
        let gate =
            gate.with_memory(Memory::new(HashKey::of_process(), Profile::new(HashKey::of_process()), false, NOW));
        Ok(Self { gate, config, dear: config_at(difficulty * RISE)?, issued: 0, networks: 0 })
    }

    /// A network that has not been seen before, anywhere among all of IPv4.
    pub fn next_network(&mut self) -> ClientNetwork {
        self.networks += 1;
        // An odd factor leads through all of them, far from one to the next.
        let bits = self.networks.wrapping_mul(0x009e_3779) << 8;
        ClientNetwork::of(Ipv4Addr::from_bits(bits).into())
    }

    /// This many solved challenges, each for a clearance of its own.
    ///
    /// # Errors
    /// As [`Self::submission`].
    pub fn solved(&mut self, count: u32) -> anyhow::Result<Vec<Submitted>> {
        (0..count).map(|_| self.submission(Self::HOST, NOW, true)).collect()
    }

    /// A submission for the site of `host`, solved or not.
    ///
    /// # Errors
    /// For a host of no site, or a day whose keys the gate does not hold.
    pub fn submission(&mut self, host: &str, issued_at: UnixSeconds, solved: bool) -> anyhow::Result<Submitted> {
        self.issued += 1;
        let site = self.config.site_of(host).context("the site is configured")?;
        let price = self.gate.pricing(&self.config, site).price;
        let quote = Quote { price, standing: false };
        let network = ClientNetwork::of(Self::VISITOR);
        let random = self.issued.to_be_bytes();
        let asking = Asking { site, key: None, network, quote };
        let challenge = self.gate.issue(&self.config, &asking, Algorithm::Sha256, issued_at, random);
        let challenge = challenge.context("the gate holds the keys of this day")?;
        let nonces: Vec<_> = (0..challenge.shape().count).map(|index| nonce(&challenge, index, solved)).collect();
        Ok(Submitted::new(&challenge, &nonces))
    }
}

/// The first nonce of a sub-puzzle that solves it, or that does not.
fn nonce(challenge: &Challenge, index: u8, solving: bool) -> [u8; 8] {
    let target = target(challenge.shape().difficulty);
    let mut sub_puzzle = SubPuzzle::new(challenge.bytes(), index);
    let found = (0..u64::MAX).find(|nonce| (sub_puzzle.attempt(*nonce) <= target) == solving);
    found.unwrap_or_default().to_be_bytes()
}

fn config_at(difficulty: u32) -> anyhow::Result<Config> {
    let (host, other) = (Stand::HOST, Stand::OTHER_HOST);
    let text = format!(
        "mode = \"on\"\nbeside = \"nginx\"\n\
         [challenge]\ncount = 8\ndifficulty = {difficulty}\n\
         [clearance]\nlifetime_seconds = {CLEARANCE_SECONDS}\n\
         [[site]]\nname = \"main\"\nhosts = [\"{host}\"]\n\
         [[site]]\nname = \"other\"\nhosts = [\"{other}\"]\n"
    );
    Ok(Config::parse(&text, Path::new("bench.toml"))?)
}
