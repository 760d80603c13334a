//! `cargo xtask teeth`: planted bugs that a check must catch.
//!
//! A plant is a known bug at a line of shipped code that only compiles in under `cfg(planted)`, and
//! then is there if the environment names it: all of them are tried with one build. Checks that
//! stay green with the bug in place prove nothing.

mod build;
mod checks;
mod kinds;
mod plants;
pub(crate) mod wrapper;

use std::collections::BTreeMap;

use anyhow::Error;

use crate::Outcome;
use crate::bring;
use crate::clock::Stopwatch;
use crate::workspace::{Extent, Workspace};
use build::Workshop;
use checks::{Ending, Programs, Verdict};
use kinds::Kinds;
use plants::store::STORES;
use plants::{Plant, plants};

/// The names of the plants, in the order of the table.
pub(crate) fn plant_names() -> Vec<&'static str> {
    plants().map(|plant| plant.name).collect()
}

/// Tries the named plants, or all, and ends with `caught N of N`.
pub(crate) fn run(names: &[String]) -> Result<Outcome, Error> {
    let Some(plants) = selected(names) else {
        return Ok(Outcome::Unusable);
    };
    let workspace = Workspace::load(Extent::Members)?;
    bring::bring(&workspace, &bring::tool_names())?;
    let workshop = Workshop::new(&workspace)?;
    let mut kinds = Kinds::default();
    let Some(shelf) = green_without_plants(&workshop, &plants, &mut kinds)? else {
        println!("a check that is red without a bug cannot catch one; nothing was planted");
        return Ok(Outcome::Broken);
    };
    let mut caught = 0;
    for plant in &plants {
        let watch = Stopwatch::start();
        let programs = &shelf[&(plant.package, plant.target)];
        let ending = programs.run(plant.checks, Some(plant.name), &workshop.log_of(plant.name))?;
        let verdict = Verdict::of(ending, plant);
        if plant.is_on_servers() {
            kinds.read_inside(&std::fs::read_to_string(workshop.log_of(plant.name))?);
        }
        caught += usize::from(verdict.is_catch());
        println!(
            "{}: {} | {verdict} ({})",
            plant.name,
            plant.bug,
            watch.seconds()
        );
        if !verdict.is_catch() {
            println!("  see {}", workshop.log_of(plant.name).display());
        }
    }
    if plants.iter().any(|plant| plant.is_on_servers()) {
        print!("{kinds}");
    }
    println!("caught {caught} of {}", plants.len());
    // Nothing caught of nothing planted shows nothing.
    let is_whole = !names.is_empty() || kinds.is_whole();
    if caught == plants.len() && caught > 0 && is_whole {
        Ok(Outcome::Holds)
    } else {
        Ok(Outcome::Broken)
    }
}

/// The plants of these names; none, with a message, when a name is unknown.
fn selected(names: &[String]) -> Option<Vec<&'static Plant>> {
    for name in names {
        if !plant_names().contains(&name.as_str()) {
            let known = plant_names().join(", ");
            eprintln!("error: unknown plant `{name}`; the plants are: {known}");
            return None;
        }
    }
    let is_selected =
        |plant: &&Plant| names.is_empty() || names.iter().any(|name| name == plant.name);
    Some(plants().filter(is_selected).collect())
}

/// The test programs of a package and target.
type Shelf = BTreeMap<(&'static str, &'static [&'static str]), Programs>;

/// Builds the programs of every selected check and runs them without a bug: all, if they are
/// green. Among those of stores are the ones that have a bug in front of the store.
fn green_without_plants(
    workshop: &Workshop,
    plants: &[&'static Plant],
    kinds: &mut Kinds,
) -> Result<Option<Shelf>, Error> {
    let (watch, log) = (Stopwatch::start(), workshop.log_without_a_bug());
    let (mut is_green, mut shelf) = (true, Shelf::new());
    for mut suite in checks::suites(plants) {
        let is_on_servers = suite.target == STORES;
        if is_on_servers {
            suite.checks.push("::bugs::");
        }
        let Some(programs) = workshop.build(&suite)? else {
            println!(
                "{suite}: does not build; see {}",
                workshop.log_of_build().display()
            );
            is_green = false;
            continue;
        };
        for check in programs.checks_that_match_nothing(&suite.checks)? {
            println!("{suite}: no test matches `{check}`");
            is_green = false;
        }
        let ending = programs.run(&suite.checks, None, &log)?;
        if is_on_servers {
            kinds.read_in_front(&std::fs::read_to_string(&log)?);
        }
        if ending != Ending::Green {
            println!("{suite}: {ending} without a bug; see {}", log.display());
            is_green = false;
        }
        shelf.insert((suite.package, suite.target), programs);
    }
    println!("checks without a bug ({})", watch.seconds());
    Ok(is_green.then_some(shelf))
}
