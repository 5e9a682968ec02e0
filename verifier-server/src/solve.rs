//! `portcullis solve`: gets a clearance the way any API client would, by the protocol alone.

use crate::client::{self, ClientError};
use crate::config::Listen;
use crate::tls::Tls;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, SET_COOKIE};
use hyper::{Method, Request, Response, Uri};
use puzzle::{
    Algorithm, CHALLENGE_BYTES, Challenge, NONCES_PER_INSTANCE, Shape, SubPuzzle, guard, instance_of, target,
};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// How long one of several addresses may take to answer at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Why there is no clearance.
#[derive(Debug, thiserror::Error)]
pub enum SolveError {
    /// The address cannot be used.
    #[error("{0}")]
    Address(String),
    /// The verifier cannot be reached.
    #[error("{0}")]
    Client(#[from] ClientError),
    /// It answered something else than the protocol says.
    #[error("the verifier answered {0}: {1}")]
    Refused(u16, String),
    /// The challenge cannot be read.
    #[error("the challenge cannot be read")]
    Challenge,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Solved {
    /// The page needs no work now.
    NotNeeded,
    /// The cookie, `name=value`.
    Cookie(String),
}

/// Solves what `url` asks now and returns the cookie. Believed are the authorities in `ca`, or without it the system's.
///
/// # Errors
/// See [`SolveError`].
pub async fn run(url: &str, base_path: &str, ca: Option<&Path>) -> Result<Solved, SolveError> {
    solve(Site::parse(None, url, ca).await?, base_path).await
}

/// The same, from one of this machine's addresses.
pub(crate) async fn run_from(source: Option<Ipv4Addr>, url: &str, base_path: &str) -> Result<Solved, SolveError> {
    solve(Site::parse(source, url, None).await?, base_path).await
}

async fn solve(site: Site, base_path: &str) -> Result<Solved, SolveError> {
    let wanted: String = form_urlencoded::Serializer::new(String::new()).append_pair("for", &site.target).finish();
    let path = format!("{base_path}challenge?{wanted}&algorithms=sha256,hashwx");
    let asked = site.send(Method::GET, &path, None).await?;
    let asked: Value = serde_json::from_slice(asked.body()).map_err(|_| SolveError::Challenge)?;
    if asked["needed"] == json!(false) {
        return Ok(Solved::NotNeeded);
    }
    let text = asked["challenge"].as_str().ok_or(SolveError::Challenge)?.to_owned();
    let mut buffer = [0; CHALLENGE_BYTES];
    let bytes = puzzle::decode(text.as_bytes(), &mut buffer).ok_or(SolveError::Challenge)?;
    let challenge = Challenge::parse(bytes).map_err(|_| SolveError::Challenge)?;
    let solution =
        tokio::task::spawn_blocking(move || solution(&challenge)).await.map_err(|_| SolveError::Challenge)?;
    let posted = json!({ "challenge": text, "solution": puzzle::encode(&solution).as_str() });
    let verified = site.send(Method::POST, &format!("{base_path}verify?{wanted}"), Some(posted)).await?;
    let cookie = verified.headers().get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok());
    Ok(cookie
        .map_or(Solved::NotNeeded, |cookie| Solved::Cookie(cookie.split(';').next().unwrap_or_default().to_owned())))
}

/// The nonces of all sub-puzzles, found on all cores, and the guard where there is one.
pub(crate) fn solution(challenge: &Challenge) -> Vec<u8> {
    let Shape { algorithm, count, .. } = challenge.shape();
    let mut solution: Vec<u8> = (0..count).flat_map(|sub_puzzle| nonce(challenge, sub_puzzle).to_be_bytes()).collect();
    if algorithm == Algorithm::HashWx {
        solution.extend(guard(challenge.bytes(), &solution).to_be_bytes());
    }
    solution
}

/// What a nonce of a sub-puzzle hashes to, by the challenge's algorithm.
fn attempts(challenge: &Challenge, sub_puzzle: u8) -> Box<dyn FnMut(u64) -> u64> {
    match challenge.shape().algorithm {
        Algorithm::Sha256 => {
            let mut puzzle = SubPuzzle::new(challenge.bytes(), sub_puzzle);
            Box::new(move |nonce| puzzle.attempt(nonce))
        }
        Algorithm::HashWx => {
            let challenge = *challenge.bytes();
            let of_block = move |block| (block, instance_of(&challenge, sub_puzzle, block));
            let mut current = of_block(0);
            Box::new(move |nonce| {
                if current.0 != nonce / NONCES_PER_INSTANCE {
                    current = of_block(nonce / NONCES_PER_INSTANCE);
                }
                current.1.hash(nonce)
            })
        }
    }
}

fn nonce(challenge: &Challenge, sub_puzzle: u8) -> u64 {
    /// Nonces that a thread tries between two looks at the others.
    const BLOCK: u64 = 1024;
    let target = target(challenge.shape().difficulty);
    let (next_block, found, nonce) = (AtomicU64::new(0), AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            scope.spawn(|| {
                let mut attempt = attempts(challenge, sub_puzzle);
                while !found.load(Ordering::Relaxed) {
                    let start = next_block.fetch_add(BLOCK, Ordering::Relaxed);
                    if let Some(solving) = (start..start + BLOCK).find(|nonce| attempt(*nonce) <= target) {
                        nonce.store(solving, Ordering::Relaxed);
                        found.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    nonce.into_inner()
}

/// The first of a host's addresses at which somebody listens: many a host has one of IPv6 that leads nowhere.
async fn reachable(source: Option<Ipv4Addr>, addresses: Vec<SocketAddr>) -> Option<SocketAddr> {
    for address in addresses.iter().filter(|_| addresses.len() > 1) {
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, client::connect_from(source, *address)).await;
        if matches!(connected, Ok(Ok(_))) {
            return Some(*address);
        }
    }
    addresses.first().copied()
}

/// Where to ask.
struct Site {
    /// Whose certificates are believed; `None` for plain HTTP.
    tls: Option<Tls>,
    source: Option<Ipv4Addr>,
    listen: Listen,
    authority: String,
    target: String,
}

impl Site {
    async fn parse(source: Option<Ipv4Addr>, url: &str, ca: Option<&Path>) -> Result<Self, SolveError> {
        let wrong = |why: &str| SolveError::Address(format!("{url}: {why}"));
        let uri: Uri = url.parse().map_err(|_| wrong("this is not an address"))?;
        let tls = match uri.scheme_str() {
            Some("http") => None,
            Some("https") => {
                Some(ca.map_or_else(Tls::of_system, Tls::from_file).map_err(|error| wrong(&error.to_string()))?)
            }
            _ => return Err(wrong("write it with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        let port = authority.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        let addresses = tokio::net::lookup_host((authority.host().trim_matches(['[', ']']), port))
            .await
            .map_err(|error| wrong(&error.to_string()))?;
        let address = reachable(source, addresses.collect()).await.ok_or_else(|| wrong("the host has no address"))?;
        let target = uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        Ok(Self { tls, source, listen: Listen::Tcp(address), authority: authority.to_string(), target })
    }

    /// The host without its port.
    fn host(&self) -> &str {
        let (host, port) = self.authority.rsplit_once(':').unwrap_or((&self.authority, ""));
        if port.bytes().all(|byte| byte.is_ascii_digit()) { host } else { &self.authority }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Response<Bytes>, SolveError> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.authority);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let bytes = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let request = request.body(Full::new(bytes)).map_err(|error| SolveError::Address(error.to_string()))?;
        let response =
            client::send_by(self.tls.as_ref().map(|tls| (tls, self.host())), self.source, &self.listen, request)
                .await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let said = String::from_utf8_lossy(response.body()).chars().take(400).collect();
        Err(SolveError::Refused(response.status().as_u16(), said))
    }
}
