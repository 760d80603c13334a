//! The commands of the workspace: `cargo xtask help`.

mod bench;
mod bring;
mod clock;
mod help;
mod licences;
mod model;
mod packages;
mod simulate;
mod teeth;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use anyhow::Error;

/// How a command that ran to its end came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Everything that was checked holds.
    Holds,
    /// Something that was checked does not hold.
    Broken,
    /// The command was called wrongly, or lacks a tool it needs.
    Unusable,
}

/// One command: its name, what it takes, what it does, and the function that does it.
struct Command {
    name: &'static str,
    parameters: &'static str,
    summary: &'static str,
    run: fn(&[String]) -> Result<Outcome, Error>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "test",
        parameters: "[PART...]",
        summary: "run every check of the workspace, or only the named parts",
        run: test::run,
    },
    Command {
        name: "teeth",
        parameters: "[PLANT...]",
        summary: "plant each known bug and see that a check catches it",
        run: teeth::run,
    },
    Command {
        name: "packages",
        parameters: "",
        summary: "count the packages a user of the library builds",
        run: packages::run,
    },
    Command {
        name: "bench",
        parameters: "NAME",
        summary: "measure what things cost",
        run: bench::run,
    },
    Command {
        name: "model",
        parameters: "",
        summary: "explore the near cache's protocol further than the tests do",
        run: model::run,
    },
    Command {
        name: "simulate",
        parameters: "[--seeds N] [--seed S]",
        summary: "run fleets of near caches from many seeds, or tell what happens in one",
        run: simulate::run,
    },
    Command {
        name: "bring",
        parameters: "[TOOL...]",
        summary: "unpack the servers and the browser that tests start, or only the named ones",
        run: bring::run,
    },
    Command {
        name: "help",
        parameters: "",
        summary: "list the commands",
        run: help::run,
    },
];

fn main() -> ExitCode {
    // Cargo calls a copy of this program instead of rustc where bugs are planted.
    if teeth::wrapper::is_this_process() {
        return teeth::wrapper::run_rustc();
    }
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "help".to_owned());
    let rest: Vec<String> = arguments.collect();
    match dispatch(&name, &rest) {
        Ok(Outcome::Holds) => ExitCode::SUCCESS,
        Ok(Outcome::Broken) => ExitCode::FAILURE,
        Ok(Outcome::Unusable) => ExitCode::from(2),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(name: &str, arguments: &[String]) -> Result<Outcome, Error> {
    let name = if matches!(name, "--help" | "-h") {
        "help"
    } else {
        name
    };
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprintln!("error: unknown command `{name}`; `cargo xtask help` lists the commands");
        return Ok(Outcome::Unusable);
    };
    if command.parameters.is_empty() && !arguments.is_empty() {
        eprintln!("error: `cargo xtask {name}` takes no parameters");
        return Ok(Outcome::Unusable);
    }
    (command.run)(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_command_is_unusable() {
        assert_eq!(dispatch("tset", &[]).unwrap(), Outcome::Unusable);
    }

    #[test]
    fn a_command_without_parameters_refuses_some() {
        let parameters = ["quick".to_owned()];
        assert_eq!(dispatch("help", &parameters).unwrap(), Outcome::Unusable);
    }

    #[test]
    fn an_unknown_part_and_an_unknown_plant_are_unusable() {
        let parameters = ["no-such-name".to_owned()];
        assert_eq!(dispatch("test", &parameters).unwrap(), Outcome::Unusable);
        assert_eq!(dispatch("teeth", &parameters).unwrap(), Outcome::Unusable);
    }
}
