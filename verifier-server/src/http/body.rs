//! Bodies: what the verifier answers with, and what a client sends.

use super::admission::Slot;
use super::connections::InProgress;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};

/// The body of an answer. Dropping it ends the request on its connection.
#[derive(Debug)]
pub(super) struct AnswerBody {
    content: Content,
    in_progress: Option<InProgress>,
    /// Given back with the end of the origin's answer.
    _at_origin: Option<AtOrigin>,
}

/// What a request holds at its origin.
#[derive(Debug)]
pub(super) struct AtOrigin {
    pub(super) _room: OwnedSemaphorePermit,
    pub(super) _slot: Option<Slot>,
}

#[derive(Debug)]
enum Content {
    Empty,
    Bytes(Bytes),
    Origin(Incoming),
}

impl AnswerBody {
    /// No body.
    pub(super) const fn empty() -> Self {
        Self { content: Content::Empty, in_progress: None, _at_origin: None }
    }

    /// These bytes.
    pub(super) fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self { content: Content::Bytes(bytes.into()), in_progress: None, _at_origin: None }
    }

    /// What the origin sends, as it comes.
    pub(super) const fn origin(incoming: Incoming, at_origin: AtOrigin) -> Self {
        Self { content: Content::Origin(incoming), in_progress: None, _at_origin: Some(at_origin) }
    }

    /// Keeps the request in progress until the body has been sent.
    pub(super) fn ending(self, mut in_progress: InProgress) -> Self {
        in_progress.set_untaken(!self.is_end_stream());
        Self { in_progress: Some(in_progress), ..self }
    }

    fn set_untaken(&mut self, untaken: bool) {
        if let Some(in_progress) = &mut self.in_progress {
            in_progress.set_untaken(untaken);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        // Whoever asks for more has taken what there was. An origin that has nothing yet is no fault of the client.
        self.set_untaken(false);
        let frame = match &mut self.content {
            Content::Empty => return Poll::Ready(None),
            Content::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                self.content = Content::Empty;
                (!bytes.is_empty()).then(|| Ok(Frame::data(bytes)))
            }
            Content::Origin(incoming) => ready!(Pin::new(incoming).poll_frame(context)),
        };
        self.set_untaken(frame.is_some());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Empty => true,
            Content::Bytes(bytes) => bytes.is_empty(),
            Content::Origin(incoming) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Origin(incoming) => incoming.size_hint(),
        }
    }
}

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
    pub(super) fn begin() -> Self {
        let state = UploadState { stalled: AtomicBool::new(false), began: Instant::now(), moved_ms: AtomicU64::new(0) };
        Self(Arc::new(state))
    }

    /// Whether it stood still for too long.
    pub(super) fn stalled(&self) -> bool {
        self.0.stalled.load(Ordering::Relaxed)
    }

    /// When its last part came.
    pub(super) fn moved_at(&self) -> Instant {
        self.0.began + Duration::from_millis(self.0.moved_ms.load(Ordering::Relaxed))
    }

    fn moves(&self) {
        let elapsed = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.moved_ms.store(elapsed, Ordering::Relaxed);
    }
}

/// The body of a request on its way to the origin: streamed, never held, and ended when it stands still.
#[derive(Debug)]
pub(super) struct ClientBody {
    incoming: Incoming,
    timeout: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    upload: Upload,
}

impl ClientBody {
    pub(super) fn new(incoming: Incoming, timeout: Duration, upload: Upload) -> Self {
        Self { incoming, timeout, waiting: None, upload }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(context) {
            this.waiting = None;
            this.upload.moves();
            return Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)));
        }
        let timeout = this.timeout;
        let waiting = this.waiting.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(waiting.as_mut().poll(context));
        this.upload.0.stalled.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
