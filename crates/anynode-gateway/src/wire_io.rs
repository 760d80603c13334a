//! A connection as hyper sees it: given up when its peer stops reading, and a client's read through the guard.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::guard::Guard;

/// The most bytes buffered in each direction of a connection, unless a longer head is allowed.
pub(crate) const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// A client's or a backend's connection until it ends or becomes a WebSocket.
#[derive(Debug)]
pub(crate) struct WireIo {
    stream: TcpStream,
    /// What a backend writes is read by hyper alone.
    guard: Option<Guard>,
    write_timeout: Duration,
    /// Runs while the peer takes nothing of what is written.
    stalled: Option<Pin<Box<Sleep>>>,
}

// === impl WireIo ===

impl WireIo {
    pub(crate) fn to_client(stream: TcpStream, guard: Guard, write_timeout: Duration) -> Self {
        Self {
            guard: Some(guard),
            ..Self::to_backend(stream, write_timeout)
        }
    }

    pub(crate) fn to_backend(stream: TcpStream, write_timeout: Duration) -> Self {
        Self {
            stream,
            guard: None,
            write_timeout,
            stalled: None,
        }
    }

    /// Returns the connection itself, for what is no longer HTTP.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Passes on what a write came to, or ends it if the peer took nothing for too long.
    fn written(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for WireIo {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        if let Some(guard) = &mut this.guard {
            guard.pass(&mut buffer.filled_mut()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WireIo {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.written(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
