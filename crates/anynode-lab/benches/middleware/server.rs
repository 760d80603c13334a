//! One variant as a process of its own, on one core.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use axum::{ServiceExt, extract::Request};
use rustix::thread::{CpuSet, sched_setaffinity};
use tower::Layer;

use crate::app::App;
use crate::variant::{Program, Variant};
use crate::visitors::announce;

/// A running variant.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    pub(crate) cookies: Vec<String>,
    /// Where its sessions are.
    pub(crate) url: String,
}

/// Both programs that serve variants.
pub(crate) struct Programs {
    ours: PathBuf,
    peers: PathBuf,
}

const SERVER_CORE: usize = 1;
const LOAD_CORE: usize = 0;

/// Serves the variant until standard input ends, which it does with the parent.
pub(crate) fn serve(variant: Variant, url: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let app = App::of(variant, url).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        announce(listener.local_addr().unwrap().port(), &app.cookies);
        match app.around {
            None => axum::serve(listener, app.router).await.unwrap(),
            Some(layer) => {
                let service = layer.layer(app.router);
                let service = ServiceExt::<Request>::into_make_service(service);
                axum::serve(listener, service).await.unwrap();
            }
        }
    });
}

/// Runs the calling thread, and what it starts from now on, on the core of the load: the stores
/// as well, so that a variant has its core for itself.
pub(crate) fn pin_load() {
    pin(LOAD_CORE);
}

fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    // A machine with one core, or a sandbox that forbids it, only measures more noise.
    let _ = sched_setaffinity(None, &cores);
}

// === impl Programs ===

impl Programs {
    pub(crate) fn with_peers(peers: PathBuf) -> Self {
        Self {
            ours: std::env::current_exe().unwrap(),
            peers,
        }
    }

    pub(crate) fn of(&self, variant: Variant) -> &Path {
        match variant.program() {
            Program::Ours => &self.ours,
            Program::Peers => &self.peers,
        }
    }

    pub(crate) fn peers(&self) -> &Path {
        &self.peers
    }

    /// Starts a variant whose sessions are in the store at this URL.
    pub(crate) fn serve(&self, variant: Variant, url: String) -> Server {
        pin(SERVER_CORE);
        let child = Command::new(self.of(variant))
            .args(["serve", variant.name(), &url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        pin_load();
        let mut child = child.unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines
            .next()
            .expect("it says on standard error why it ended");
        let cookies = lines
            .map(Result::unwrap)
            .take_while(|line| !line.is_empty())
            .collect();
        Server {
            child,
            port: port.unwrap().parse().unwrap(),
            cookies,
            url,
        }
    }
}

// === impl Server ===

impl Server {
    /// Time that the server's threads have spent on a core, in nanoseconds.
    pub(crate) fn cpu_nanos(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        tasks
            .map(|task| {
                let path = task.unwrap().path().join("schedstat");
                let text = std::fs::read_to_string(path).unwrap_or_default();
                let nanos = text.split(' ').next().and_then(|text| text.parse().ok());
                nanos.unwrap_or(0)
            })
            .sum::<u64>()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
