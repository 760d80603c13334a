//! One worker's connections to the backends: kept while idle, and one attempt at a request over one of them.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anynode_core::balance::{Answer, Choice};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, Response};
use tokio::time::sleep;

use tracing::debug;

use crate::backends::Target;
use crate::body::RequestBody;
use crate::clock::Clock;
use crate::config::Limits;
use crate::connect::connect;
use crate::lazy_timer::{Elapsed, LazyTimer};

/// How often a worker looks for idle connections to close, at most.
const SWEEP_PERIOD_LEAST: Duration = Duration::from_millis(100);

/// One worker's connections to all backends.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// By the number of the backend's seat, the longest idle first.
    idle: Mutex<BTreeMap<u64, Vec<Idle>>>,
    clock: Clock,
    limits: Limits,
}

#[derive(Debug)]
struct Idle {
    sender: SendRequest<RequestBody>,
    since: Duration,
}

/// A connection while an answer comes over it.
#[derive(Debug)]
pub(crate) struct Lease {
    /// None if no other request may come over it.
    sender: Option<SendRequest<RequestBody>>,
    target: Target,
    upstream: Arc<Upstream>,
}

/// Which connection an attempt may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// An idle one if there is one; the request can be sent again if it turns out to be closed.
    Idle,
    /// An idle one, after everything the kernel knows about closed connections was heard.
    ///
    /// For requests that must not be sent twice.
    IdleAfterCheck,
    /// A new one.
    New,
}

/// What became of an attempt.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The head of the answer is here.
    Answered(Response<Incoming>, SendRequest<RequestBody>),
    /// No byte was written: the request is as it was.
    NotSent(Request<RequestBody>),
    /// The request was written, and the connection closed without an answer.
    Silence,
    /// The request was written, and something went wrong that is not the end of the connection.
    Failed,
    /// The client's body is none, or ended before its end.
    BadBody,
    /// The backend said nothing for too long after the whole request, or stopped reading in the middle of it.
    BackendTimedOut,
    /// The client sent nothing for too long in the middle of its request's body.
    ClientTimedOut,
}

// === impl Upstream ===

impl Upstream {
    pub(crate) fn new(clock: Clock, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            idle: Mutex::default(),
            clock,
            limits,
        })
    }

    /// Tries the request at one backend, once.
    ///
    /// Idle connections that turn out to be closed before anything was written are passed over.
    pub(crate) async fn attempt(
        &self,
        target: &Target,
        mut request: Request<RequestBody>,
        via: Via,
        timer: &LazyTimer,
    ) -> Outcome {
        if via == Via::IdleAfterCheck {
            // A current-thread runtime polls its sockets before it resumes a
            // task that yielded, and the connections' own tasks run first:
            // whatever a backend closed by now is no longer taken for idle.
            tokio::task::yield_now().await;
        }
        if via != Via::New {
            while let Some(sender) = self.take_idle(target) {
                match self.exchange(sender, target, request, timer).await {
                    Outcome::NotSent(back) => request = back,
                    outcome => return outcome,
                }
            }
        }
        let Some(sender) = connect(target, &self.limits).await else {
            return Outcome::NotSent(request);
        };
        let outcome = self.exchange(sender, target, request, timer).await;
        // On an idle connection it may only mean that the backend had just closed it.
        if matches!(outcome, Outcome::Silence) {
            target.answered(Answer::Missing);
        }
        outcome
    }

    /// Keeps a connection and its backend as long as an answer comes over it.
    pub(crate) fn lease(
        self: &Arc<Self>,
        sender: SendRequest<RequestBody>,
        target: Target,
    ) -> Lease {
        Lease {
            sender: Some(sender),
            target,
            upstream: Arc::clone(self),
        }
    }

    /// Closes connections that were idle for too long, or whose backend is gone; never returns.
    pub(crate) async fn sweep(self: Arc<Self>) {
        loop {
            sleep(self.limits.idle_timeout.max(SWEEP_PERIOD_LEAST)).await;
            let now = self.clock.now();
            self.lock().retain(|_, idle| {
                idle.retain(|idle| self.is_usable(idle, now));
                !idle.is_empty()
            });
        }
    }

    async fn exchange(
        &self,
        mut sender: SendRequest<RequestBody>,
        target: &Target,
        request: Request<RequestBody>,
        timer: &LazyTimer,
    ) -> Outcome {
        let progress = request.body().progress();
        let mut frames_seen = 0;
        let mut answer = pin!(sender.try_send_request(request));
        loop {
            let answered = timer.timeout(self.limits.answer_timeout, answer.as_mut());
            match answered.await {
                Ok(Ok(response)) => {
                    target.answered(Answer::of(response.status().as_u16()));
                    return Outcome::Answered(response, sender);
                }
                Ok(Err(mut refused)) => {
                    let is_broken = progress.is_some_and(|progress| progress.is_broken());
                    return match refused.take_message() {
                        Some(request) => Outcome::NotSent(request),
                        None if is_broken => Outcome::BadBody,
                        None => after_writing(target, &refused.into_error()),
                    };
                }
                Err(Elapsed) => {}
            }
            let Some(progress) = &progress else {
                target.answered(Answer::Missing);
                return Outcome::BackendTimedOut;
            };
            // An upload may take as long as it likes while it moves.
            let frames = progress.frames();
            if frames == frames_seen {
                return if progress.awaits_client() {
                    Outcome::ClientTimedOut
                } else {
                    target.answered(Answer::Missing);
                    Outcome::BackendTimedOut
                };
            }
            frames_seen = frames;
        }
    }

    /// Takes the connection that was used last, so that those not needed get old and are closed.
    fn take_idle(&self, target: &Target) -> Option<SendRequest<RequestBody>> {
        let now = self.clock.now();
        let mut idle = self.lock();
        let idle = idle.get_mut(&target.serial())?;
        let usable = |idle: &Idle| idle.sender.is_ready() && self.is_usable(idle, now);
        let newest = idle.iter().rposition(usable)?;
        Some(idle.remove(newest).sender)
    }

    fn put_idle(&self, sender: SendRequest<RequestBody>, target: Target) {
        let now = self.clock.now();
        let serial = target.serial();
        if !target.finish() || sender.is_closed() {
            return;
        }
        let mut idle = self.lock();
        let idle = idle.entry(serial).or_default();
        if idle.len() >= self.limits.idle_per_backend_max {
            idle.retain(|idle| self.is_usable(idle, now));
        }
        if idle.len() < self.limits.idle_per_backend_max {
            idle.push(Idle { sender, since: now });
        }
    }

    fn is_usable(&self, idle: &Idle, now: Duration) -> bool {
        !idle.sender.is_closed() && now < idle.since + self.limits.idle_timeout
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<Idle>>> {
        self.idle
            .lock()
            .expect("no holder of a worker's idle connections panics")
    }
}

/// Tells a connection that just ended from everything else that goes wrong after writing.
fn after_writing(target: &Target, error: &hyper::Error) -> Outcome {
    debug!(backend = target.name(), %error, "no answer");
    let ended = error.is_incomplete_message() || error.is_canceled() || error.is_closed();
    let outcome = match io_error(error) {
        _ if ended => return Outcome::Silence,
        Some(
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe,
        ) => return Outcome::Silence,
        Some(io::ErrorKind::TimedOut) => Outcome::BackendTimedOut,
        _ => Outcome::Failed,
    };
    // A request's body that ended early is its client's doing.
    if !error.is_user() {
        target.answered(Answer::Missing);
    }
    outcome
}

fn io_error(error: &hyper::Error) -> Option<io::ErrorKind> {
    let source = error.source()?.downcast_ref::<io::Error>()?;
    Some(source.kind())
}

// === impl Lease ===

impl Lease {
    /// Keeps the connection for another request.
    pub(crate) fn give_back(self) {
        if let Some(sender) = self.sender {
            self.upstream.put_idle(sender, self.target);
        }
    }

    /// Says that the connection is to end with this answer.
    pub(crate) fn close(&mut self) {
        self.sender = None;
    }

    /// The backend that answers.
    pub(crate) fn choice(&self) -> Choice {
        self.target.choice()
    }

    /// Gives up the connection; its backend counts as busy as long as the target is held.
    pub(crate) fn into_target(self) -> Target {
        self.target
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc::{Receiver, channel};

    use hyper::Method;

    use anynode_core::balance::{Patience, Rules};

    use super::*;
    use crate::affinity::Claim;
    use crate::backends::{Backends, Chosen};
    use crate::config::Backend;

    /// Answers the first request of every connection and hands the connection over, still open.
    fn backend() -> (Backend, Receiver<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, answered) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]).unwrap();
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(answer).unwrap();
                // The test may have ended with what it wanted to know.
                let _ = connections.send(stream);
            }
        });
        (Backend::new("n1", address), answered)
    }

    fn post() -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::Empty);
        *request.method_mut() = Method::POST;
        request
    }

    /// Leaves one idle connection, lets the backend close it, and asks before the runtime could hear of it.
    async fn asked_when_just_closed(via: Via) -> Outcome {
        let (backend, answered) = backend();
        let (clock, timer) = (
            Clock::start(),
            LazyTimer::new(tokio::runtime::Handle::current()),
        );
        let backends = Backends::new(vec![backend], Rules::default(), 0, clock).unwrap();
        let upstream = Upstream::new(clock, Limits::default());
        let target = || match backends.choose(Claim::None, &[], Patience::Over, None).0 {
            Chosen::Target(target) => target,
            other => panic!("{other:?}"),
        };
        let first = target();
        let serial = first.serial();
        let outcome = upstream.attempt(&first, post(), Via::New, &timer).await;
        let Outcome::Answered(_, sender) = outcome else {
            panic!("the backend answers the first request");
        };
        upstream.lease(sender, first).give_back();
        while !upstream.lock()[&serial][0].sender.is_ready() {
            tokio::task::yield_now().await;
        }
        drop(answered.recv().unwrap());
        upstream.attempt(&target(), post(), via, &timer).await
    }

    #[tokio::test]
    async fn a_connection_the_backend_closed_is_not_used_for_what_must_not_be_sent_twice() {
        let unchecked = asked_when_just_closed(Via::Idle).await;
        assert!(matches!(unchecked, Outcome::Silence), "{unchecked:?}");
        let checked = asked_when_just_closed(Via::IdleAfterCheck).await;
        assert!(matches!(checked, Outcome::Answered(..)), "{checked:?}");
    }
}
