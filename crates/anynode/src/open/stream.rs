//! A stream that ends with the session of its connection.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::{OpenConnection, guard::Guard};

pin_project! {
    /// The items of a stream until its connection has to be closed; from
    /// [`OpenConnection::stream`].
    pub struct OpenStream<S> {
        #[pin]
        stream: S,
        guard: Guard,
    }
}

// === impl OpenStream ===

impl<S> OpenStream<S> {
    pub(super) fn new(connection: OpenConnection, stream: S) -> Self {
        let guard = Guard::new(&connection);
        Self { stream, guard }
    }
}

impl<S: Stream> Stream for OpenStream<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        match ready!(this.guard.poll_pass(context)) {
            Ok(()) => this.stream.poll_next(context),
            Err(_) => Poll::Ready(None),
        }
    }
}

impl<S> fmt::Debug for OpenStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenStream").finish_non_exhaustive()
    }
}
