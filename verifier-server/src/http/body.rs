//! Bodies: what the verifier answers with, and what a client sends.

use super::connections::InProgress;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// The body of an answer. Dropping it ends the request on its connection.
#[derive(Debug)]
pub(super) struct AnswerBody {
    content: Content,
    /// Held for its end, never read.
    _in_progress: Option<InProgress>,
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
        Self { content: Content::Empty, _in_progress: None }
    }

    /// These bytes.
    pub(super) fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self { content: Content::Bytes(bytes.into()), _in_progress: None }
    }

    /// What the origin sends, as it comes.
    pub(super) const fn origin(incoming: Incoming) -> Self {
        Self { content: Content::Origin(incoming), _in_progress: None }
    }

    /// Keeps the request in progress until the body has been sent.
    pub(super) fn ending(self, in_progress: InProgress) -> Self {
        Self { _in_progress: Some(in_progress), ..self }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.content {
            Content::Empty => Poll::Ready(None),
            Content::Bytes(_) => {
                let Content::Bytes(bytes) = std::mem::replace(&mut self.content, Content::Empty) else {
                    return Poll::Ready(None);
                };
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Content::Origin(incoming) => Pin::new(incoming).poll_frame(context),
        }
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

/// Whether a client's body stood still for too long; shared with whoever answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Stalled(Arc<AtomicBool>);

impl Stalled {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The body of a request on its way to the origin: streamed, never held, and ended when it stands still.
#[derive(Debug)]
pub(super) struct ClientBody {
    incoming: Incoming,
    timeout: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    stalled: Stalled,
}

impl ClientBody {
    pub(super) fn new(incoming: Incoming, timeout: Duration, stalled: Stalled) -> Self {
        Self { incoming, timeout, waiting: None, stalled }
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
            return Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)));
        }
        let timeout = this.timeout;
        let waiting = this.waiting.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(waiting.as_mut().poll(context));
        this.stalled.0.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
