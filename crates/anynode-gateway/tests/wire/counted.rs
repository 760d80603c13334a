//! What the gateway counts: requests and retries by backend, and what became of clients' affinity.

use anynode_gateway::{Backend, Incarnation, Running};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::affinity::{ask, by_cookie, newcomer, set};
use crate::world::Node;

/// Starts a gateway that counts for this test alone, with two backends `1` and `2`.
fn counting(nodes: &[Node; 2]) -> (Running, PrometheusHandle) {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // The gateway takes its handles while it starts, on this thread.
    let gateway = metrics::with_local_recorder(&recorder, || {
        crate::world::start(by_cookie(&[&nodes[0], &nodes[1]]))
    });
    (gateway, handle)
}

fn value(handle: &PrometheusHandle, series: &str) -> u64 {
    let text = handle.render();
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    line.map_or(0, |value| value.trim().parse().unwrap())
}

#[tokio::test]
async fn every_outcome_of_a_clients_affinity_is_counted_by_its_reason() {
    let mut nodes = [Node::named("a").await, Node::named("b").await];
    let (gateway, handle) = counting(&nodes);
    let counted = |outcome: &str| {
        let series = format!("anynode_gateway_affinity_total{{outcome=\"{outcome}\"}}");
        value(&handle, &series)
    };
    let (on_a, _) = newcomer(&gateway).await;
    let (on_b, _) = newcomer(&gateway).await;
    assert_eq!(counted("absent"), 2);
    for _ in 0..3 {
        ask(&gateway, &[&on_a]).await;
    }
    assert_eq!(counted("kept"), 3);
    let name = on_a.split('=').next().unwrap();
    ask(&gateway, &[&format!("{name}=guess")]).await;
    assert_eq!(counted("malformed"), 1);
    let changed = if on_a.ends_with('A') { "Q" } else { "A" };
    ask(
        &gateway,
        &[&format!("{}{changed}", &on_a[..on_a.len() - 1])],
    )
    .await;
    assert_eq!(counted("bad_mac"), 1);

    nodes[0].kill().await;
    let moved = ask(&gateway, &[&on_a]).await;
    assert!(set(&moved).is_some());
    assert_eq!((counted("unreachable"), counted("kept")), (1, 3));
    ask(&gateway, &[&on_a]).await;
    assert_eq!(counted("down"), 1);

    let restarted = Backend {
        incarnation: Incarnation::named("2", "second life"),
        ..nodes[1].backend(2)
    };
    gateway.backends().insert(restarted).unwrap();
    ask(&gateway, &[&on_b]).await;
    assert_eq!(counted("unknown_node"), 1);
}

#[tokio::test]
async fn requests_and_retries_are_counted_by_backend_and_end_in_nothing_in_flight() {
    let mut nodes = [Node::named("a").await, Node::named("b").await];
    let (gateway, handle) = counting(&nodes);
    let counted = |metric: &str, backend: &str| {
        let series = format!("anynode_gateway_{metric}{{backend=\"{backend}\"}}");
        value(&handle, &series)
    };
    nodes[0].kill().await;
    for _ in 0..3 {
        newcomer(&gateway).await;
    }
    assert_eq!(counted("requests_total", "2"), 3);
    let (tried, retried) = (
        counted("requests_total", "1"),
        counted("retries_total", "1"),
    );
    assert!(tried >= 1 && tried == retried, "{tried} {retried}");
    assert_eq!(counted("retries_total", "2"), 0);
    crate::world::until(|| counted("in_flight", "2") == 0).await;
}
