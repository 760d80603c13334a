//! `cargo xtask teeth`: planted bugs that a check must catch.
//!
//! A plant is a known bug at a line of shipped code that only compiles in under
//! `cfg(planted = "name")`. Checks that stay green with the bug in place prove nothing.

mod build;
mod checks;
mod kinds;
mod plants;
pub(crate) mod wrapper;

use anyhow::Error;

use crate::Outcome;
use crate::bring;
use crate::clock::Stopwatch;
use crate::workspace::{Extent, Workspace};
pub(crate) use build::ON_SERVERS;
use build::Workshop;
use checks::{Ending, Verdict};
use kinds::Kinds;
use plants::store::STORES;
use plants::{Plant, plants};

/// The names of the plants, in the order of the table.
pub(crate) fn plant_names() -> Vec<&'static str> {
    plants().map(|plant| plant.name).collect()
}

/// Builds the named plants, or all, and ends with `caught N of N`.
pub(crate) fn run(names: &[String]) -> Result<Outcome, Error> {
    let Some(plants) = selected(names) else {
        return Ok(Outcome::Unusable);
    };
    let workspace = Workspace::load(Extent::Members)?;
    bring::bring(&workspace, &bring::tool_names())?;
    let workshop = Workshop::new(&workspace)?;
    let mut kinds = Kinds::default();
    if !is_green_without_plants(&workshop, &plants, &mut kinds)? {
        println!("a check that is red without a bug cannot catch one; nothing was planted");
        return Ok(Outcome::Broken);
    }
    let mut caught = 0;
    for plant in &plants {
        let watch = Stopwatch::start();
        let verdict = verdict_on(&workshop, plant)?;
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

/// Runs every selected check on the code as it ships; among those of stores are the ones that
/// have a bug in front of the store.
fn is_green_without_plants(
    workshop: &Workshop,
    plants: &[&Plant],
    kinds: &mut Kinds,
) -> Result<bool, Error> {
    let watch = Stopwatch::start();
    let mut is_green = true;
    for mut suite in checks::suites(plants) {
        let is_on_servers = suite.target == STORES;
        if is_on_servers {
            suite.checks.push("::bugs::");
        }
        let Some(programs) = workshop.build_as_shipped(&suite)? else {
            println!("{suite}: does not build without a plant");
            is_green = false;
            continue;
        };
        for check in programs.checks_that_match_nothing(&suite.checks)? {
            println!("{suite}: no test matches `{check}`");
            is_green = false;
        }
        let ending = programs.run(&suite.checks)?;
        if is_on_servers {
            kinds.read_in_front(&std::fs::read_to_string(workshop.shipped_log())?);
        }
        if ending != Ending::Green {
            println!(
                "{suite}: {ending} without a plant; see {}",
                workshop.shipped_log().display()
            );
            is_green = false;
        }
    }
    println!("checks without plants ({})", watch.seconds());
    Ok(is_green)
}

fn verdict_on(workshop: &Workshop, plant: &Plant) -> Result<Verdict, Error> {
    let Some(programs) = workshop.build_planted(plant)? else {
        return Ok(Verdict::DoesNotBuild);
    };
    let ending = programs.run(plant.checks)?;
    Ok(Verdict::of(ending, plant))
}
