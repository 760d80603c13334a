//! One variant as a process of its own, on one core.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use axum::{ServiceExt, extract::Request};
use rustix::thread::{CpuSet, sched_setaffinity};
use tower::Layer;

use crate::app::Variant;

/// A running variant.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    pub(crate) cookies: Vec<String>,
}

const SERVER_CORE: usize = 1;
const LOAD_CORE: usize = 0;

/// Serves the variant until standard input ends, which it does with the parent.
pub(crate) fn serve(variant: Variant) {
    pin(SERVER_CORE);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let app = variant.app().await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", listener.local_addr().unwrap().port()).unwrap();
        for cookie in &app.cookies {
            writeln!(out, "{cookie}").unwrap();
        }
        writeln!(out).unwrap();
        out.flush().unwrap();
        drop(out);
        std::thread::spawn(|| {
            let _ = std::io::stdin().lock().read_until(0, &mut Vec::new());
            std::process::exit(0);
        });
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

/// Runs the calling thread on one core, so that server and load do not trade places.
pub(crate) fn pin_load() {
    pin(LOAD_CORE);
}

fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    // A machine with one core, or a sandbox that forbids it, only measures more noise.
    let _ = sched_setaffinity(None, &cores);
}

// === impl Server ===

impl Server {
    pub(crate) fn start(variant: Variant) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["serve", variant.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        let cookies = lines
            .map(Result::unwrap)
            .take_while(|line| !line.is_empty())
            .collect();
        Self {
            child,
            port,
            cookies,
        }
    }

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
