//! What a connection is told for which there is no place: 503, before anything of it is read. Closed without a word, it would
//! have a web server in front take the verifier for dead, and let everybody pass where the operator chose that for a dead one.

use super::client_io::Stream;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;

/// How long that may take, and with it how long what the client still sends is thrown away: a connection that is closed with
/// bytes unread is reset, and the answer is lost with it (RFC 9112 §9.6).
const TOLD_WITHIN: Duration = Duration::from_secs(1);
/// Bytes of it that are thrown away.
const THROWN_AWAY_BYTES_MAX: u64 = 64 * 1024;

/// RFC 9110 §15.6.4; the seconds are a guess: requests end when they end.
const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    content-length: 60\r\n\
    retry-after: 5\r\n\
    cache-control: no-store\r\n\
    connection: close\r\n\
    \r\n\
    Very many visitors are here now. Try again in a few seconds.";

/// Tells connections that there is no place for them.
pub(super) struct TurnedAway {
    places: Arc<Semaphore>,
}

impl TurnedAway {
    /// So many are told at the same time, at the most; further ones are closed without a word.
    pub(super) fn new(at_once: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(at_once)) }
    }

    /// Tells one, aside.
    pub(super) fn tell(&self, stream: Stream) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return };
        tokio::spawn(async move {
            let _place = place;
            let telling = async {
                match stream {
                    Stream::Tcp(stream) => tell(stream).await,
                    Stream::Unix(stream) => tell(stream).await,
                }
            };
            let _ = tokio::time::timeout(TOLD_WITHIN, telling).await;
        });
    }
}

async fn tell(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    if stream.write_all(ANSWER).await.is_ok() && stream.shutdown().await.is_ok() {
        let _ = tokio::io::copy(&mut stream.take(THROWN_AWAY_BYTES_MAX), &mut tokio::io::sink()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixStream;

    fn pair() -> (UnixStream, Stream) {
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        (ours, Stream::Unix(theirs))
    }

    #[tokio::test]
    async fn it_is_told_whole_also_to_who_is_still_sending() {
        let (head, body) = ANSWER.split_at(ANSWER.len() - 60);
        assert!(head.ends_with(b"\r\n\r\n") && body.starts_with(b"Very"), "its length is as it says");
        let (mut ours, theirs) = pair();
        ours.write_all(&vec![b'x'; 30_000]).await.expect("written");
        TurnedAway::new(1).tell(theirs);
        let mut told = Vec::new();
        ours.read_to_end(&mut told).await.expect("no reset");
        assert_eq!(told, ANSWER);
    }

    #[tokio::test(start_paused = true)]
    async fn who_stays_is_closed_in_a_second_and_beyond_256_nobody_is_told() {
        let turned_away = TurnedAway::new(256);
        let mut staying = Vec::new();
        for _ in 0..256 {
            let (ours, theirs) = pair();
            turned_away.tell(theirs);
            staying.push(ours);
        }
        let (mut one_more, theirs) = pair();
        turned_away.tell(theirs);
        let mut told = Vec::new();
        one_more.read_to_end(&mut told).await.expect("closed");
        assert_eq!(told, b"");
        tokio::time::sleep(TOLD_WITHIN + Duration::from_millis(1)).await;
        assert_eq!(turned_away.places.available_permits(), 256);
        drop(staying);
    }
}
