//! Ports for processes that are told their address before they run.
//!
//! They are taken below the range the kernel hands out for outgoing connections: a port that was free a moment ago cannot
//! become somebody's source port before the process binds it.

use std::net::TcpStream;
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 12_000;
const LAST: u16 = 32_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port on 127.0.0.1 that nobody listens on, and that this process gives out once.
pub fn free() -> u16 {
    let range = LAST - FIRST;
    // Two test processes at once start at different places.
    let start = u16::try_from(std::process::id() * 131 % u32::from(range)).unwrap();
    for _ in 0..range {
        let offset = (start + NEXT.fetch_add(1, Ordering::Relaxed) % range) % range;
        let port = FIRST + offset;
        // Asked for, not bound: a process that another thread starts at this moment would hold what is bound until it runs.
        if TcpStream::connect(("127.0.0.1", port)).is_err() {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {LAST}");
}
