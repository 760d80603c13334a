//! The node's figures for whoever measures it: what the `metrics` facade was told, as Prometheus reads it.

use std::time::Duration;

use anyhow::{Context, Error};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::time::sleep;

use crate::demo::Reads;

/// What this process has counted.
pub(super) struct Telemetry {
    recorder: PrometheusHandle,
}

/// Upper ends of the buckets of every duration, in seconds: from a read from memory to the deadline of a call.
const SECONDS: [f64; 9] = [
    0.000_01, 0.000_1, 0.000_5, 0.001, 0.005, 0.02, 0.1, 0.5, 5.0,
];

/// How often durations that were recorded one by one are put into their buckets, so that a node nobody asks for its
/// figures does not hold on to each of them.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The version of the text format that Prometheus expects.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Sessions that were read from a copy, and those for which the store was asked, by the reason.
const HITS: &str = "anynode_near_hits_total";
const MISSES: &str = "anynode_near_misses_total";

// === impl Telemetry ===

impl Telemetry {
    /// Counts from now on.
    ///
    /// # Errors
    /// When this process counts for somebody else already.
    pub(super) fn start() -> Result<Self, Error> {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&SECONDS)
            .context("the buckets are wrong")?
            .install_recorder()
            .context("this process has another recorder of metrics")?;
        tokio::spawn(upkeep(recorder.clone()));
        Ok(Self { recorder })
    }

    /// Answers `GET /metrics`.
    ///
    /// `anynode_store_seconds_count{verb="load"}` is the number of calls of the store by
    /// operation.
    pub(super) fn routes(&self) -> Router {
        let recorder = self.recorder.clone();
        let render = move || {
            let text = recorder.render();
            async move { ([(CONTENT_TYPE, TEXT)], text) }
        };
        Router::new().route("/metrics", get(render))
    }

    /// Where sessions were read from so far.
    pub(super) fn reads(&self) -> Reads {
        let text = self.recorder.render();
        Reads {
            copies: total(&text, HITS),
            store: total(&text, MISSES),
        }
    }
}

async fn upkeep(recorder: PrometheusHandle) {
    loop {
        sleep(UPKEEP_EVERY).await;
        recorder.run_upkeep();
    }
}

/// The sum of a counter over all its labels.
fn total(text: &str, name: &str) -> u64 {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = match rest.strip_prefix('{') {
            Some(labelled) => labelled.rsplit_once("} ")?.1,
            None => rest.strip_prefix(' ')?,
        };
        value.parse::<u64>().ok()
    });
    values.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_summed_over_its_labels_and_no_other_is_among_them() {
        let text = "# TYPE anynode_near_misses_total counter\n\
                    anynode_near_misses_total{reason=\"absent\"} 3\n\
                    anynode_near_misses_total{reason=\"strict\"} 2\n\
                    anynode_near_misses_total_others 9\n\
                    anynode_near_hits_total 7\n";
        assert_eq!([total(text, HITS), total(text, MISSES)], [7, 5]);
        assert_eq!(total("", HITS), 0);
    }
}
