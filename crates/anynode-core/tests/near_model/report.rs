//! Explores a configuration, and says what was found in how many states.

use std::{collections::BTreeMap, fmt, time::Duration};

use stateright::{
    Checker, HasDiscoveries, Model,
    report::{ReportData, ReportDiscovery, Reporter},
};

use crate::{
    bounds::Bounds,
    checks::{Check, Sight},
    mutants::{Killer, Row},
    step::Step,
};

/// Explores every state of the configuration: no invariant breaks, and all is seen that must be.
pub(crate) fn holds(bounds: Bounds) {
    let bounds = bounds.of_this_build();
    let run = explore(bounds);
    println!("holds   {:<20} {run}", bounds.name);
    if let Some((check, steps)) = run.broken() {
        panic!("{}: {} is broken by {steps:#?}", bounds.name, check.name());
    }
    let unseen = run.unseen(&bounds).map(Sight::name);
    assert_eq!(unseen, None, "{}: never seen", bounds.name);
}

/// Runs each mutant: it is killed by the check that its row names, before any other.
pub(crate) fn killed(rows: &[Row]) {
    for row in rows {
        let bounds = Bounds {
            mutant: Some(row.mutant),
            ..row.bounds
        };
        let run = explore(bounds);
        assert_eq!(
            run.killer(&bounds),
            Some(row.killer),
            "{:?}: {:#?}",
            row.mutant,
            run.found
        );
        let mut text = format!("mutant  {:?}, in {}: {run}\n", row.mutant, bounds.name);
        text += &run.way_to("killed", row.killer);
        if let Some(check) = row.outward {
            text += &noticed(row, check);
        }
        println!("{text}");
    }
}

/// Runs a mutant without the checks of how the claim is kept: a check of the claim itself breaks.
fn noticed(row: &Row, check: Check) -> String {
    let bounds = Bounds {
        mutant: Some(row.mutant),
        checks: Check::OUTWARD,
        ..row.bounds
    };
    let run = explore(bounds);
    let killer = Killer::Broken(check);
    assert_eq!(
        run.killer(&bounds),
        Some(killer),
        "{:?}: {:#?}",
        row.mutant,
        run.found
    );
    run.way_to("noticed", killer)
}

/// What an exploration found: by the name of a property, the way there.
#[derive(Debug, Default)]
struct Run {
    states: usize,
    depth: usize,
    took: Duration,
    found: BTreeMap<&'static str, Vec<Step>>,
}

/// Explores every state, or as many as it takes to break an invariant.
///
/// On one thread, breadth first: then the way to a broken check is a shortest one.
fn explore(bounds: Bounds) -> Run {
    let mut run = Run::default();
    let checker = bounds.checker().finish_when(HasDiscoveries::AnyFailures);
    checker.spawn_bfs().join_and_report(&mut run);
    run
}

// === impl Run ===

impl Run {
    /// The invariant with the shortest counterexample.
    fn broken(&self) -> Option<(Check, &[Step])> {
        let checks = Check::ALL.iter();
        let broken = checks.filter_map(|check| Some((*check, self.found.get(check.name())?)));
        let shortest = broken.min_by_key(|(_, steps)| steps.len());
        shortest.map(|(check, steps)| (check, steps.as_slice()))
    }

    /// The first of what must be seen and was not, in a run that nothing ended early.
    fn unseen(&self, bounds: &Bounds) -> Option<Sight> {
        let mut sights = bounds.sights.iter().copied();
        sights.find(|sight| !self.found.contains_key(sight.name()))
    }

    fn killer(&self, bounds: &Bounds) -> Option<Killer> {
        match self.broken() {
            Some((check, _)) => Some(Killer::Broken(check)),
            None => self.unseen(bounds).map(Killer::Unseen),
        }
    }

    fn way_to(&self, how: &str, killer: Killer) -> String {
        match self.found.get(killer.name()) {
            Some(way) => {
                let (name, steps) = (killer.name(), way.len());
                format!("        {how} by {name}; {steps} steps: {way:?}\n")
            }
            None => format!("        {how} by what is never seen: {}\n", killer.name()),
        }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (states, depth, seconds) = (self.states, self.depth, self.took.as_secs_f64());
        write!(f, "{states:>8} states, depth {depth}, {seconds:.1} s")
    }
}

impl Reporter<Bounds> for Run {
    fn report_checking(&mut self, data: ReportData) {
        self.states = data.unique_states;
        self.depth = data.max_depth;
        self.took = data.duration;
    }

    fn report_discoveries(
        &mut self,
        _: &Bounds,
        found: BTreeMap<&'static str, ReportDiscovery<Bounds>>,
    ) {
        for (name, discovery) in found {
            self.found.insert(name, discovery.path.into_actions());
        }
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(10)
    }
}
