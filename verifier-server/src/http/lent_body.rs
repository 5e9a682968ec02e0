//! A request's body on its way to a server: taken only by a connection that asks for it, so that a request whose connection
//! failed can go to another server whole.

use super::client_body::ClientBody;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

/// Where a body waits until a connection takes it.
#[derive(Clone)]
pub(super) struct BodyLender(Arc<Mutex<Option<ClientBody>>>);

impl BodyLender {
    pub(super) fn new(body: ClientBody) -> Self {
        Self(Arc::new(Mutex::new(Some(body))))
    }

    /// For one attempt to send it.
    pub(super) fn lend(&self) -> LentBody {
        LentBody { waiting: Some(self.clone()), taken: None }
    }

    /// Whether nobody has taken it.
    pub(super) fn is_there(&self) -> bool {
        self.body().is_some()
    }

    fn body(&self) -> MutexGuard<'_, Option<ClientBody>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body for one attempt; nothing, where there is none.
#[derive(Default)]
pub(super) struct LentBody {
    waiting: Option<BodyLender>,
    taken: Option<ClientBody>,
}

impl Body for LentBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(lender) = self.waiting.take() {
            self.taken = lender.body().take();
        }
        match &mut self.taken {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match (&self.taken, &self.waiting) {
            (Some(body), _) => body.is_end_stream(),
            (None, Some(lender)) => lender.body().as_ref().is_none_or(Body::is_end_stream),
            (None, None) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        let nothing = || SizeHint::with_exact(0);
        match (&self.taken, &self.waiting) {
            (Some(body), _) => body.size_hint(),
            (None, Some(lender)) => lender.body().as_ref().map_or_else(nothing, Body::size_hint),
            (None, None) => nothing(),
        }
    }
}
