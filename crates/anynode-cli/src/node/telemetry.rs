//! The node's figures for whoever measures it: what the `metrics` facade was told, as Prometheus reads it.

use std::time::Duration;

use anyhow::{Context, Error};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::time::sleep;

/// Upper ends of the buckets of every duration, in seconds: from a read from memory to the deadline of a call.
const SECONDS: [f64; 9] = [
    0.000_01, 0.000_1, 0.000_5, 0.001, 0.005, 0.02, 0.1, 0.5, 5.0,
];

/// How often durations that were recorded one by one are put into their buckets, so that a node nobody asks for its
/// figures does not hold on to each of them.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The version of the text format that Prometheus expects.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Counts from now on, and answers `GET /metrics`.
///
/// `anynode_store_seconds_count{verb="load"}` is the number of calls of the store by operation.
///
/// # Errors
/// When this process counts for somebody else already.
pub(super) fn start() -> Result<Router, Error> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&SECONDS)
        .context("the buckets are wrong")?
        .install_recorder()
        .context("this process has another recorder of metrics")?;
    tokio::spawn(upkeep(recorder.clone()));
    let render = move || {
        let text = recorder.render();
        async move { ([(CONTENT_TYPE, TEXT)], text) }
    };
    Ok(Router::new().route("/metrics", get(render)))
}

async fn upkeep(recorder: PrometheusHandle) {
    loop {
        sleep(UPKEEP_EVERY).await;
        recorder.run_upkeep();
    }
}
