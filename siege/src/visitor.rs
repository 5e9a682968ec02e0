//! One visitor: what a browser does with a page, its parts and the challenge page.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::{Answer, Ask, Client, Destination, Lost, Sender};
use crate::scale::{Device, Scale};
use crate::shop::{self, Redeemed};
use crate::solver::Solver;

/// How long a visitor waits for a page with all its parts.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Parts of a page.
pub const ASSETS: u32 = 10;
/// Connections of a browser to one site.
const CONNECTIONS: usize = 6;
/// Challenges that the page solves before it gives up.
const CHALLENGES_MAX: u32 = 8;
/// How often it asks whether it may leave.
const CLEARANCE_POLLS: u32 = 5;

/// Who stands behind a visitor's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// A network of their own.
    Home,
    /// An office of fifty.
    Office,
    /// A carrier's exit of two thousand.
    Carrier,
}

impl Group {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Home, Self::Office, Self::Carrier];

    /// In the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Office => "office",
            Self::Carrier => "carrier",
        }
    }
}

/// Why a page was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fate {
    /// It was, with all its parts.
    Served,
    /// The origin had no room and said 503, or the verifier said that it does not answer.
    OriginError,
    /// Patience ended.
    TooLate,
    /// The connection was refused or cut.
    Cut,
    /// The gate asked again and again.
    Unadmitted,
    /// The page came, and one of its parts met the gate.
    PartChallenged,
    /// The page came, and one of its parts was dropped or failed.
    PartLost,
}

impl Fate {
    /// In the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::OriginError => "error of the origin",
            Self::TooLate => "not within patience",
            Self::Cut => "connection cut",
            Self::Unadmitted => "not admitted",
            Self::PartChallenged => "a part challenged",
            Self::PartLost => "a part lost",
        }
    }
}

/// A visitor in a session.
#[derive(Debug)]
pub struct Visitor {
    /// Their address.
    pub from: Ipv4Addr,
    /// What their network is.
    pub group: Group,
    /// What they hash with.
    pub device: Device,
    to: Destination,
    scale: Scale,
    solver: Arc<Solver>,
    cookie: Option<String>,
    clients: Vec<Client>,
    /// Challenges solved so far.
    pub solved: u32,
    /// Whether a challenge page was ever seen.
    pub challenged: bool,
}

impl Visitor {
    /// A visitor who has not been here before.
    #[must_use]
    pub fn new(
        (group, from): (Group, Ipv4Addr),
        device: Device,
        to: Destination,
        scale: Scale,
        solver: Arc<Solver>,
    ) -> Self {
        let clients = (0..CONNECTIONS).map(|_| Client::new(from, to.clone())).collect();
        Self { from, group, device, to, scale, solver, cookie: None, clients, solved: 0, challenged: false }
    }

    /// Loads a page with all its parts, whatever it takes, within [`PATIENCE`].
    pub async fn load(&mut self, target: &str) -> Fate {
        let until = Instant::now() + PATIENCE;
        let Ok(fate) = tokio::time::timeout_at(until.into(), self.page(target)).await else {
            // Where the reader stopped, no connection is of use any more.
            self.clients = (0..CONNECTIONS).map(|_| Client::new(self.from, self.to.clone())).collect();
            return Fate::TooLate;
        };
        fate
    }

    async fn page(&mut self, target: &str) -> Fate {
        for _ in 0..CHALLENGES_MAX {
            let ask = self.asking(Ask::get(target)).navigating();
            let answer = match self.clients[0].ask(&ask, PATIENCE).await {
                Ok(answer) => answer,
                Err(Lost::Late) => return Fate::TooLate,
                Err(Lost::Cut | Lost::Unconnected) => return Fate::Cut,
            };
            match verdict(&answer) {
                Verdict::Admitted => return self.parts().await,
                Verdict::Failed => return Fate::OriginError,
                Verdict::Overloaded(pause) => tokio::time::sleep(pause).await,
                Verdict::Challenged => {
                    self.challenged = true;
                    if let Some(fate) = self.pass(&answer, target).await {
                        return fate;
                    }
                }
            }
        }
        Fate::Unadmitted
    }

    /// What the challenge page does, until it may reload; says so if it cannot.
    async fn pass(&mut self, answer: &Answer, target: &str) -> Option<Fate> {
        let Some(mut challenge) = shop::challenge_in(answer) else { return Some(Fate::Unadmitted) };
        for _ in 0..CHALLENGES_MAX {
            let Ok(solution) = self.solver.solve(challenge, self.scale, self.device.rate).await else {
                return Some(Fate::Unadmitted);
            };
            self.solved += 1;
            // The same solution may be sent again: it buys the same clearance.
            let redeemed = loop {
                match shop::redeem(&mut self.clients[0], target, &challenge, &solution.nonces).await {
                    Err(_) => return Some(Fate::Cut),
                    Ok(Redeemed::Refused { code, retry_after, .. }) if code == "busy" => {
                        tokio::time::sleep(retry_after.unwrap_or(Duration::from_secs(1))).await;
                    }
                    Ok(redeemed) => break redeemed,
                }
            };
            match redeemed {
                Redeemed::Sold(clearance) => {
                    self.cookie = Some(clearance.cookie);
                    for _ in 0..CLEARANCE_POLLS {
                        let open = shop::is_open(&mut self.clients[0], target, self.cookie.as_deref()).await;
                        if open.unwrap_or(false) {
                            return None;
                        }
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                    // It reloads all the same: the answer brings the next challenge.
                    return None;
                }
                Redeemed::NotNeeded => return None,
                Redeemed::Refused { challenge: Some(next), .. } => challenge = next,
                Redeemed::Refused { challenge: None, .. } => return Some(Fate::Unadmitted),
            }
        }
        Some(Fate::Unadmitted)
    }

    async fn parts(&mut self) -> Fate {
        let cookie = self.cookie.clone();
        let mut lanes = Vec::new();
        for (lane, mut client) in std::mem::take(&mut self.clients).into_iter().enumerate() {
            let cookie = cookie.clone();
            lanes.push(async move {
                let mut worst = Fate::Served;
                for part in (0..ASSETS).skip(lane).step_by(CONNECTIONS) {
                    let ask = Ask::get(format!("/static/{part}.css"))
                        .with(Sender::HEADER, Sender::Visitor.name())
                        .paid_by(cookie.as_deref());
                    let fate = match client.ask(&ask, PATIENCE).await.as_ref().map(verdict) {
                        Ok(Verdict::Admitted) => Fate::Served,
                        Ok(Verdict::Challenged) => Fate::PartChallenged,
                        Ok(Verdict::Failed | Verdict::Overloaded(_)) | Err(_) => Fate::PartLost,
                    };
                    worst = worst.max(fate);
                }
                (client, worst)
            });
        }
        let mut worst = Fate::Served;
        for (client, fate) in together(lanes).await {
            self.clients.push(client);
            worst = worst.max(fate);
        }
        worst
    }

    fn asking(&self, ask: Ask) -> Ask {
        ask.with(Sender::HEADER, Sender::Visitor.name()).paid_by(self.cookie.as_deref())
    }
}

/// What an answer is to a visitor.
enum Verdict {
    Admitted,
    Challenged,
    Overloaded(Duration),
    Failed,
}

fn verdict(answer: &Answer) -> Verdict {
    match answer.status {
        200 if answer.is_from_origin() => Verdict::Admitted,
        429 => Verdict::Challenged,
        // The page says so in words and sets `Refresh`; what is no page says so by its code.
        503 if !answer.is_from_origin() => answer.retry_after().map_or(Verdict::Failed, Verdict::Overloaded),
        _ => Verdict::Failed,
    }
}

/// Waits for all of them at once, without tasks of their own: they end with whoever waits.
async fn together<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        let mut all = true;
        for (future, done) in &mut waiting {
            if done.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(output) => *done = Some(output),
                    std::task::Poll::Pending => all = false,
                }
            }
        }
        if all { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}
