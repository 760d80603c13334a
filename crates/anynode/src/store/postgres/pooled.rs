//! Tells a pooler from a server: it greets with the number of a process that it invented.
//!
//! A pooler that gives each transaction another connection of the server breaks prepared
//! statements, and not only by refusing them: two nodes give their statements the same names,
//! so one could run what the other prepared. It has to be known before the first of them.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{
    Client,
    tls::{ChannelBinding, TlsConnect, TlsStream},
};

/// The number of the server's process, as the greeting of the connection named it. The driver
/// tells it to nobody but a server that is to cancel a statement, so that is who this plays.
pub(super) async fn process_of(client: &Client) -> Option<i32> {
    let listener = Listener::default();
    let told = client.cancel_token();
    told.cancel_query_raw(listener.clone(), Unsealed)
        .await
        .ok()?;
    let heard = listener.heard();
    // The last message is its length, 80877102, the process and the secret of it: 16 bytes.
    let process = heard.get(heard.len().checked_sub(8)?..)?.get(..4)?;
    Some(i32::from_be_bytes(process.try_into().ok()?))
}

/// Hears all, and agrees to speak TLS.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<u8>>>);

/// TLS without any, since nothing leaves this process.
struct Unsealed;

// === impl Listener ===

impl Listener {
    fn heard(&self) -> Vec<u8> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl AsyncRead for Listener {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() > 0 {
            buffer.put_slice(b"S");
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Listener {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl TlsStream for Listener {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl TlsConnect<Listener> for Unsealed {
    type Stream = Listener;
    type Error = Infallible;
    type Future = Ready<Result<Listener, Infallible>>;

    fn connect(self, stream: Listener) -> Self::Future {
        ready(Ok(stream))
    }
}
