//! The signals that ask a process to stop.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Ctrl-C, the end of the terminal, and what `kill` sends.
#[derive(Debug)]
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// The signals of a server without a terminal: the end of one means what administrators expect of it.
#[derive(Debug)]
pub(crate) struct ServerSignals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// What a signal asks a server to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// SIGINT or SIGTERM.
    Stop,
    /// SIGHUP.
    Reload,
}

/// Tells whoever asks that this process is about to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stopping(watch::Receiver<Phase>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    Stopping,
}

// === impl StopSignals ===

impl StopSignals {
    /// Catches the signals from now on, so that they no longer end the process by themselves.
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next of them.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

// === impl ServerSignals ===

impl ServerSignals {
    /// Catches the signals from now on, so that they no longer end the process by themselves.
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next of them.
    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }
}

// === impl Stopping ===

impl Stopping {
    /// It stops when this has happened.
    pub(crate) fn when(happened: impl Future<Output = ()> + Send + 'static) -> Self {
        let (stop, stopping) = watch::channel(Phase::Serving);
        tokio::spawn(async move {
            happened.await;
            // Nobody waits for it once the server has failed.
            let _ = stop.send(Phase::Stopping);
        });
        Self(stopping)
    }

    /// Waits until it is about to.
    pub(crate) async fn begun(mut self) {
        // A sender that is gone has sent the phase before.
        let _ = self.0.wait_for(|phase| *phase == Phase::Stopping).await;
    }
}
