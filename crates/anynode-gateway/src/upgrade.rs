//! WebSockets: the handshake passes as a request, and afterwards bytes pass both ways until either side ends.
//!
//! No other protocol may be switched to, so that nobody leaves HTTP unseen (RUSTSEC-2026-0033 is such a case).

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, HeaderValue, UPGRADE};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{HeaderMap, Method, Request, Response, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::timeout;
use tracing::debug;

use crate::backends::Target;
use crate::forwarded::list_contains;
use crate::wire_io::WireIo;
use crate::worker::OpenConnection;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// The bytes on their way in each direction of a WebSocket, besides what the kernel holds.
const TUNNEL_BUFFER_BYTES: usize = 8 * 1024;

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

/// Passes bytes both ways once both sides have switched; the client's connection counts as open until then, and its backend as busy.
///
/// It ends when both sides have ended, or when nothing came from either for `idle_timeout`.
pub(crate) fn tunnel(
    client: OnUpgrade,
    response: &mut Response<Incoming>,
    busy: (Arc<OpenConnection>, Target),
    idle_timeout: Duration,
) {
    let backend = hyper::upgrade::on(response);
    tokio::spawn(async move {
        let _busy = busy;
        match tokio::try_join!(client, backend) {
            Ok((client, backend)) => pass(client, backend, idle_timeout).await,
            Err(error) => debug!(%error, "a websocket was not switched to"),
        }
    });
}

async fn pass(client: Upgraded, backend: Upgraded, idle_timeout: Duration) {
    let client = client
        .downcast::<TokioIo<WireIo>>()
        .expect("a worker serves no other connections");
    let backend = backend
        .downcast::<TokioIo<WireIo>>()
        .expect("a backend is reached by no other connections");
    // A client waits for the handshake's answer (RFC 6455, 4.1). One that does not may have meant its
    // bytes for a reader that sees a request in them.
    if !client.read_buf.is_empty() {
        debug!("a client spoke before its websocket was switched to");
        return;
    }
    let mut client = client.io.into_inner().into_stream();
    let (mut backend, early) = (backend.io.into_inner().into_stream(), backend.read_buf);
    if client.write_all(&early).await.is_err() {
        return;
    }
    let moved = AtomicU64::new(0);
    let (mut client_reads, mut client_writes) = client.split();
    let (mut backend_reads, mut backend_writes) = backend.split();
    let passing = async {
        tokio::try_join!(
            pump(&mut client_reads, &mut backend_writes, &moved),
            pump(&mut backend_reads, &mut client_writes, &moved),
        )
    };
    let mut passing = pin!(passing);
    loop {
        let before = moved.load(Ordering::Relaxed);
        match timeout(idle_timeout, passing.as_mut()).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => return debug!(%error, "a websocket ended"),
            Err(_elapsed) if moved.load(Ordering::Relaxed) == before => {
                return debug!("a websocket was idle for too long");
            }
            Err(_elapsed) => {}
        }
    }
}

/// Passes bytes one way until their end, and that on.
async fn pump(
    from: &mut ReadHalf<'_>,
    to: &mut WriteHalf<'_>,
    moved: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; TUNNEL_BUFFER_BYTES];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
        moved.fetch_add(1, Ordering::Relaxed);
    }
}
