//! One request, from the client's head to the backend's answer.

use std::mem;
use std::sync::Arc;

use anynode_core::balance::AddressPrefix;
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};

use crate::affinity::{Affinity, Claim};
use crate::backends::Backends;
use crate::body::{AnswerBody, RequestBody, Silence};
use crate::config::{AfterSilence, Limits};
use crate::counters::AffinityCounters;
use crate::forwarded::{self, Client, Glance, Peer};
use crate::heads::{
    check_answer, check_method, check_target, check_transfer_coding, host_of, may_bring_more,
};
use crate::lazy_timer::LazyTimer;
use crate::refusal::Refusal;
use crate::seeking::Seeking;
use crate::spare::Spare;
use crate::upgrade;
use crate::upstream::{Lease, Outcome, Upstream, Via};
use crate::worker::OpenConnection;

/// What every connection of one worker shares.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) backends: Backends,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) after_silence: AfterSilence,
    pub(crate) affinity: Arc<Affinity>,
    pub(crate) outcomes: Arc<AffinityCounters>,
    pub(crate) trusted_proxies: Arc<[AddressPrefix]>,
    pub(crate) limits: Limits,
}

// === impl Proxy ===

impl Proxy {
    /// Answers one request, by a backend if one can be reached.
    pub(crate) async fn answer(
        &self,
        peer: &Peer,
        open: &Arc<OpenConnection>,
        request: Request<Incoming>,
    ) -> Response<AnswerBody> {
        match self.pass(peer, open, request).await {
            Ok(response) => response,
            Err(refusal) => refusal.into_response(),
        }
    }

    async fn pass(
        &self,
        peer: &Peer,
        open: &Arc<OpenConnection>,
        mut request: Request<Incoming>,
    ) -> Result<Response<AnswerBody>, Refusal> {
        check_method(request.method())?;
        let glance = Glance::at(request.headers());
        check_transfer_coding(request.headers(), glance)?;
        check_target(
            request.method(),
            request.uri(),
            self.limits.target_bytes_max,
        )?;
        let host = host_of(&request, peer)?;
        let client = Client::of(request.headers(), peer.address(), &self.trusted_proxies);
        let websocket = if glance.hop_by_hop {
            upgrade::asked_for(&mut request)
        } else {
            None
        };

        to_origin_form(&mut request, &host);
        forwarded::prepare_request(request.headers_mut(), glance, &client, peer, &host);
        let silence_timeout = self.limits.silence_timeout;
        *request.version_mut() = Version::HTTP_11;
        request.extensions_mut().clear();
        let mut request = request.map(|body| RequestBody::new(body, silence_timeout));
        if websocket.is_some() {
            upgrade::mark(request.headers_mut());
        }
        let method = request.method().clone();
        let (headers, last_cookie) = (request.headers_mut(), &open.last_cookie);
        let claim = self.affinity.claim(headers, client.address(), last_cookie);
        let forwarded = self.forward(request, claim, &open.answer_timer).await;
        let (mut response, mut lease) = forwarded?;
        let glance = Glance::at(response.headers());
        if let Err(refusal) = check_answer(&response, glance) {
            if anynode_core::planted("reused_after_doubt") {
                lease.give_back();
            }
            // Without its lease the connection is closed: who knows what else comes over it.
            return Err(refusal);
        }

        if may_bring_more(&method, &response, glance) {
            lease.close();
        }
        let is_websocket = glance.hop_by_hop && upgrade::is_websocket(response.headers());
        forwarded::strip_hop_by_hop(response.headers_mut(), glance);
        self.affinity
            .mark(response.headers_mut(), claim, lease.choice());
        *response.version_mut() = Version::HTTP_11;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response.map(|body| AnswerBody::Backend {
                body,
                lease: Some(lease),
                silence: Silence::new(silence_timeout),
            }));
        }
        let client_side = websocket
            .filter(|_| is_websocket)
            .ok_or(Refusal::NoAnswer)?;
        upgrade::tunnel(
            client_side,
            &mut response,
            (Arc::clone(open), lease.into_target()),
            silence_timeout,
        );
        upgrade::mark(response.headers_mut());
        Ok(response.map(|_| AnswerBody::Text(None)))
    }

    /// Sends the request to one backend after the other until one has it.
    ///
    /// Another backend is tried only when nothing was sent, each at most once.
    /// The one exception is [`AfterSilence::RetrySafeOnce`].
    async fn forward(
        &self,
        mut request: Request<RequestBody>,
        claim: Claim,
        timer: &LazyTimer,
    ) -> Result<(Response<Incoming>, Lease), Refusal> {
        let mut seeking = Seeking::new(self, claim);
        let mut spare = self.spare(&request);
        let mut via = match spare {
            Some(_) => Via::Idle,
            None => Via::IdleAfterCheck,
        };
        loop {
            let target = seeking.next(timer).await?;
            match self.upstream.attempt(&target, request, via, timer).await {
                Outcome::Answered(response, sender) => {
                    return Ok((response, self.upstream.lease(sender, target)));
                }
                Outcome::NotSent(back) => {
                    seeking.unreachable(target);
                    request = back;
                }
                Outcome::Silence => {
                    let again = spare.take().ok_or(Refusal::NoAnswer)?;
                    request = again.into_request();
                    seeking.silent(&target);
                    // The other idle connections may be as dead as this one was.
                    via = Via::New;
                }
                Outcome::BadBody => return Err(Refusal::BadBody),
                Outcome::Failed => return Err(Refusal::NoAnswer),
                Outcome::BackendTimedOut => return Err(Refusal::BackendTimedOut),
                Outcome::ClientTimedOut => return Err(Refusal::ClientTimedOut),
            }
        }
    }

    /// A copy of a request that may be sent twice.
    fn spare(&self, request: &Request<RequestBody>) -> Option<Spare> {
        let is_safe = matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS
        );
        let is_safe = is_safe || anynode_core::planted("post_sent_twice");
        if self.after_silence == AfterSilence::Fail || !is_safe {
            return None;
        }
        Spare::of(request)
    }
}

/// Leaves of a target what a server expects, path and query, and names its host in the head.
fn to_origin_form(request: &mut Request<Incoming>, host: &HeaderValue) {
    if request.uri().authority().is_none() {
        return;
    }
    let uri = mem::take(request.uri_mut());
    let path = uri.into_parts().path_and_query;
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    request.headers_mut().insert(HOST, host.clone());
}
