//! The body of a request: its first bytes are read before the origin is opened, the rest is streamed.

use super::read_ahead::{Held, READ_AHEAD_BYTES};
use super::transfers::Transfer;
use hyper::HeaderMap;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use puzzle::ClientNetwork;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// How a client's body comes; shared with whoever waits for the origin's answer to it.
#[derive(Clone, Debug)]
pub(super) struct Upload(Arc<UploadState>);

#[derive(Debug)]
struct UploadState {
    stalled: AtomicBool,
    began: Instant,
    /// Milliseconds from the beginning to the last part that came.
    moved_ms: AtomicU64,
}

impl Upload {
    fn begin() -> Self {
        let state = UploadState { stalled: AtomicBool::new(false), began: Instant::now(), moved_ms: AtomicU64::new(0) };
        Self(Arc::new(state))
    }

    /// Whether it stood still, or was slow, for too long.
    pub(super) fn stalled(&self) -> bool {
        self.0.stalled.load(Ordering::Relaxed)
    }

    /// When its last part came.
    pub(super) fn moved_at(&self) -> Instant {
        self.0.began + Duration::from_millis(self.0.moved_ms.load(Ordering::Relaxed))
    }

    /// A part of it came, or what there is of it goes to the origin now.
    pub(super) fn moves(&self) {
        let elapsed = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.moved_ms.store(elapsed, Ordering::Relaxed);
    }
}

/// Why a body does not come.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// It stood still for too long, or was slow while others waited.
    #[error("the body stood still or was too slow")]
    Stalled,
    /// It had to make room for others before it was whole.
    #[error("the body was read ahead for too long")]
    NoRoom,
    /// It cannot be read: the client left, or broke the protocol.
    #[error(transparent)]
    Unreadable(Box<dyn Error + Send + Sync>),
}

/// How a body that was read ahead ended.
#[derive(Debug)]
struct End {
    trailers: Option<HeaderMap>,
}

/// A client's body. As the origin's client polls it, it is what the client sends, byte for byte.
#[derive(Debug)]
pub(super) struct ClientBody<B = Incoming> {
    incoming: B,
    /// Whether its length was known at the start: what is framed by its length stays so, what is chunked too.
    has_length: bool,
    beginning: Vec<u8>,
    end: Option<End>,
    held: Option<Held>,
    timeout: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    upload: Upload,
    transfer: Option<Arc<Transfer>>,
}

impl<B> ClientBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// A body that may stand still for `timeout`.
    pub(super) fn new(incoming: B, timeout: Duration) -> Self {
        Self {
            has_length: incoming.size_hint().exact().is_some(),
            incoming,
            beginning: Vec::new(),
            end: None,
            held: None,
            timeout,
            waiting: None,
            upload: Upload::begin(),
            transfer: None,
        }
    }

    pub(super) fn upload(&self) -> &Upload {
        &self.upload
    }

    /// Where it is noted how fast it comes.
    pub(super) fn noted_in(&mut self, transfer: Arc<Transfer>) {
        self.transfer = Some(transfer);
    }

    pub(super) const fn transfer(&self) -> Option<&Arc<Transfer>> {
        self.transfer.as_ref()
    }

    /// Reads until the body has ended or [`READ_AHEAD_BYTES`] of it are here. `shares` says what a network weighs, where
    /// others have to make room.
    pub(super) async fn read_ahead(&mut self, held: Held, shares: impl Fn(ClientNetwork) -> u32) -> Result<(), Broken> {
        while self.end.is_none() && self.beginning.len() < READ_AHEAD_BYTES {
            let frame = tokio::select! {
                biased;
                () = held.ended() => return Err(Broken::NoRoom),
                frame = poll_fn(|context| self.poll_incoming(context)) => frame,
            };
            let Some(frame) = frame.transpose()? else {
                self.end = Some(End { trailers: None });
                break;
            };
            match frame.into_data() {
                // Copied, because a part of a read buffer keeps all of it in memory.
                Ok(data) => self.beginning.extend_from_slice(&data),
                Err(frame) => self.end = frame.into_trailers().ok().map(|trailers| End { trailers: Some(trailers) }),
            }
            held.set_bytes(self.beginning.capacity(), &shares);
            if self.has_length && self.incoming.is_end_stream() && self.end.is_none() {
                self.end = Some(End { trailers: None });
            }
        }
        self.held = Some(held);
        Ok(())
    }

    /// Whether nothing of it has to come any more.
    pub(super) fn is_whole(&self) -> bool {
        self.end.is_some() || self.incoming.is_end_stream()
    }

    /// Whether the beginning has been read.
    pub(super) const fn is_read_ahead(&self) -> bool {
        self.held.is_some()
    }

    /// Waits until what was read ahead has to be given up; for ever where nothing was.
    pub(super) async fn loses_its_room(&self) {
        match &self.held {
            Some(held) => held.ended().await,
            None => std::future::pending().await,
        }
    }

    fn poll_incoming(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) {
            self.waiting = None;
            self.upload.moves();
            if let Some(transfer) = &self.transfer {
                let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()).and_then(Frame::data_ref);
                transfer.client_sent(data.map_or(0, Bytes::len));
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| Broken::Unreadable(error.into()))));
        }
        let closed = self.transfer.as_ref().is_some_and(|transfer| transfer.waits_for_body(context.waker()));
        if !closed {
            let timeout = self.timeout;
            let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(timeout)));
            ready!(waiting.as_mut().poll(context));
        }
        self.upload.0.stalled.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(Broken::Stalled)))
    }
}

impl<B> Drop for ClientBody<B> {
    fn drop(&mut self) {
        if let Some(transfer) = &self.transfer {
            transfer.body_ends();
        }
    }
}

impl<B> Body for ClientBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        if !this.beginning.is_empty() {
            this.held = None;
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.beginning).into()))));
        }
        if let Some(end) = &mut this.end {
            return Poll::Ready(end.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
        }
        let frame = ready!(this.poll_incoming(context));
        let kind = |broken: &Broken| match broken {
            Broken::Stalled | Broken::NoRoom => io::ErrorKind::TimedOut,
            Broken::Unreadable(_) => io::ErrorKind::Other,
        };
        Poll::Ready(frame.map(|frame| frame.map_err(|broken| io::Error::new(kind(&broken), broken))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.end {
            _ if !self.beginning.is_empty() => false,
            // What is chunked ends by being asked once more: else nothing of it would look like a body.
            Some(End { trailers }) => self.has_length && trailers.is_none(),
            None => self.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let beginning = u64::try_from(self.beginning.len()).unwrap_or(u64::MAX);
        let rest = if self.end.is_some() { Some(0) } else { self.incoming.size_hint().exact() };
        match rest {
            Some(rest) if self.has_length => SizeHint::with_exact(beginning.saturating_add(rest)),
            _ => {
                let mut hint = SizeHint::new();
                hint.set_lower(beginning);
                hint
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_ahead::{READ_AHEAD_TOTAL_BYTES_MAX, ReadAheads};
    use super::*;
    use http_body_util::BodyExt as _;
    use std::collections::VecDeque;
    use std::convert::Infallible;

    /// Parts that come one by one, each after a second, and the end.
    struct Trickle {
        parts: VecDeque<Bytes>,
        trailers: Option<HeaderMap>,
        length: Option<u64>,
        next: Pin<Box<Sleep>>,
        /// Whether it stands still after its parts.
        stalls: bool,
    }

    const SECOND: Duration = Duration::from_secs(1);

    impl Trickle {
        fn of(parts: usize, bytes: usize) -> Self {
            let parts = std::iter::repeat_n(Bytes::from(vec![7; bytes]), parts).collect();
            Self { parts, trailers: None, length: None, next: Box::pin(sleep(SECOND)), stalls: false }
        }
    }

    impl Body for Trickle {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            ready!(self.next.as_mut().poll(context));
            if let Some(part) = self.parts.pop_front() {
                self.next = Box::pin(sleep(SECOND));
                return Poll::Ready(Some(Ok(Frame::data(part))));
            }
            if self.stalls {
                return Poll::Pending;
            }
            Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
        }

        fn size_hint(&self) -> SizeHint {
            self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
        }
    }

    async fn read(trickle: Trickle) -> (Result<(), Broken>, ClientBody<Trickle>) {
        let mut body = ClientBody::new(trickle, Duration::from_secs(30));
        let held = ReadAheads::new(READ_AHEAD_TOTAL_BYTES_MAX).begin(ClientNetwork::of([203, 0, 113, 9].into()));
        (body.read_ahead(held, |_| 1).await, body)
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_body_is_whole_before_it_goes_on() {
        let begin = Instant::now();
        let (read, body) = read(Trickle::of(10, 1_000)).await;
        assert!(read.is_ok() && begin.elapsed() >= 10 * SECOND);
        let at = Instant::now();
        assert_eq!(body.collect().await.expect("a body").to_bytes(), vec![7; 10_000]);
        assert_eq!(at.elapsed(), Duration::ZERO, "nothing of it has to come any more");
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_large_body_only_the_beginning_is_read_ahead() {
        let (read, body) = read(Trickle::of(100, 10_000)).await;
        assert!(read.is_ok());
        assert_eq!(body.beginning.len(), 70_000);
        assert_eq!(body.collect().await.expect("a body").to_bytes(), vec![7; 1_000_000]);
    }

    #[tokio::test(start_paused = true)]
    async fn trailers_and_framing_pass() {
        let trailers = HeaderMap::from_iter([(hyper::header::ETAG, hyper::header::HeaderValue::from_static("x"))]);
        let (_, body) = read(Trickle { trailers: Some(trailers.clone()), ..Trickle::of(2, 5) }).await;
        assert_eq!(body.size_hint().exact(), None, "chunked stays chunked");
        assert!(!body.is_end_stream());
        let collected = body.collect().await.expect("a body");
        assert_eq!(collected.trailers(), Some(&trailers));
        let (_, empty) = read(Trickle::of(0, 0)).await;
        assert!(!empty.is_end_stream() && empty.size_hint().exact().is_none(), "also an empty chunked body");
        let mut body = ClientBody::new(Trickle { length: Some(0), ..Trickle::of(1, 9) }, SECOND);
        body.beginning = vec![7; 9];
        body.end = Some(End { trailers: None });
        assert_eq!(body.size_hint().exact(), Some(9), "a length stays a length");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stands_still_is_ended_while_it_is_read_ahead() {
        let (read, body) = read(Trickle { stalls: true, ..Trickle::of(3, 100) }).await;
        assert!(matches!(read, Err(Broken::Stalled)) && body.upload().stalled());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_is_counted_until_the_origin_has_it() {
        let all = ReadAheads::new(READ_AHEAD_TOTAL_BYTES_MAX);
        let mut body = ClientBody::new(Trickle::of(2, 1_000), Duration::from_secs(30));
        body.read_ahead(all.begin(ClientNetwork::of([203, 0, 113, 9].into())), |_| 1).await.expect("read");
        assert!((2_000..4_000).contains(&all.bytes()), "{}", all.bytes());
        body.frame().await;
        assert_eq!(all.bytes(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_limit_of_all_a_trickle_makes_room() {
        let all = ReadAheads::new(4_096);
        let network = |third| ClientNetwork::of([203, 0, third, 9].into());
        let mut body = ClientBody::new(Trickle::of(100, 100), Duration::from_secs(30));
        let held = all.begin(network(1));
        let newcomer = async {
            sleep(20 * SECOND).await;
            let newcomer = all.begin(network(2));
            newcomer.set_bytes(3_000, |_| 1);
            newcomer
        };
        let (read, _newcomer) = tokio::join!(body.read_ahead(held, |_| 1), newcomer);
        assert!(matches!(read, Err(Broken::NoRoom)));
        assert_eq!(all.bytes(), 3_000);
    }
}
