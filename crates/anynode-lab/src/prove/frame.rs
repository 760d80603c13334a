//! What all rows have in common: their terms, how they run, and how they say what they found.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Error, bail};
use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::json;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::fleet::{NODES_MAX, Plan, Strategy};
use crate::history::Call;
use crate::prove::home::Home;
use crate::server::Wanted;

/// The terms on which a row is proved.
#[derive(Clone, Debug, clap::Args)]
pub struct Terms {
    /// Take some seconds instead of minutes
    #[arg(long)]
    pub quick: bool,
    /// What users do and when, and which nodes are killed, follows from it; random by default
    #[arg(long)]
    pub seed: Option<u64>,
    /// The store of `central` and `near-cache`: its URL, or what is to be started, such as `redis` or `postgres`,
    /// which is then also killed, restarted and failed over in the run; `sqlite`, the default, is
    /// a new file
    #[arg(long, value_name = "URL|KIND")]
    pub store: Option<Wanted>,
    /// How users are kept logged in. `central` and `near-cache` claim to lose nothing; for the others
    /// the loss is printed, and it is a failure if there is none where there must be
    #[arg(long, value_enum, default_value_t)]
    pub strategy: Strategy,
    /// Print the summary as one line of JSON
    #[arg(long)]
    pub json: bool,
    /// Write every call there, as lines of JSON
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
}

/// What a row found.
pub trait Finding: fmt::Display + Serialize {
    /// What is short of the claim; nothing when it holds.
    fn shortfalls(&self) -> Vec<String>;
}

/// How large a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    Full,
    Quick,
}

/// How long answers took, as the users waited for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Latency {
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    pub(super) max: Duration,
}

/// How a summary is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As a sentence.
    Text,
    /// As one line of JSON: whether it holds, what it is short of, and the figures.
    Json,
}

/// What a row expects of a strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Claim {
    /// There is no loss: the claim.
    NoLoss,
    /// There is a loss: what is said of the strategy, which the row would otherwise not show.
    SomeLoss,
    /// Either: the row does what does not concern the strategy.
    None,
}

/// Prints what was found, and fails when it is short of its claim. The summary is the last line.
///
/// # Errors
/// When the claim does not hold, or the proof could not be carried out.
pub fn report<F: Finding>(finding: Result<F, Error>, format: Format) -> Result<(), Error> {
    let finding = finding?;
    let shortfalls = finding.shortfalls();
    match format {
        Format::Text => println!("{finding}"),
        Format::Json => {
            let holds = shortfalls.is_empty();
            let line = json!({"holds": holds, "short_of": shortfalls, "found": finding});
            println!("{line}");
        }
    }
    if !shortfalls.is_empty() {
        bail!("does not hold: {}", shortfalls.join("; "));
    }
    Ok(())
}

/// Runs a row until it ends or a signal asks to stop: then it is dropped, and with it go its
/// processes and its files.
pub(super) fn run<T>(row: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("a runtime cannot be started")?;
    runtime.block_on(async {
        let stop = StopSignals::catch()?;
        tokio::select! {
            found = row => found,
            () = stop.next() => bail!(STOPPED),
        }
    })
}

/// What is said when a signal ended a proof.
pub(super) const STOPPED: &str = "stopped before its end, as a signal asked; nothing is proved";

/// Ctrl-C, what `kill` sends, and the end of the terminal.
#[derive(Debug)]
pub(super) struct StopSignals([Signal; 3]);

impl StopSignals {
    /// Catches them from now on, so that none of them ends the program before its files are gone.
    pub(super) fn catch() -> Result<Self, Error> {
        let catch = |kind| signal(kind).context("signals cannot be caught");
        Ok(Self([
            catch(SignalKind::interrupt())?,
            catch(SignalKind::terminate())?,
            catch(SignalKind::hangup())?,
        ]))
    }

    /// Waits for the first.
    pub(super) async fn next(self) {
        let Self([mut interrupt, mut terminate, mut hangup]) = self;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// Reads a number of things to do or to have: a proof without them would prove nothing, or
/// never end.
pub(super) fn at_least_one<N>(text: &str) -> Result<N, String>
where
    N: FromStr<Err: fmt::Display> + PartialOrd + From<u8>,
{
    let number: N = text.parse().map_err(|error: N::Err| error.to_string())?;
    if number < N::from(1) {
        return Err("it has to be 1 at least".to_owned());
    }
    Ok(number)
}

/// Reads how many nodes a fleet has.
pub(super) fn nodes(text: &str) -> Result<usize, String> {
    let nodes = at_least_one(text)?;
    if nodes > NODES_MAX {
        return Err(format!("one machine has {NODES_MAX} at most"));
    }
    Ok(nodes)
}

/// The sentences beside what does not hold.
pub(super) fn short_of(conditions: &[(bool, &str)]) -> Vec<String> {
    let broken = conditions.iter().filter(|(holds, _)| !holds);
    broken.map(|(_, what)| (*what).to_owned()).collect()
}

// === impl Terms ===

impl Terms {
    /// How the summary is printed.
    #[must_use]
    pub fn format(&self) -> Format {
        Format::of(self.json)
    }

    pub(super) fn scale(&self) -> Scale {
        if self.quick {
            Scale::Quick
        } else {
            Scale::Full
        }
    }

    /// The seed that was given, or a random one, short enough to be typed.
    pub(super) fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| fastrand::u64(..1_000_000))
    }

    /// What contradicts itself in these terms, if anything.
    #[must_use]
    pub fn mistake(&self) -> Option<String> {
        let keeps_none = !self.strategy.has_store() && self.store.is_some();
        keeps_none.then(|| {
            let strategy = self.strategy;
            format!("--strategy {strategy} keeps no session in a store; leave out --store")
        })
    }

    /// The store that was asked for, set up so that it loses nothing; none for a strategy that
    /// has none.
    pub(super) async fn home(&self) -> Result<Option<Home>, Error> {
        if !self.strategy.has_store() {
            return Ok(None);
        }
        let wanted = self.store.clone().unwrap_or_default();
        Home::open(&wanted).await.map(Some)
    }

    pub(super) fn plan(&self, nodes: usize, home: Option<&Home>) -> Plan {
        Plan {
            store: home.map(|home| home.url().to_owned()),
            ..Plan::new(self.strategy, nodes)
        }
    }

    /// Runs the row; processes and users are waited for on a few threads.
    pub(super) fn run<T>(&self, row: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        run(row)
    }
}

// === impl Format ===

impl Format {
    pub(super) fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

// === impl Scale ===

impl Scale {
    pub(super) fn choose<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

// === impl Latency ===

impl Latency {
    pub(super) fn of(calls: &[Call]) -> Result<Self, Error> {
        // Up to an hour, to three digits, in microseconds.
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 3_600_000_000, 3)?;
        for call in calls {
            let micros = u64::try_from(call.latency().as_micros())?;
            histogram.saturating_record(micros);
        }
        let at = |quantile| Duration::from_micros(histogram.value_at_quantile(quantile));
        Ok(Self {
            p50: at(0.5),
            p99: at(0.99),
            max: Duration::from_micros(histogram.max()),
        })
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "p50 {:.1} ms, p99 {:.1} ms",
            self.p50.as_secs_f64() * 1e3,
            self.p99.as_secs_f64() * 1e3
        )
    }
}
