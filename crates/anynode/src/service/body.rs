//! The body of a response: its last byte waits for what was written while it streamed.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use pin_project_lite::pin_project;

use crate::{error::SessionError, session::Session};

pin_project! {
    /// The body of a response whose handler kept its session and streams.
    ///
    /// Changes are written before the frame that completes the body is let go, so a client
    /// that has read everything reads its own writes on any node. If they cannot be written
    /// the body ends in an error.
    #[derive(Debug)]
    pub struct SessionBody<B> {
        #[pin]
        kind: BodyKind<B>,
    }
}

pin_project! {
    #[project = Kinds]
    enum BodyKind<B> {
        Guarded {
            #[pin]
            body: B,
            guard: Guard,
        },
        Answer { text: Option<Bytes> },
    }
}

/// A body type that can hold a [`SessionBody`] of its own kind: boxed bodies can.
///
/// A response that needs no guard keeps its body as it is, so sessions cost a plain response
/// nothing. A service with another body type is boxed first, with `tower_http::map_response_body`
/// for instance.
pub trait GuardedBody: Body<Data = Bytes> + Sized {
    /// Boxes the guarded body.
    fn from_session(body: SessionBody<Self>) -> Self;
}

#[cfg(feature = "axum")]
impl GuardedBody for axum_core::body::Body {
    fn from_session(body: SessionBody<Self>) -> Self {
        Self::new(body)
    }
}

impl GuardedBody for UnsyncBoxBody<Bytes, BoxError> {
    fn from_session(body: SessionBody<Self>) -> Self {
        Self::new(body)
    }
}

struct Guard {
    session: Session,
    /// Bytes that the announced length still leaves.
    left: Option<u64>,
    stage: Stage,
}

enum Stage {
    /// Changes may still be recorded.
    Streaming,
    /// What was recorded is being written; the frame that completes the body waits for it.
    Writing {
        writing: Pin<Box<dyn Future<Output = Result<(), SessionError>> + Send>>,
        held: Option<Frame<Bytes>>,
    },
    /// The client may have read everything; what comes now are trailers.
    Written,
    Done,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

// === impl SessionBody ===

impl<B> SessionBody<B> {
    pub(super) fn guarded(body: B, session: Session, length: Option<u64>) -> Self {
        let guard = Guard {
            session,
            left: length,
            stage: Stage::Streaming,
        };
        Self {
            kind: BodyKind::Guarded { body, guard },
        }
    }

    pub(super) fn answer(text: &'static str) -> Self {
        let text = Some(Bytes::from_static(text.as_bytes()));
        Self {
            kind: BodyKind::Answer { text },
        }
    }
}

impl<B> Body for SessionBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            Kinds::Guarded { body, guard } => guard.poll_frame(body, context),
            Kinds::Answer { text } => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            BodyKind::Guarded { guard, body } => match guard.stage {
                Stage::Streaming | Stage::Writing { .. } => false,
                Stage::Written => body.is_end_stream(),
                Stage::Done => true,
            },
            BodyKind::Answer { text } => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            BodyKind::Guarded { body, .. } => body.size_hint(),
            BodyKind::Answer { text } => {
                let bytes = text.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(bytes).unwrap_or(u64::MAX))
            }
        }
    }
}

// === impl Guard ===

impl Guard {
    fn poll_frame<B>(
        &mut self,
        mut body: Pin<&mut B>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        loop {
            match &mut self.stage {
                Stage::Done => return Poll::Ready(None),
                Stage::Written => return body.poll_frame(context).map_err(Into::into),
                Stage::Writing { writing, held } => {
                    let written = ready!(writing.as_mut().poll(context));
                    let held = held.take();
                    return Poll::Ready(match (written, held) {
                        (Ok(()), Some(frame)) => {
                            self.stage = Stage::Written;
                            Some(Ok(frame))
                        }
                        (Ok(()), None) => {
                            self.stage = Stage::Done;
                            None
                        }
                        (Err(error), _) => {
                            self.stage = Stage::Done;
                            self.session.abandon();
                            Some(Err(error.into()))
                        }
                    });
                }
                Stage::Streaming => {
                    let frame = match ready!(body.as_mut().poll_frame(context)) {
                        Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                        Some(Ok(frame)) => frame,
                        None => {
                            self.end(None);
                            continue;
                        }
                    };
                    if !self.completes(&frame, body.is_end_stream()) {
                        return Poll::Ready(Some(Ok(frame)));
                    }
                    self.end(Some(frame));
                }
            }
        }
    }

    /// Whether a client that has read this frame has read everything.
    fn completes(&mut self, frame: &Frame<Bytes>, ended: bool) -> bool {
        if let (Some(left), Some(data)) = (&mut self.left, frame.data_ref()) {
            let bytes = u64::try_from(data.remaining()).unwrap_or(u64::MAX);
            *left = left.saturating_sub(bytes);
        }
        if anynode_core::planted("last_byte_before_write") {
            return false;
        }
        ended || self.left == Some(0) || frame.is_trailers()
    }

    fn end(&mut self, held: Option<Frame<Bytes>>) {
        let session = self.session.clone();
        let writing = Box::pin(async move { session.finish_body().await });
        self.stage = Stage::Writing { writing, held };
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // The client is gone or the handler failed: from now on every change is written by
        // the call that makes it. What was recorded before is dropped with the request.
        self.session.abandon();
    }
}

impl<B> std::fmt::Debug for BodyKind<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Guarded { .. } => "Guarded",
            Self::Answer { .. } => "Answer",
        })
    }
}
