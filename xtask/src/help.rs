//! `cargo xtask help`: the commands, the parts of `test` and the names of the plants.

use anyhow::Error;

use crate::{COMMANDS, Outcome, bring, teeth, test};

/// Prints the list of commands.
pub(crate) fn run(_arguments: &[String]) -> Result<Outcome, Error> {
    println!("usage: cargo xtask COMMAND\n");
    for command in COMMANDS {
        let call = format!("{} {}", command.name, command.parameters);
        println!("  {call:<31} {}", command.summary);
    }
    println!("\nparts of `test`: {}", test::part_names().join(", "));
    println!("tools of `bring`: {}", bring::tool_names().join(", "));
    println!("plants of `teeth`: {}", teeth::plant_names().join(", "));
    Ok(Outcome::Holds)
}
