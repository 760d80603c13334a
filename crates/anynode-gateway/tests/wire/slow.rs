//! A backend that keeps requests until it is told to answer, and a gateway that tells how many wait for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anynode_gateway::{GatewayConfig, Running};
use hyper::Response;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::sync::Semaphore;

use crate::world::{Node, full, start, until};

/// A backend that keeps requests until it is told to answer.
pub(crate) struct Slow {
    pub(crate) node: Node,
    kept: Arc<Kept>,
}

/// What it knows of its requests, counted by itself.
struct Kept {
    now: AtomicUsize,
    most: AtomicUsize,
    answers: Semaphore,
    paths: Mutex<Vec<String>>,
}

/// A request with it, until it is answered or its connection is closed.
struct Within(Arc<Kept>);

/// A gateway, and what it counts.
pub(crate) struct Watched {
    pub(crate) gateway: Running,
    handle: PrometheusHandle,
}

// === impl Slow ===

impl Slow {
    pub(crate) async fn named(name: &'static str) -> Self {
        let kept = Arc::new(Kept {
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            answers: Semaphore::new(0),
            paths: Mutex::default(),
        });
        let keeping = Arc::clone(&kept);
        let node = Node::answering(move |request: hyper::Request<_>| {
            let within = Within::begin(&keeping, request.uri().path());
            async move {
                within.0.answers.acquire().await.unwrap().forget();
                drop(within);
                Response::new(full(name))
            }
        })
        .await;
        Self { node, kept }
    }

    /// Lets it answer this many requests, those that come later included.
    pub(crate) fn answer(&self, requests: usize) {
        self.kept.answers.add_permits(requests);
    }

    /// Waits until so many requests are with it.
    pub(crate) async fn keeps(&self, requests: usize) {
        until(|| self.kept.now.load(Ordering::SeqCst) == requests).await;
    }

    /// The most requests that ever were with it at once.
    pub(crate) fn most(&self) -> usize {
        self.kept.most.load(Ordering::SeqCst)
    }

    /// The paths that were asked for, in their order.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.kept.paths.lock().unwrap().clone()
    }
}

// === impl Within ===

impl Within {
    fn begin(kept: &Arc<Kept>, path: &str) -> Self {
        kept.paths.lock().unwrap().push(path.to_owned());
        let now = kept.now.fetch_add(1, Ordering::SeqCst) + 1;
        kept.most.fetch_max(now, Ordering::SeqCst);
        Self(Arc::clone(kept))
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

// === impl Watched ===

impl Watched {
    pub(crate) fn start(config: GatewayConfig) -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let gateway = metrics::with_local_recorder(&recorder, || start(config));
        Self { gateway, handle }
    }

    /// The value of a series of the gateway, 0 if there is none.
    pub(crate) fn counted(&self, series: &str) -> usize {
        let series = format!("anynode_gateway_{series} ");
        let text = self.handle.render();
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        line.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// Waits until so many requests wait for a backend.
    pub(crate) async fn waits(&self, requests: usize) {
        until(|| self.counted("waiting") == requests).await;
    }
}
