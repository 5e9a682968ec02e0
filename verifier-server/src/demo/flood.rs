//! The demo's flood: plain requests that do not pay, to the demo's own port on 127.0.0.1 and nowhere else.
//!
//! Bounded in rate and time by [`Course`], and in connections here.

use super::course::{Course, Phase};
use super::networks::{FLOOD_NETWORKS, Networks};
use crate::client::connect_from;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Connections of the flood at once, of each of its networks.
const CONNECTIONS_PER_NETWORK: u8 = 2;
/// Requests that are due while all connections wait for an answer; further ones are left out.
const DUE_MAX: usize = 50;
/// How often requests become due.
const PACE: Duration = Duration::from_millis(10);
/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends the flood of a course that began at `began` to a port on 127.0.0.1. It ends by itself.
pub(super) fn begin(port: u16, networks: Networks, course: Course, began: Instant, tasks: &mut JoinSet<()>) {
    let due = Arc::new(Semaphore::new(0));
    for number in 0..FLOOD_NETWORKS {
        for _ in 0..CONNECTIONS_PER_NETWORK {
            tasks.spawn(sender(networks.of_flood(number), port, Arc::clone(&due)));
        }
    }
    tasks.spawn(pace(course, began, due));
}

/// Lets requests become due as the course says, and closes `due` at its end.
async fn pace(course: Course, began: Instant, due: Arc<Semaphore>) {
    let mut last = began.elapsed();
    let mut owed = 0.0;
    while course.phase(last) != Phase::Over {
        tokio::time::sleep(PACE).await;
        let now = began.elapsed();
        owed += course.per_second(now) * now.saturating_sub(last).as_secs_f64();
        last = now;
        while owed >= 1.0 {
            owed -= 1.0;
            if due.available_permits() < DUE_MAX {
                due.add_permits(1);
            }
        }
    }
    due.close();
}

/// Sends a request whenever one is due, on one connection at a time, until the course is over.
async fn sender(source: Ipv4Addr, port: u16, due: Arc<Semaphore>) {
    while is_due(&due).await {
        // A connection that breaks off is made anew for the next request.
        let _ = on_one_connection(source, port, &due).await;
    }
}

async fn is_due(due: &Semaphore) -> bool {
    due.acquire().await.map(tokio::sync::SemaphorePermit::forget).is_ok()
}

async fn on_one_connection(source: Ipv4Addr, port: u16, due: &Semaphore) -> Result<(), Box<dyn Error + Send + Sync>> {
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = connect_from(Some(source), to).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let requests = async {
        loop {
            tokio::time::timeout(ANSWER_TIMEOUT, ask(&mut sender, to)).await??;
            if !is_due(due).await {
                return Ok(());
            }
        }
    };
    tokio::select! {
        ended = requests => ended,
        broken = connection => Ok(broken?),
    }
}

async fn ask(sender: &mut SendRequest<Empty<Bytes>>, to: SocketAddr) -> Result<(), Box<dyn Error + Send + Sync>> {
    let request = Request::builder()
        .uri("/news")
        .header(HOST, to.to_string())
        .header(USER_AGENT, "portcullis-demo-flood")
        .body(Empty::new())?;
    let answer = sender.send_request(request).await?;
    Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await?;
    Ok(())
}
