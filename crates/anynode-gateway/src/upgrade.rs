//! WebSockets: the handshake passes as a request, and afterwards bytes pass both ways until either side ends.
//!
//! No other protocol may be switched to, so that nobody leaves HTTP unseen (RUSTSEC-2026-0033 is such a case).

use std::sync::Arc;

use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, HeaderValue, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper::{HeaderMap, Method, Request, Response, Version};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tracing::debug;

use crate::forwarded::list_contains;
use crate::worker::OpenConnection;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Returns the client's side of a WebSocket handshake, `None` for any other request.
pub(crate) fn asked_for(request: &mut Request<Incoming>) -> Option<OnUpgrade> {
    let is_handshake = request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && request.body().is_end_stream()
        && list_contains(request.headers(), &CONNECTION, "upgrade")
        && is_websocket(request.headers());
    is_handshake.then(|| hyper::upgrade::on(request))
}

/// Puts back the two fields that were removed as being about one connection.
pub(crate) fn mark(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, WEBSOCKET);
}

/// Tells whether a backend's 101 (Switching Protocols) switches to what was asked for.
pub(crate) fn is_websocket(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(UPGRADE).iter();
    let only = values.next().filter(|_| values.next().is_none());
    only.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes()))
}

/// Passes bytes both ways once both sides have switched; the client's connection counts as open until then.
pub(crate) fn tunnel(
    client: OnUpgrade,
    response: &mut Response<Incoming>,
    open: Arc<OpenConnection>,
) {
    let backend = hyper::upgrade::on(response);
    tokio::spawn(async move {
        let _open = open;
        let (client, backend) = match tokio::try_join!(client, backend) {
            Ok(sides) => sides,
            Err(error) => {
                debug!(%error, "a websocket was not switched to");
                return;
            }
        };
        let (mut client, mut backend) = (TokioIo::new(client), TokioIo::new(backend));
        if let Err(error) = copy_bidirectional(&mut client, &mut backend).await {
            debug!(%error, "a websocket ended");
        }
    });
}
