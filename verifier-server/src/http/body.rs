//! What the verifier answers with.

use super::admission::Slot;
use super::connections::InProgress;
use super::origins::AtServer;
use super::streams::OpenStream;
use super::transfers::Transfer;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The body of an answer. Dropping it ends the request on its connection.
#[derive(Debug)]
pub(super) struct AnswerBody {
    content: Content,
    in_progress: Option<InProgress>,
}

/// What a request holds at its origin.
#[derive(Debug)]
pub(super) struct AtOrigin {
    pub(super) _server: AtServer,
    pub(super) _slot: Option<Slot>,
    pub(super) _stream: Option<OpenStream>,
}

#[derive(Debug)]
enum Content {
    Empty,
    Bytes(Bytes),
    Origin(OriginAnswer),
}

/// The origin's answer, as far as its transfer has not been closed.
#[derive(Debug)]
struct OriginAnswer(Arc<Transfer>);

impl Drop for OriginAnswer {
    fn drop(&mut self) {
        self.0.answer_ends();
    }
}

impl AnswerBody {
    /// No body.
    pub(super) const fn empty() -> Self {
        Self { content: Content::Empty, in_progress: None }
    }

    /// These bytes.
    pub(super) fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self { content: Content::Bytes(bytes.into()), in_progress: None }
    }

    /// What the origin sends, as it comes. `stream`: it is an event stream, which nobody expects to be fast.
    pub(super) fn origin(transfer: Arc<Transfer>, incoming: Incoming, at_origin: AtOrigin, stream: bool) -> Self {
        transfer.answered(incoming, at_origin, stream);
        Self { content: Content::Origin(OriginAnswer(transfer)), in_progress: None }
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
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        // Whoever asks for more has taken what there was. An origin that has nothing yet is no fault of the client.
        self.set_untaken(false);
        let frame = match &mut self.content {
            Content::Empty => return Poll::Ready(None),
            Content::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                self.content = Content::Empty;
                (!bytes.is_empty()).then(|| Ok(Frame::data(bytes)))
            }
            Content::Origin(answer) => ready!(answer.0.poll_answer(context)),
        };
        self.set_untaken(frame.is_some());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Empty => true,
            Content::Bytes(bytes) => bytes.is_empty(),
            Content::Origin(answer) => answer.0.answer_is_ended(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Origin(answer) => answer.0.answer_size(),
        }
    }
}
