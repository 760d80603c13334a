//! The service around an application: session in, cookie out.

mod body;
mod head;

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_service::Service;

pub use self::body::{GuardedBody, SessionBody};
use crate::{
    cookie::{Glance, Presented, Transport},
    csrf,
    error::SessionError,
    layer::Shared,
    session::{Head, Phase, Session},
};

/// Gives every request its session; built by [`SessionLayer`](crate::SessionLayer).
#[derive(Clone, Debug)]
pub struct SessionService<S> {
    inner: S,
    shared: Arc<Shared>,
}

pin_project! {
    /// The response of a [`SessionService`], once the handler has answered and everything it
    /// changed is written.
    #[must_use = "futures do nothing unless polled"]
    pub struct SessionFuture<F, B> {
        #[pin]
        stage: Stage<F, B>,
        attended: Option<Attended>,
    }
}

pin_project! {
    #[project = Stages]
    enum Stage<F, B> {
        // The request never reached the handler.
        Refused { response: Option<Response<B>> },
        // The handler runs.
        Handling {
            #[pin]
            handler: F,
        },
        // The handler has answered; what it changed is being written.
        Writing {
            writing: Pin<Box<dyn Future<Output = Result<Head, SessionError>> + Send>>,
            response: Option<Response<B>>,
            next: Phase,
        },
    }
}

/// The session of a request whose response is awaited. If that never comes, because the client
/// went away or the handler panicked, tasks that hold the session write for themselves.
struct Attended(Session);

/// Why a request does not reach the handler.
enum Refusal {
    CookiesTooLarge,
    NotLoopback,
    CrossSite,
}

// === impl SessionService ===

impl<S> SessionService<S> {
    pub(crate) fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }

    /// What the request presents, or why it goes no further.
    fn admit<R>(&self, request: &mut Request<R>) -> Result<Glance, Refusal> {
        let config = &self.shared.config;
        if config.cookie.transport() == Transport::Loopback && !head::is_loopback(request) {
            return Err(Refusal::NotLoopback);
        }
        let glance = config.cookie.glance(request.headers_mut());
        let candidate = match &glance.presented {
            // A browser sends an oversized jar for ever; the answer lets it recover.
            Presented::TooLarge => return Err(Refusal::CookiesTooLarge),
            Presented::Candidate(candidate) => Some(candidate),
            Presented::Nothing | Presented::Malformed | Presented::Ambiguous => None,
        };
        if let Err(csrf::CrossSite) = config.csrf.check(request, candidate, glance.upgrade) {
            return Err(Refusal::CrossSite);
        }
        Ok(glance)
    }
}

impl<S, R, B> Service<Request<R>> for SessionService<S>
where
    S: Service<Request<R>, Response = Response<B>>,
    B: GuardedBody,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = SessionFuture<S::Future, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        self.shared.maintain();
        let glance = match self.admit(&mut request) {
            Ok(glance) => glance,
            Err(refusal) => {
                let response = Some(refusal.response(&self.shared));
                return SessionFuture {
                    stage: Stage::Refused { response },
                    attended: None,
                };
            }
        };
        let is_ambiguous = matches!(glance.presented, Presented::Ambiguous);
        let session = Session::arrived(self.shared.clone(), &request, glance);
        if is_ambiguous {
            metrics::counter!("anynode_duplicate_cookies_total").increment(1);
            tracing::warn!("a request bore two session cookies; it was given no session");
            session.clear_cookie();
        }
        request.extensions_mut().insert(session.clone());
        let handler = self.inner.call(request);
        SessionFuture {
            stage: Stage::Handling { handler },
            attended: Some(Attended(session)),
        }
    }
}

// === impl SessionFuture ===

impl<F, B, E> Future for SessionFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: GuardedBody,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut stage = this.stage;
        let session = this.attended.as_ref().map(|attended| &attended.0);
        loop {
            let next = match stage.as_mut().project() {
                Stages::Refused { response } => {
                    let response = response.take();
                    return Poll::Ready(Ok(response.expect("polled once after it is ready")));
                }
                Stages::Handling { handler } => {
                    let response = ready!(handler.poll(context))?;
                    let session = session.expect("a request in its handler has a session");
                    if session.is_over_unused() {
                        return Poll::Ready(Ok(response));
                    }
                    let next = phase_after_head(&response, session);
                    if session.leave_untouched(next) {
                        return Poll::Ready(Ok(guard(response, session, next)));
                    }
                    let status = response.status();
                    if let Some(head) = session.finish_head_at_once(status, next) {
                        return Poll::Ready(Ok(head::finish(response, session, Ok(head), next)));
                    }
                    let writer = session.clone();
                    let writing = async move { writer.finish_head(status, next).await };
                    if anynode_core::planted("head_before_write") {
                        let head = Ok(session.head());
                        tokio::spawn(writing);
                        return Poll::Ready(Ok(head::finish(response, session, head, next)));
                    }
                    Stage::Writing {
                        writing: Box::pin(writing),
                        response: Some(response),
                        next,
                    }
                }
                Stages::Writing {
                    writing,
                    response,
                    next,
                } => {
                    let head = ready!(writing.as_mut().poll(context));
                    let session = session.expect("a request that writes has a session");
                    let response = response.take().expect("polled once after it is ready");
                    return Poll::Ready(Ok(head::finish(response, session, head, *next)));
                }
            };
            stage.set(next);
        }
    }
}

impl<F, B> std::fmt::Debug for SessionFuture<F, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.stage {
            Stage::Refused { .. } => "SessionFuture(refused)",
            Stage::Handling { .. } => "SessionFuture(handling)",
            Stage::Writing { .. } => "SessionFuture(writing)",
        })
    }
}

// === impl Attended ===

impl Drop for Attended {
    fn drop(&mut self) {
        if !self.0.is_over_unused() {
            self.0.abandon_head();
        }
    }
}

// === impl Refusal ===

impl Refusal {
    fn response<B: GuardedBody>(&self, shared: &Shared) -> Response<B> {
        let (status, reason, text) = match self {
            Self::CookiesTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "cookies_too_large",
                "The cookies of this site are too large; they are being cleared.",
            ),
            Self::NotLoopback => (
                StatusCode::MISDIRECTED_REQUEST,
                "not_loopback",
                "This server is set up for development on its own machine only.",
            ),
            Self::CrossSite => (
                StatusCode::FORBIDDEN,
                "cross_site",
                "This request seems to come from another site.",
            ),
        };
        metrics::counter!("anynode_requests_refused_total", "reason" => reason).increment(1);
        tracing::warn!(reason, "a request was refused");
        let mut response = head::answer(status, text);
        if let Self::CookiesTooLarge = self {
            head::clear_cookies(&mut response, &shared.config.cookie);
        }
        response
    }
}

/// What the session's changes belong to once the head of this response has left: a handler
/// that streams keeps its session, and whoever keeps none needs no guard on the body.
fn phase_after_head<B: GuardedBody>(response: &Response<B>, session: &Session) -> Phase {
    let has_body = session.may_have_body()
        && !matches!(
            response.status(),
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::SWITCHING_PROTOCOLS
        )
        && !response.body().is_end_stream();
    // The future's own handle is the one that is not counted as another's.
    if has_body && session.has_other_holders() {
        return Phase::Body;
    }
    Phase::Finished
}

fn guard<B: GuardedBody>(response: Response<B>, session: &Session, next: Phase) -> Response<B> {
    if next != Phase::Body {
        return response;
    }
    let length = head::content_length(&response);
    let session = session.clone();
    response.map(|body| B::from_session(SessionBody::guarded(body, session, length)))
}
