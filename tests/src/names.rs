//! A name server on loopback: answers over UDP what it was told, and counts what it is asked.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::wait::until_due;

/// Types of records (RFC 1035, RFC 3596).
const A: u16 = 1;
const PTR: u16 = 12;
const AAAA: u16 = 28;
const NAME_ERROR: u8 = 3;
/// What a resolver says whose own servers do not answer (RFC 1035 §4.1.1).
const SERVER_FAILURE: u8 = 2;

/// What it says of a name.
#[derive(Debug, Clone)]
pub enum Said {
    /// These names: of an address.
    Names(Vec<String>),
    /// These addresses: of a name.
    Addresses(Vec<IpAddr>),
    /// Nothing at all.
    Silence,
    /// That it failed.
    Failure,
    /// First an answer that somebody else made up, with another id, that it is this name; then that there is none.
    Forged(String),
}

/// Lives as long as the process; its thread is idle by then.
#[derive(Debug, Clone)]
pub struct NameServer {
    /// Where it is asked.
    pub address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
}

#[derive(Debug, Default)]
struct Zone {
    said: HashMap<String, Said>,
    asked: Vec<String>,
    /// How long it thinks about each question.
    takes: Duration,
    /// What it says of names that it was not told of: that there is none, or nothing.
    is_silent: bool,
}

/// The name under which the names of an address stand.
pub fn reverse(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("{d}.{c}.{b}.{a}.in-addr.arpa")
}

impl NameServer {
    /// Knows no name.
    pub fn start() -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let server = Self { address: socket.local_addr().unwrap(), zone: Arc::default() };
        let zone = Arc::clone(&server.zone);
        thread::spawn(move || serve(&socket, &zone));
        server
    }

    /// From now on it says this of a name, in small letters.
    pub fn says(&self, name: &str, said: Said) {
        self.zone().said.insert(name.to_owned(), said);
    }

    /// From now on the address has this name, and the name leads to `to`.
    pub fn names(&self, address: Ipv4Addr, name: &str, to: &[Ipv4Addr]) {
        self.says(&reverse(address), Said::Names(vec![name.to_owned()]));
        self.says(&name.to_ascii_lowercase(), Said::Addresses(to.iter().copied().map(IpAddr::from).collect()));
    }

    /// From now on each answer takes so long.
    pub fn takes(&self, time: Duration) {
        self.zone().takes = time;
    }

    /// From now on it says nothing of names that it was not told of.
    pub fn falls_silent(&self) {
        self.zone().is_silent = true;
    }

    /// The names it was asked for, in order, each as often as it was.
    pub fn asked(&self) -> Vec<String> {
        self.zone().asked.clone()
    }

    /// How often it was asked for a name.
    pub fn asked_for(&self, name: &str) -> usize {
        self.zone().asked.iter().filter(|asked| *asked == name).count()
    }

    fn zone(&self) -> MutexGuard<'_, Zone> {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(socket: &UdpSocket, zone: &Mutex<Zone>) {
    let mut buffer = [0; 1500];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        let Some(question) = Question::read(&buffer[..length]) else { continue };
        let (said, takes) = {
            let mut zone = zone.lock().unwrap_or_else(PoisonError::into_inner);
            zone.asked.push(question.name.clone());
            let unknown = zone.is_silent.then_some(Said::Silence);
            (zone.said.get(&question.name).cloned().or(unknown), zone.takes)
        };
        let answers = match said {
            None => vec![question.answer(0, &[])],
            Some(Said::Silence) => Vec::new(),
            Some(Said::Failure) => vec![question.failure()],
            Some(Said::Names(names)) => {
                let names = names.iter().map(|name| (PTR, labels(name)));
                vec![question.answer(0, &names.collect::<Vec<_>>())]
            }
            Some(Said::Addresses(addresses)) => {
                let records = addresses.into_iter().map(|address| match address {
                    IpAddr::V4(address) => (A, address.octets().to_vec()),
                    IpAddr::V6(address) => (AAAA, address.octets().to_vec()),
                });
                vec![question.answer(0, &records.collect::<Vec<_>>())]
            }
            Some(Said::Forged(name)) => vec![question.answer(1, &[(PTR, labels(&name))]), question.answer(0, &[])],
        };
        until_due(Instant::now() + takes);
        for answer in answers {
            let _ = socket.send_to(&answer, from);
        }
    }
}

/// The question of a message, as it stands there and as text.
struct Question {
    id: u16,
    bytes: Vec<u8>,
    name: String,
    kind: u16,
}

impl Question {
    fn read(message: &[u8]) -> Option<Self> {
        let id = u16::from_be_bytes([*message.first()?, *message.get(1)?]);
        let (mut at, mut name) = (12, Vec::new());
        loop {
            let length = usize::from(*message.get(at)?);
            let label = message.get(at + 1..at + 1 + length)?;
            at += 1 + length;
            if length == 0 {
                break;
            }
            name.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        }
        let kind = u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]);
        Some(Self { id, bytes: message.get(12..at + 4)?.to_vec(), name: name.join("."), kind })
    }

    /// That nobody could find out.
    fn failure(&self) -> Vec<u8> {
        let mut message = self.answer(0, &[]);
        message[3] = 0x80 | SERVER_FAILURE;
        message
    }

    /// An answer with those of the records that were asked for; without any that there is none.
    fn answer(&self, other_id: u16, records: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let records: Vec<_> = records.iter().filter(|(kind, _)| *kind == self.kind).collect();
        let count = u16::try_from(records.len()).unwrap();
        let mut message = self.id.wrapping_add(other_id).to_be_bytes().to_vec();
        message.extend([0x81, 0x80 | if count == 0 { NAME_ERROR } else { 0 }, 0, 1]);
        message.extend(count.to_be_bytes());
        message.extend([0; 4]);
        message.extend(&self.bytes);
        for (kind, data) in records {
            // The name of the question, of class IN, for five minutes.
            message.extend([0xc0, 12]);
            message.extend(kind.to_be_bytes());
            message.extend([0, 1, 0, 0, 1, 44]);
            message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            message.extend(data);
        }
        message
    }
}

fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
