//! The address to which a site's name leads, where that is another one than it listens on: an address translator, a load balancer or
//! a CDN stands in between. What is seen there is told and changes nothing: it need not be ours.

use super::plan::{ANY_HOST, Ask, Trust};
use super::proof::{self, Seen};
use super::verifier::Verifier;
use crate::config::Listen;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout_at};

/// How long all of it may take: from inside, what is in front need not answer at all.
const PATIENCE: Duration = Duration::from_secs(8);

/// What is seen, a line for each site.
pub(super) async fn seen(asks: &[Ask], verifier: &Verifier) -> Vec<String> {
    let until = Instant::now() + PATIENCE;
    let mut lines = Vec::new();
    for ask in asks.iter().filter(|ask| !ask.host.ends_with(ANY_HOST)) {
        let host = &ask.host;
        let said = timeout_at(until, look(ask, verifier)).await.unwrap_or_else(|_| {
            Some(format!(
                "it is not known whether the gate is where its name leads: no answer within {} s",
                PATIENCE.as_secs()
            ))
        });
        lines.extend(said.map(|said| format!("note        {host}: {said}")));
    }
    lines
}

/// `None` where the name leads to where it was asked before.
async fn look(ask: &Ask, verifier: &Verifier) -> Option<String> {
    let Listen::Tcp(asked) = &ask.to else { return None };
    let found = match lookup_host((ask.host.as_str(), asked.port())).await {
        Ok(mut found) => found.next(),
        Err(_) => None,
    };
    let Some(address) = found else { return Some("its name leads nowhere from here".to_owned()) };
    if address == *asked {
        return None;
    }
    let first = there(ask, address, ask.trust.clone(), verifier).await;
    // What ends TLS in front has a certificate of its own.
    let seen = match (first, &ask.trust) {
        (Err(_), Trust::Certificate(_)) => there(ask, address, Trust::System, verifier).await,
        (seen, _) => seen,
    };
    Some(match seen {
        Ok(Seen::Gate) => format!("the gate is also seen at {address}, where its name leads"),
        Ok(Seen::Off) => {
            format!("the verifier, which is switched off, is also asked at {address}, where its name leads")
        }
        Err(why) => {
            let scheme = if ask.trust == Trust::Plain { "http" } else { "https" };
            format!(
                "the gate is NOT seen at {address}, where its name leads: it {why}\n            If what stands there is yours, \
                 or a CDN, look from elsewhere: portcullis doctor --calm {scheme}://{}/",
                ask.host
            )
        }
    })
}

async fn there(ask: &Ask, address: SocketAddr, trust: Trust, verifier: &Verifier) -> Result<Seen, String> {
    proof::once(&Ask { to: Listen::Tcp(address), trust, ..ask.clone() }, verifier).await
}
