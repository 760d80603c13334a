//! Sides that take turns, and what their rates are to each other.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use crate::stats::{self, Estimate};

/// How long a side has its turn.
pub(crate) const SLICE: Duration = Duration::from_millis(250);

/// How many operations per second came of a turn.
pub(crate) type Rate<'a> = Pin<Box<dyn Future<Output = f64> + 'a>>;

/// One side of a comparison: takes a turn with this many operations in flight.
pub(crate) type Side<'a> = Box<dyn Fn(usize) -> Rate<'a> + 'a>;

/// What came of a side: its rate in each round.
pub(crate) struct Rates(Vec<f64>);

/// Lets every side take a turn in each round. Each round begins with another, and every second one
/// goes round the other way: a side that always came after the same other would always find the
/// caches of the machine as that left them, and two sides that read the same rows would not be
/// alike.
pub(crate) async fn contest(sides: &[Side<'_>], in_flight: usize, rounds: usize) -> Vec<Rates> {
    let mut rates: Vec<_> = sides.iter().map(|_| Rates(Vec::new())).collect();
    // The first round warms up.
    for round in 0..=rounds {
        for place in 0..sides.len() {
            let steps = match round % 2 {
                0 => place,
                _ => sides.len() - place,
            };
            let number = (round + steps) % sides.len();
            let rate = sides[number](in_flight).await;
            if round > 0 {
                rates[number].0.push(rate);
            }
        }
    }
    rates
}

/// Performs an operation again and again on sessions 0 to `sessions`, in so many tasks of which
/// each has sessions of its own.
pub(crate) async fn repeat<O, F>(in_flight: usize, sessions: usize, operation: O) -> f64
where
    O: Fn(usize, usize) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let begun = Instant::now();
    let tasks: Vec<_> = (0..in_flight)
        .map(|task| {
            let operation = operation.clone();
            tokio::spawn(async move {
                let (mut done, mut session) = (0_u32, task);
                while begun.elapsed() < SLICE {
                    operation(task, session).await;
                    session = (session + in_flight) % sessions;
                    done += 1;
                }
                done
            })
        })
        .collect();
    let mut done = 0.0;
    for task in tasks {
        done += f64::from(task.await.unwrap());
    }
    done / begun.elapsed().as_secs_f64()
}

// === impl Rates ===

impl Rates {
    pub(crate) fn median(&self) -> f64 {
        stats::median(self.0.clone())
    }

    /// How many times as fast as another side, round by round.
    pub(crate) fn over(&self, other: &Self) -> Estimate {
        let pairs = self.0.iter().zip(&other.0);
        stats::estimate(pairs.map(|(ours, theirs)| ours / theirs).collect())
    }
}

/// A ratio with its interval.
pub(crate) fn shown(ratio: &Estimate) -> String {
    let Estimate { median, low, high } = ratio;
    format!("{median:.2} ({low:.2} to {high:.2})")
}
