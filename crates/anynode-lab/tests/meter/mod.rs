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
    /// By name and first label.
    counters: Mutex<HashMap<[String; 2], Arc<AtomicU64>>>,
    /// By name and first label, the bits of each.
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

    /// How often a counter was counted up, under whatever label.
    pub(crate) fn count(&self, name: &str) -> u64 {
        let counters = self.counters.lock().unwrap();
        let is_it = |(key, _): &(&[String; 2], _)| key[0] == name;
        let counts = counters.iter().filter(is_it);
        counts
            .map(|(_, counter)| counter.load(Ordering::Relaxed))
            .sum()
    }

    /// How often a counter was counted up under this label.
    #[allow(dead_code, reason = "not every test program reads one")]
    pub(crate) fn count_of(&self, name: &str, label: &str) -> u64 {
        let counters = self.counters.lock().unwrap();
        let counter = counters.get(&[name, label].map(str::to_owned));
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
        Counter::from_arc(counters.entry(named(key)).or_default().clone())
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let mut gauges = self.gauges.lock().unwrap();
        Gauge::from_arc(gauges.entry(named(key)).or_default().clone())
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

fn named(key: &Key) -> [String; 2] {
    let label = key.labels().next().map_or("", |label| label.value());
    [key.name(), label].map(str::to_owned)
}
