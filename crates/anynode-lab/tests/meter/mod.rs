//! What the `metrics` facade was told on this thread, which is all that a test and its stores
//! run on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, LocalRecorderGuard, Metadata, Recorder, SharedString,
    Unit,
};

/// Counts from its installation on.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    counters: Mutex<HashMap<String, Arc<AtomicU64>>>,
    /// By name and label, the bits of each.
    gauges: Mutex<HashMap<[String; 2], Arc<AtomicU64>>>,
}

// === impl Meter ===

impl Meter {
    /// Counts what this thread tells, until the guard is dropped.
    pub(crate) fn install(&self) -> LocalRecorderGuard<'_> {
        metrics::set_default_local_recorder(self)
    }

    /// How often a fail-over that may have lost writes was raised.
    pub(crate) fn possible_losses(&self) -> u64 {
        self.count("anynode_possible_lost_writes_total")
    }

    /// How often a counter was counted up.
    pub(crate) fn count(&self, name: &str) -> u64 {
        let counters = self.counters.lock().unwrap();
        let counter = counters.get(name);
        counter.map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// What a gauge stands at that has this label alone; zero if it was never set.
    #[allow(dead_code, reason = "not every test program reads one")]
    pub(crate) fn gauge(&self, name: &str, label: &str) -> f64 {
        let gauges = self.gauges.lock().unwrap();
        let gauge = gauges.get(&[name, label].map(str::to_owned));
        gauge.map_or(0.0, |gauge| f64::from_bits(gauge.load(Ordering::Relaxed)))
    }
}

impl Recorder for Meter {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let mut counters = self.counters.lock().unwrap();
        Counter::from_arc(counters.entry(key.name().to_owned()).or_default().clone())
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let label = key.labels().next().map_or("", |label| label.value());
        let mut gauges = self.gauges.lock().unwrap();
        let gauge = gauges
            .entry([key.name(), label].map(str::to_owned))
            .or_default();
        Gauge::from_arc(gauge.clone())
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
