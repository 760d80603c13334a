//! The two bodies that stream through the gateway, frame by frame, each pulled only as fast as its receiver reads.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use tokio::time::{Sleep, sleep};

use crate::forwarded::strip_trailers;
use crate::upstream::Lease;

/// Why a body ended before its end.
type BodyError = Box<dyn Error + Send + Sync>;

/// The body of a request on its way to a backend.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// There is none, so the request can be written again.
    Empty,
    /// It can be read once.
    Streaming {
        body: Incoming,
        progress: Arc<Progress>,
        silence: Silence,
    },
}

/// How far a request's body has come, and who keeps it from coming further.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    frames: AtomicU64,
    awaits_client: AtomicBool,
    broken: AtomicBool,
}

/// The body of an answer on its way to the client.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    /// A backend's; the connection it comes from is given back when it ends.
    Backend {
        body: Incoming,
        lease: Option<Lease>,
        silence: Silence,
    },
    /// The gateway's own.
    Text(Option<Bytes>),
}

/// How long nothing has come.
#[derive(Debug)]
pub(crate) struct Silence {
    timeout: Duration,
    /// Begun when first there was nothing to read, which for most bodies never happens.
    waited: Option<Pin<Box<Sleep>>>,
    /// Whether something came since `waited` was begun.
    moved: bool,
}

// === impl RequestBody ===

impl RequestBody {
    pub(crate) fn new(body: Incoming, silence_timeout: Duration) -> Self {
        if body.is_end_stream() {
            return Self::Empty;
        }
        Self::Streaming {
            body,
            progress: Arc::default(),
            silence: Silence::new(silence_timeout),
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
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self::Streaming {
            body,
            progress,
            silence,
        } = self.get_mut()
        else {
            return Poll::Ready(None);
        };
        let frame = silence.poll_frame(body, context);
        // The body is asked only while there is room for more on the way to the backend.
        let awaits_client = frame.is_pending();
        progress
            .awaits_client
            .store(awaits_client, Ordering::Relaxed);
        if matches!(frame, Poll::Ready(Some(Err(_)))) {
            progress.broken.store(true, Ordering::Relaxed);
        }
        if !awaits_client {
            progress.frames.fetch_add(1, Ordering::Relaxed);
        }
        frame
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

    /// Tells whether the backend would take more than the client has sent.
    pub(crate) fn awaits_client(&self) -> bool {
        self.awaits_client.load(Ordering::Relaxed)
    }

    /// Tells whether what the client sent is no body, or ended before its end.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }
}

// === impl Silence ===

impl Silence {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            waited: None,
            moved: false,
        }
    }

    /// Takes the next frame, or an error when nothing has come for too long.
    fn poll_frame(
        &mut self,
        body: &mut Incoming,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(context) {
            self.moved = true;
            let frame = frame.map(|frame| frame.map(believable).map_err(BodyError::from));
            return Poll::Ready(frame);
        }
        loop {
            let waited = self.waited.get_or_insert_with(|| {
                self.moved = false;
                Box::pin(sleep(self.timeout))
            });
            ready!(waited.as_mut().poll(context));
            self.waited = None;
            if !self.moved {
                return Poll::Ready(Some(Err("nothing came for too long".into())));
            }
        }
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
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Backend {
                body,
                lease,
                silence,
            } => {
                let frame = ready!(silence.poll_frame(body, context));
                match &frame {
                    // Only this tells that a body of unknown length is whole. Nothing follows
                    // trailers, so after them nobody asks.
                    None => give_back(lease),
                    Some(Ok(frame)) if frame.is_trailers() => give_back(lease),
                    Some(Ok(_)) => {}
                    Some(Err(_)) => *lease = None,
                }
                Poll::Ready(frame)
            }
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
        if let Self::Backend { body, lease, .. } = self
            && body.is_end_stream()
        {
            give_back(lease);
        }
    }
}

/// Takes out of trailers what must not come that late.
fn believable(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            strip_trailers(&mut trailers);
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    }
}

fn give_back(lease: &mut Option<Lease>) {
    if let Some(lease) = lease.take() {
        lease.give_back();
    }
}
