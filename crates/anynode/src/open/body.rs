//! A body that breaks off when the session of its connection ends.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{OpenConnection, guard::Guard};

pin_project! {
    /// The bytes of a body until its connection has to be closed; from [`OpenConnection::body`].
    ///
    /// It ends in the [`Ending`](crate::Ending) as an error then, once.
    pub struct OpenBody<B> {
        #[pin]
        body: B,
        guard: Option<Guard>,
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

// === impl OpenBody ===

impl<B> OpenBody<B> {
    pub(super) fn new(connection: OpenConnection, body: B) -> Self {
        let guard = Some(Guard::new(&connection));
        Self { body, guard }
    }
}

impl<B> Body for OpenBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let this = self.project();
        let Some(guard) = this.guard else {
            return Poll::Ready(None);
        };
        match ready!(guard.poll_pass(context)) {
            Ok(()) => this.body.poll_frame(context).map_err(Into::into),
            Err(ending) => {
                *this.guard = None;
                Poll::Ready(Some(Err(ending.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.guard.is_none() || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> fmt::Debug for OpenBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenBody").finish_non_exhaustive()
    }
}
