//! The bytes of a connection, and whether any came lately: also those that answer whoever does
//! not wait any more.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use anynode_core::store::Silence;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A connection that tells when something comes.
#[derive(Debug)]
pub(super) struct Heard {
    tcp: TcpStream,
    hearing: Arc<Hearing>,
}

/// What is known of whether anybody answers.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    silence: Mutex<Silence>,
    count: AtomicU64,
}

// === impl Heard ===

impl Heard {
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            hearing: Arc::default(),
        }
    }

    pub(super) fn hearing(&self) -> Arc<Hearing> {
        self.hearing.clone()
    }

    fn tcp(self: Pin<&mut Self>) -> Pin<&mut TcpStream> {
        Pin::new(&mut self.get_mut().tcp)
    }
}

// === impl Hearing ===

impl Hearing {
    /// Something is asked at this time.
    pub(super) fn asked(&self, now: Duration) {
        self.silence().asked(now);
    }

    /// Whether nothing came for most of the time that a call may take.
    pub(super) fn is_silent(&self, now: Duration, deadline: Duration) -> bool {
        self.silence().is_too_long(now, deadline)
    }

    /// How often something came.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn silence(&self) -> MutexGuard<'_, Silence> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Heard {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let heard = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut heard.tcp).poll_read(context, buffer);
        if buffer.filled().len() > before {
            heard.hearing.silence().heard();
            heard.hearing.count.fetch_add(1, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Heard {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.tcp().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.tcp().poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp().poll_shutdown(context)
    }
}
