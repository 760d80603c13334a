//! A new connection to a backend, and what becomes known of the backend by asking for one.

use std::io;
use std::sync::Mutex;
use std::time::Duration;

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use crate::backends::Target;
use crate::body::RequestBody;
use crate::config::Limits;
use crate::wire_io::{BUFFER_BYTES_MAX, WireIo};

/// How long it is from one warning that the gateway itself is short of something to the next.
const WARNING_REST: Duration = Duration::from_secs(1);

/// Connects to the backend, and reports to the pool how that went.
pub(crate) async fn connect(target: &Target, limits: &Limits) -> Option<SendRequest<RequestBody>> {
    let backend = target.name();
    let connecting = TcpStream::connect(target.address());
    let stream = match timeout(limits.connect_timeout, connecting).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if is_of_backend(error.kind()) => {
            debug!(backend, %error, "cannot connect");
            target.connect_failed();
            return None;
        }
        Ok(Err(error)) => {
            warn_of_want(backend, &error);
            return None;
        }
        Err(_elapsed) => {
            debug!(backend, "connecting timed out");
            target.connect_timed_out();
            return None;
        }
    };
    target.connected();
    // Without it a request could wait for the acknowledgement of the one before.
    stream.set_nodelay(true).ok()?;
    let io = WireIo::to_backend(stream, limits.write_timeout);
    let (sender, connection) = http1::Builder::new()
        .max_header_size(limits.head_bytes_max)
        .max_buf_size(BUFFER_BYTES_MAX.max(limits.head_bytes_max))
        .handshake(TokioIo::new(io))
        .await
        .ok()?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            debug!(%error, "connection to a backend ended");
        }
    });
    Some(sender)
}

/// Warns, at most once in [`WARNING_REST`]: it concerns every request at the same time.
fn warn_of_want(backend: &str, error: &io::Error) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let mut last = LAST.lock().expect("no holder of a time panics");
    if last.is_none_or(|last| last.elapsed() >= WARNING_REST) {
        *last = Some(Instant::now());
        warn!(backend, %error, "cannot connect for want of files, ports or memory");
    }
}

/// Tells whether a connect failed because of the backend or the way there.
///
/// Want of file descriptors, ports or memory is the gateway's own, and says nothing about anybody else:
/// a gateway that has too few would otherwise hold every backend for dead.
fn is_of_backend(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::TimedOut
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::InvalidInput
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_want_of_the_gateways_own_is_not_held_against_a_backend() {
        let is_of_backend = |number| {
            let error = io::Error::from_raw_os_error(number);
            is_of_backend(error.kind())
        };
        // ENOMEM, ENFILE, EMFILE, EADDRNOTAVAIL, ENOBUFS.
        assert!(![12, 23, 24, 99, 105].into_iter().any(is_of_backend));
        // ENETUNREACH, ECONNABORTED, ECONNRESET, ETIMEDOUT, ECONNREFUSED, EHOSTUNREACH.
        assert!(
            [101, 103, 104, 110, 111, 113]
                .into_iter()
                .all(is_of_backend)
        );
    }
}
