//! The scenarios: who attacks, what is configured, and which runs are made of it.

use tests::settings::Settings;
use tests::stage::{Front, beside_nginx};

use crate::attackers::{self, Attack};
use crate::origin::{CAPACITY, WORKERS};
use crate::scale::Scale;

/// The site's name.
pub const HOST: &str = "portcullis.test";
/// The verifier's limit of connections in the lab, in the range of what a small server sets.
pub const CONNECTIONS_MAX: usize = 2_000;

/// How the site stands in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stand {
    /// Without Portcullis: everybody asks the site itself.
    Bare,
    /// Installed in the middle of the attack, on a site that is already swamped: nothing is known of any network.
    Fresh,
    /// In place for weeks, with a profile in `state_dir`.
    Profiled,
    /// Started a minute into an attack that goes on: the web server lets everything pass until then.
    Cold,
    /// The same, with what `portcullis learn` found in the log of the day before.
    Learned,
}

impl Stand {
    /// In the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bare => "without",
            Self::Fresh => "installed mid-attack",
            Self::Profiled => "with profile",
            Self::Cold => "started 60 s into it",
            Self::Learned => "the same with `learn`",
        }
    }
}

/// What is asked of a run, in the words of the issue that built it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aim {
    /// So much of the pages served, in percent.
    Served(f64),
    /// No visitor sees the challenge page.
    Invisible,
}

/// A scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// As `--only` names it.
    pub name: &'static str,
    /// What happens, in a sentence.
    pub what: &'static str,
    /// Who attacks; nobody in a quiet hour.
    pub attack: Option<Attack>,
    /// By how much slower everybody hashes.
    pub scale: Scale,
    /// Whether `hashwx` is offered; visitors then solve it.
    pub hashwx: bool,
    /// How the gate stands before the site.
    pub front: Front,
    /// Whether `capacity_per_second` is configured.
    pub capacity_told: bool,
    /// What is configured besides.
    pub settings: fn(Settings) -> Settings,
    /// The runs.
    pub stands: &'static [Stand],
    /// What buyers hash together, in slowest phones, where the price that they pay is compared with the design's.
    pub phones: Option<f64>,
    /// What is to be reached with a profile.
    pub aim: Aim,
    /// How long it lasts with a profile, if not as usual, in seconds: attack, and what is watched after it.
    pub seconds: Option<(u32, u32)>,
}

const ALL: &[Stand] = &[Stand::Bare, Stand::Fresh, Stand::Profiled];
const GATED: &[Stand] = &[Stand::Fresh, Stand::Profiled];
const PROFILED: &[Stand] = &[Stand::Profiled];

const USUAL: Scenario = Scenario {
    name: "",
    what: "",
    attack: None,
    scale: Scale::USUAL,
    hashwx: false,
    front: Front::Proxy,
    capacity_told: true,
    settings: |settings| settings,
    stands: ALL,
    phones: None,
    aim: Aim::Served(99.0),
    seconds: None,
};

impl Scenario {
    /// The run that its aim is about, and that has a picture of its own.
    #[must_use]
    pub fn main_stand(&self) -> Stand {
        let profiled = self.stands.iter().find(|stand| **stand == Stand::Profiled);
        profiled.or(self.stands.last()).copied().unwrap_or(Stand::Profiled)
    }
}

/// All of them, in the order of the report.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    let attack = |name, what, attack: Attack| Scenario { name, what, attack: Some(attack), ..USUAL };
    let solvers = |name, what, by: Attack| Scenario {
        phones: Some(attackers::BELOW_THE_CEILING),
        aim: Aim::Served(97.0),
        ..attack(name, what, by)
    };
    vec![
        Scenario {
            name: "quiet",
            what: "Nobody attacks; no visitor may see the challenge page.",
            aim: Aim::Invisible,
            stands: PROFILED,
            seconds: Some((60, 0)),
            ..USUAL
        },
        attack("plain-flood", "800 requests/s without a script from 100 networks.", attackers::plain),
        Scenario {
            capacity_told: false,
            stands: PROFILED,
            ..attack("plain-flood-learned", "The same; nobody told what the site can do.", attackers::plain)
        },
        Scenario {
            front: Front::Nginx,
            capacity_told: false,
            stands: PROFILED,
            ..attack(
                "beside-nginx",
                "The same beside nginx, nothing configured: what the site can do is learned from nginx's log.",
                attackers::plain,
            )
        },
        Scenario {
            front: Front::Nginx,
            capacity_told: false,
            stands: &[Stand::Cold, Stand::Learned],
            ..attack(
                "cold-start",
                "The same; nginx has the recipe with its fail-open line, and the verifier starts 60 s into the attack.",
                attackers::plain,
            )
        },
        Scenario {
            stands: PROFILED,
            seconds: Some((12, 78)),
            ..attack("letting-go", "The plain flood ends after 12 s: when does the gate open?", attackers::plain)
        },
        attack(
            "challenge-pages",
            "800/s of challenge pages, challenges and questions for `clearance` from 100 networks.",
            attackers::challenge_pages,
        ),
        Scenario {
            settings: |settings| {
                let origin = settings.text().parse::<toml::Table>().ok();
                let origin = origin.and_then(|table| table["site"][0]["origin"].as_str().map(str::to_owned));
                settings
                    .set("challenge.lifetime_seconds", attackers::BOGUS_LIFETIME_SECONDS)
                    .rule("path = \"/members/**\"\naction = \"challenge\"")
                    .site("other", &[attackers::BOGUS_OTHER_HOST], origin.as_deref())
            },
            stands: GATED,
            ..attack(
                "bogus-solutions",
                "400/s of bad solutions of eight kinds, while 400 requests/s hold the gate down.",
                attackers::bogus_solutions,
            )
        },
        Scenario {
            hashwx: true,
            stands: GATED,
            ..attack(
                "bogus-hashwx",
                "800/s of bad solutions of `hashwx`, half of them guarded and new, while 400 requests/s hold the gate down.",
                attackers::bogus_hashwx,
            )
        },
        Scenario {
            stands: GATED,
            ..attack("shared-clearance", "600/s from 200 networks with one cookie at a time.", attackers::sharing)
        },
        attack("spent-clearance", "1,500/s from one address with one spent clearance.", attackers::spent),
        solvers("solvers-1", "Native solvers worth 4 slow phones, on one address.", attackers::one_address),
        solvers("solvers-50", "The same on 50 networks.", attackers::fifty_networks),
        Scenario {
            capacity_told: false,
            stands: PROFILED,
            ..solvers("solvers-50-learned", "The same; nobody told what the site can do.", attackers::fifty_networks)
        },
        Scenario {
            front: Front::Nginx,
            capacity_told: false,
            stands: PROFILED,
            // The price takes its time from the floor to where it stays.
            seconds: Some((45, 0)),
            ..solvers(
                "beside-nginx-solvers",
                "On 500 networks, beside nginx, nothing configured: does the price leave the floor?",
                attackers::five_hundred_networks,
            )
        },
        Scenario {
            // The price takes its time from the floor to where it stays.
            seconds: Some((45, 0)),
            ..solvers(
                "solvers-500",
                "The same on 500 networks, three requests/s from each at the most.",
                attackers::five_hundred_networks,
            )
        },
        Scenario {
            scale: Scale::NONE,
            stands: PROFILED,
            seconds: Some((45, 0)),
            ..solvers(
                "solvers-500-unscaled",
                "The same, hashing at full speed: what the factor must not change, with the price above the floor.",
                attackers::five_hundred_networks,
            )
        },
        Scenario {
            stands: PROFILED,
            ..solvers(
                "solvers-500-bursts",
                "The same on 500 networks, each of which spends what it bought at once.",
                attackers::five_hundred_in_bursts,
            )
        },
        Scenario {
            phones: Some(attackers::AT_THE_CEILING),
            ..attack(
                "solvers-500-strong",
                "Native solvers worth 200 slow phones, three cores with SHA instructions, on 500 networks: at the ceiling.",
                attackers::strong,
            )
        },
        attack(
            "bad-neighbour",
            "Native solvers worth 4 slow phones, behind the office's own address.",
            attackers::bad_neighbour,
        ),
        attack(
            "hoarders",
            "8 s of buying at the floor from 40 networks, all of it spent at once; 300 requests/s hold the gate down.",
            attackers::hoarders,
        ),
        attack(
            "slow-connections",
            "200 connections each: silent, head drip, body drip, slow read; from 40 networks.",
            attackers::slow_connections,
        ),
        attack(
            "open-ended",
            "400 WebSockets, 200 event streams and 200 long polls from 40 networks.",
            attackers::open_ended,
        ),
        Scenario {
            settings: workers_told,
            stands: PROFILED,
            ..attack(
                "slow-connections-told",
                "The slow connections again; `origin_requests_max` says how many workers the site has.",
                attackers::slow_connections,
            )
        },
        Scenario {
            settings: workers_told,
            stands: PROFILED,
            ..attack(
                "open-ended-told",
                "What never ends again; `origin_requests_max` says how many workers the site has.",
                attackers::open_ended,
            )
        },
        attack("pulses", "800 requests/s, a second on and a second off.", attackers::pulses),
        Scenario {
            stands: PROFILED,
            ..attack(
                "quiet-site",
                "3 s of flood, then few buyers who spend little, to raise the price of a quiet site.",
                attackers::quiet_site,
            )
        },
        attack("trickled-bodies", "100 uploads at a byte a second against 50 workers.", attackers::trickle),
        attack(
            "silent-sockets",
            "3,000 silent sockets, half as many again as the limit, from the carrier's own network.",
            attackers::silence,
        ),
        attack("expensive-route", "40/s of a route of cost 20, from 40 networks.", attackers::search),
        Scenario {
            settings: |settings| {
                settings
                    .rule("path = \"/feed/**\"\naction = \"allow\"")
                    .rule("path = \"/pay/**\"\naction = \"allow\"\nreserve_per_second = 8")
            },
            ..attack(
                "allow-rule",
                "800/s of a path that a rule allows, while a payment provider calls back 4 times a second on another.",
                attackers::allowed_paths,
            )
        },
        Scenario {
            stands: GATED,
            ..attack("failing-url", "120/s of one URL that answers 500, from 60 networks.", attackers::failing_url)
        },
        Scenario {
            stands: GATED,
            ..attack(
                "http2",
                "Up to 10,000 streams/s opened and reset at once, and 10,000 CONTINUATION frames/s, from 20 networks.",
                attackers::http2,
            )
        },
    ]
}

fn workers_told(settings: Settings) -> Settings {
    settings.of_site("origin_requests_max", i64::try_from(WORKERS).unwrap_or(i64::MAX))
}

/// The verifier's configuration for a scenario, with the site at `origin`; beside nginx its log comes to `access_log`.
#[must_use]
pub fn settings(scenario: &Scenario, origin: &str, access_log: &str) -> Settings {
    let beside = scenario.front == Front::Nginx;
    let settings = Settings::new()
        .set("mode", "auto")
        .set("log", "warn")
        .set("table_mib", 64)
        .set("challenge.count", 8)
        .set("challenge.difficulty", scenario.scale.difficulty())
        .set("challenge.hashwx.enabled", scenario.hashwx)
        .set("challenge.max_solve_seconds", scenario.scale.max_solve_seconds())
        .set("limits.max_connections", i64::try_from(CONNECTIONS_MAX).unwrap_or(i64::MAX))
        .rule("path = \"/static/**\"\nasset = true")
        .rule("path = \"/broken/**\"\ncost = 0.1")
        .rule("path = \"/search/**\"\ncost = 20")
        .site("main", &[HOST], Some(origin).filter(|_| !beside));
    let settings = if beside { beside_nginx(settings).set("access_log", access_log) } else { settings };
    let settings =
        if scenario.capacity_told { settings.of_site("capacity_per_second", CAPACITY as i64) } else { settings };
    (scenario.settings)(settings)
}
