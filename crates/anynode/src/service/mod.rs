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
    cookie::{Presented, Transport},
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
            session: Session,
        },
        // The handler has answered; what it changed is being written.
        Writing {
            writing: Pin<Box<dyn Future<Output = Result<Head, SessionError>> + Send>>,
            response: Option<Response<B>>,
            session: Session,
        },
    }
}

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
    fn admit<R>(&self, request: &Request<R>) -> Result<Presented, Refusal> {
        let config = &self.shared.config;
        if config.cookie.transport() == Transport::Loopback && !head::is_loopback(request) {
            return Err(Refusal::NotLoopback);
        }
        let presented = config.cookie.presented(request.headers());
        let candidate = match &presented {
            // A browser sends an oversized jar for ever; the answer lets it recover.
            Presented::TooLarge => return Err(Refusal::CookiesTooLarge),
            Presented::Candidate(candidate) => Some(candidate),
            Presented::Nothing | Presented::Malformed | Presented::Ambiguous => None,
        };
        if let Err(csrf::CrossSite) = config.csrf.check(request, candidate) {
            return Err(Refusal::CrossSite);
        }
        Ok(presented)
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
        let presented = match self.admit(&request) {
            Ok(presented) => presented,
            Err(refusal) => {
                let response = Some(refusal.response(&self.shared));
                return SessionFuture {
                    stage: Stage::Refused { response },
                };
            }
        };
        let candidate = match presented {
            Presented::Candidate(candidate) => Some(candidate),
            _ => None,
        };
        let session = Session::arrived(self.shared.clone(), &request, candidate);
        if let Presented::Ambiguous = presented {
            metrics::counter!("anynode_duplicate_cookies_total").increment(1);
            tracing::warn!("a request bore two session cookies; it was given no session");
            session.clear_cookie();
        }
        request.extensions_mut().insert(session.clone());
        let handler = self.inner.call(request);
        SessionFuture {
            stage: Stage::Handling { handler, session },
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
        let mut stage = self.project().stage;
        loop {
            let next = match stage.as_mut().project() {
                Stages::Refused { response } => {
                    let response = response.take();
                    return Poll::Ready(Ok(response.expect("polled once after it is ready")));
                }
                Stages::Handling { handler, session } => {
                    let response = ready!(handler.poll(context))?;
                    if session.is_untouched() {
                        return Poll::Ready(Ok(guard(response, session)));
                    }
                    let (status, writer) = (response.status(), session.clone());
                    Stage::Writing {
                        writing: Box::pin(async move { writer.finish_head(status).await }),
                        response: Some(response),
                        session: session.clone(),
                    }
                }
                Stages::Writing {
                    writing,
                    response,
                    session,
                } => {
                    let head = ready!(writing.as_mut().poll(context));
                    let response = response.take().expect("polled once after it is ready");
                    return Poll::Ready(Ok(head::finish(response, session, head)));
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

/// A handler that streams keeps its session; whoever keeps none needs no guard on the body.
fn guard<B: GuardedBody>(response: Response<B>, session: &Session) -> Response<B> {
    // The future's own handle is the one that is not counted as another's.
    if !session.has_other_holders() {
        return response;
    }
    if response.body().is_end_stream() {
        session.enter(Phase::Finished);
        return response;
    }
    session.enter(Phase::Body);
    let length = head::content_length(&response);
    let session = session.clone();
    response.map(|body| B::from_session(SessionBody::guarded(body, session, length)))
}
