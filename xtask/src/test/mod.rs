//! `cargo xtask test`: every check of the workspace, part by part, and one sum at the end.

pub(crate) mod laws;
pub(crate) mod libtest;
mod part;

use anyhow::Error;

use crate::Outcome;
use crate::clock::Stopwatch;
use crate::workspace::{Extent, Workspace};
use libtest::Count;
use part::{PARTS, Part, STORES, TESTS, TOOLS};

/// The names of the parts, in the order in which they run.
pub(crate) fn part_names() -> Vec<&'static str> {
    PARTS.iter().map(|part| part.name).collect()
}

/// Runs the named parts, or all of them, and ends with `N passed, N failed`.
pub(crate) fn run(names: &[String]) -> Result<Outcome, Error> {
    let Some(parts) = selected(names) else {
        return Ok(Outcome::Unusable);
    };
    if lacks_a_tool(&parts) {
        return Ok(Outcome::Unusable);
    }
    let workspace = Workspace::load(Extent::Members)?;
    let whole = Stopwatch::start();
    let mut rows = Vec::new();
    let mut sum = Count::default();
    for part in parts {
        println!("== {}: {}", part.name, part.summary);
        let watch = Stopwatch::start();
        // A part that could not even run is a failed check, and the next one still runs.
        let count = part.run(&workspace).unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            Count::one_failed()
        });
        rows.push(format!("{:<9} {:>9}  {count}", part.name, watch.seconds()));
        sum += count;
    }
    println!("\n{}", rows.join("\n"));
    println!("{:<9} {:>9}\n", "all", whole.seconds());
    if sum.ignored > 0 {
        println!(
            "{} ignored: an ignored test counts as a failed one",
            sum.ignored
        );
    }
    println!("{} passed, {} failed", sum.passed, sum.broken());
    if sum.broken() == 0 {
        Ok(Outcome::Holds)
    } else {
        Ok(Outcome::Broken)
    }
}

/// The parts of these names in their own order, and the tools if tests will start them; none,
/// with a message, when a name is unknown.
fn selected(names: &[String]) -> Option<Vec<&'static Part>> {
    for name in names {
        if !part_names().contains(&name.as_str()) {
            let known = part_names().join(", ");
            eprintln!("error: unknown part `{name}`; the parts are {known}");
            return None;
        }
    }
    let is_named = |wanted: &str| names.is_empty() || names.iter().any(|name| name == wanted);
    let is_selected = |part: &&Part| {
        is_named(part.name) || (part.name == TOOLS && (is_named(TESTS) || is_named(STORES)))
    };
    Some(PARTS.iter().filter(is_selected).collect())
}

fn lacks_a_tool(parts: &[&Part]) -> bool {
    let mut lacks = false;
    for part in parts {
        let missing = part.tool.filter(|tool| !tool.is_present());
        if let Some(tool) = missing {
            lacks = true;
            let command = tool.install_command();
            eprintln!(
                "error: part `{}` lacks a tool; install it with: {command}",
                part.name
            );
        }
    }
    lacks
}
