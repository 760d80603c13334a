//! Connections that outlive their request: WebSockets, event streams and long responses.

mod body;
mod guard;
mod stream;

use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    sync::{Arc, PoisonError},
    task::{Poll, ready},
    time::Duration,
};

use anynode_core::{
    Live,
    near::{Ending, OpenConnections},
};

use self::guard::Guard;
pub use self::{body::OpenBody, stream::OpenStream};
use crate::{clock::boot_time, config::FailurePolicy, layer::Shared, near_cache::Hold};

/// A connection that stays open after its request was answered, and that has to be closed when
/// its session ends: from [`Session::open_connection`](crate::Session::open_connection).
///
/// What ends the session ends the connection, on whichever node that happens: a logout, a
/// revocation of all sessions of the user, a deadline, an operator who deletes the record by
/// hand. So does a login under the session; the replacement of its secret does not.
///
/// The node hears of it through the channel of its store, which takes about a millisecond on
/// Redis and some ten on PostgreSQL, and asks nobody while it hears: open connections cost the
/// store nothing. Where the channel is silent the store is asked before the lease has run out,
/// L = 1 second. Where that does not answer either, the connection is closed with
/// [`Ending::Unknown`] at L + 1 second after the last time that anything was known. So an end
/// that the store acknowledged at T has closed every connection by T + L + D + 1 second, whatever
/// fails, and nothing passes one after that, also on a node that stood still meanwhile. D is for
/// how long a deposed primary of the store may still answer.
///
/// While the store cannot be reached, connections follow the
/// [`FailurePolicy`](crate::FailurePolicy): under `ReadOnlyStale(d)` they stay for `d`, under the
/// others for the second above. Clients then come again, and are answered 503.
///
/// Being open is no use of the session: a page that nobody looks at any more is logged out when
/// its idle timeout has gone by. What the client says is, so call [`OpenConnection::used`] for
/// each of its messages.
///
/// A clone is another connection of the same session; all of them share one entry on the node.
///
/// # Example
/// An event stream of axum that ends with its session, and says why:
/// ```
/// # #[cfg(feature = "axum")] {
/// use anynode::{Session, SessionError};
/// use axum::response::{Sse, sse::Event};
/// use futures_util::{Stream, StreamExt, stream};
/// use std::convert::Infallible;
///
/// # fn news() -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static { stream::pending() }
/// async fn events(
///     session: Session,
/// ) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, SessionError> {
///     let connection = session.open_connection().await?;
///     let news = connection.clone().stream(news());
///     let last = stream::once(async move {
///         let ending = connection.ended().await;
///         Ok(Event::default().event("ended").data(ending.as_str()))
///     });
///     Ok(Sse::new(news.chain(last)))
/// }
/// # }
/// ```
///
/// A WebSocket; with axum, [`Ending::close_code`] goes into its close frame:
/// ```
/// # use anynode::{Ending, OpenConnection};
/// # struct Socket;
/// # impl Socket {
/// #     async fn next(&mut self) -> Option<String> { None }
/// #     async fn send(&mut self, _: String) {}
/// #     async fn close(&mut self, _: u16, _: &str) {}
/// # }
/// async fn serve(mut socket: Socket, connection: OpenConnection) {
///     let echo = async {
///         while let Some(message) = socket.next().await {
///             connection.used();
///             socket.send(message).await;
///         }
///     };
///     if let Err(ending) = connection.run(echo).await {
///         socket.close(ending.close_code(), ending.as_str()).await;
///     }
/// }
/// ```
#[derive(Clone)]
pub struct OpenConnection {
    hold: Hold,
    shared: Arc<Shared>,
    idle_timeout: Duration,
}

// === impl OpenConnection ===

impl OpenConnection {
    /// A connection of a session that was so as of `known`.
    pub(crate) fn new(shared: Arc<Shared>, live: &Live, known: Duration) -> Self {
        let near_cache = shared.near_cache();
        let patience = near_cache.term() + OpenConnections::GRACE;
        let patience = match shared.config.failure {
            FailurePolicy::ReadOnlyStale(age_max) => patience.max(age_max),
            FailurePolicy::FailClosed | FailurePolicy::Anonymous => patience,
        };
        Self {
            hold: near_cache.hold(live, known, patience),
            idle_timeout: live.record.idle_timeout,
            shared,
        }
    }

    /// Waits until the connection has to be closed.
    pub fn ended(&self) -> impl Future<Output = Ending> + Send + use<> {
        self.hold.ended()
    }

    /// Notes that the client has just used its session, by a message say. The store is told now
    /// and then, as of requests.
    pub fn used(&self) {
        let touches = self.shared.touches.lock();
        let mut touches = touches.unwrap_or_else(PoisonError::into_inner);
        touches.used(*self.hold.handle(), self.idle_timeout, boot_time());
    }

    /// Runs `serving` until it is done or the connection has to be closed; then it is dropped
    /// where it stands. It does not go on while it is not known whether the session lives.
    ///
    /// # Errors
    /// Why the connection has to be closed.
    pub async fn run<F: Future>(&self, serving: F) -> Result<F::Output, Ending> {
        let (mut guard, mut serving) = (Guard::new(self), pin!(serving));
        poll_fn(|context| match ready!(guard.poll_pass(context)) {
            Ok(()) => serving.as_mut().poll(context).map(Ok),
            Err(ending) => Poll::Ready(Err(ending)),
        })
        .await
    }

    /// The items of `stream` until the connection has to be closed; then it ends. For event
    /// streams.
    pub fn stream<S>(self, stream: S) -> OpenStream<S> {
        OpenStream::new(self, stream)
    }

    /// The bytes of `body` until the connection has to be closed; then it ends in an error, so
    /// that nobody takes a part for the whole. For long responses.
    pub fn body<B>(self, body: B) -> OpenBody<B> {
        OpenBody::new(self, body)
    }

    /// As [`OpenConnection::body`], for what an axum handler answers.
    #[cfg(feature = "axum")]
    pub fn response(
        self,
        response: impl axum_core::response::IntoResponse,
    ) -> axum_core::response::Response {
        let response = response.into_response();
        response.map(|body| axum_core::body::Body::new(self.body(body)))
    }
}

impl fmt::Debug for OpenConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenConnection")
            .field("handle", self.hold.handle())
            .finish_non_exhaustive()
    }
}
