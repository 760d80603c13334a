//! The two bodies that stream through the gateway, frame by frame, each pulled only as fast as its receiver reads.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use crate::upstream::Lease;

/// The body of a request on its way to a backend.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// There is none, so the request can be written again.
    Empty,
    /// It can be read once.
    Streaming {
        body: Incoming,
        progress: Arc<Progress>,
    },
}

/// How far a request's body has come, to tell a slow upload from a silent one.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    frames: AtomicU64,
    ended: AtomicBool,
}

/// The body of an answer on its way to the client.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    /// A backend's; the connection it comes from is given back when it ends.
    Backend {
        body: Incoming,
        lease: Option<Lease>,
    },
    /// The gateway's own.
    Text(Option<Bytes>),
}

// === impl RequestBody ===

impl RequestBody {
    pub(crate) fn new(body: Incoming) -> Self {
        if body.is_end_stream() {
            return Self::Empty;
        }
        Self::Streaming {
            body,
            progress: Arc::default(),
        }
    }

    pub(crate) fn progress(&self) -> Option<Arc<Progress>> {
        match self {
            Self::Empty => None,
            Self::Streaming { progress, .. } => Some(Arc::clone(progress)),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self::Streaming { body, progress } = self.get_mut() else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(&mut *body).poll_frame(context));
        progress.frames.fetch_add(1, Ordering::Relaxed);
        if frame.is_none() || body.is_end_stream() {
            progress.ended.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streaming { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streaming { body, .. } => body.size_hint(),
        }
    }
}

// === impl Progress ===

impl Progress {
    pub(crate) fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}

// === impl AnswerBody ===

impl AnswerBody {
    pub(crate) fn text(text: &'static str) -> Self {
        Self::Text(Some(Bytes::from_static(text.as_bytes())))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Backend { body, .. } => Pin::new(body).poll_frame(context),
            Self::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Backend { body, .. } => body.is_end_stream(),
            Self::Text(text) => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Backend { body, .. } => body.size_hint(),
            Self::Text(None) => SizeHint::with_exact(0),
            Self::Text(Some(text)) => {
                SizeHint::with_exact(u64::try_from(text.len()).unwrap_or(u64::MAX))
            }
        }
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        // A body that was dropped before its end leaves the rest of it on the
        // connection: dropping the lease closes that connection.
        if let Self::Backend { body, lease } = self
            && body.is_end_stream()
            && let Some(lease) = lease.take()
        {
            lease.give_back();
        }
    }
}
