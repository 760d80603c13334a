//! The parts of `cargo xtask test`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Error};

use super::laws::Laws;
use super::libtest::{Count, Tally};
use crate::tools::Tool;
use crate::workspace::{Workspace, cargo};
use crate::{bring, licences, tidy};

/// A named part of the one test command.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    /// What the part needs beyond cargo itself.
    pub(crate) tool: Option<Tool>,
    work: Work,
}

/// What a part does.
enum Work {
    /// Looks at the workspace and returns one line for each finding.
    Look(fn(&Workspace) -> Result<Vec<String>, Error>),
    /// Runs cargo, which counts as one check.
    Check {
        arguments: &'static [&'static str],
        environment: &'static [(&'static str, &'static str)],
    },
    /// Runs cargo and counts the tests it reports.
    Tests {
        arguments: &'static [&'static str],
        when_none_ran: NoneRan,
        laws: Stores,
    },
}

/// Whether the laws of a store are among the tests.
#[derive(Clone, Copy)]
enum Stores {
    /// They are tried on every kind of store, and how many held is printed.
    Tried,
    /// They are not.
    Absent,
}

/// What it means that no test ran.
#[derive(Clone, Copy)]
enum NoneRan {
    /// Something is wrong with the command.
    Fails,
    /// There may be none yet.
    Passes,
}

/// The part whose tests start real servers and a browser.
pub(crate) const TESTS: &str = "tests";

/// The part that tries the laws of a store on real servers.
pub(crate) const STORES: &str = "stores";

/// The part that unpacks them.
pub(crate) const TOOLS: &str = "tools";

/// Cheap parts come first, so that a slip is seen early.
///
/// Every cargo part names the whole workspace with all features, so that the parts agree on the
/// features of each dependency and it is built once.
pub(crate) const PARTS: &[Part] = &[
    Part {
        name: "fmt",
        summary: "every file is formatted",
        tool: Some(Tool::Rustfmt),
        work: Work::Check {
            arguments: &["fmt", "--all", "--check"],
            environment: &[],
        },
    },
    Part {
        name: "tidy",
        summary: "the rules of the house that no other tool knows",
        tool: None,
        work: Work::Look(tidy::findings),
    },
    Part {
        name: "licences",
        summary: "every package has an allowed licence and source",
        tool: None,
        work: Work::Look(|workspace| licences::findings(&workspace.root)),
    },
    Part {
        name: "clippy",
        summary: "no lint warns",
        tool: Some(Tool::Clippy),
        work: Work::Check {
            arguments: &[
                "clippy",
                "--locked",
                "--workspace",
                "--all-targets",
                "--all-features",
                "--",
                "-Dwarnings",
            ],
            environment: &[],
        },
    },
    Part {
        name: "docs",
        summary: "the documentation builds without warnings",
        tool: None,
        work: Work::Check {
            arguments: &[
                "doc",
                "--locked",
                "--workspace",
                "--no-deps",
                "--all-features",
            ],
            environment: &[("RUSTDOCFLAGS", "-Dwarnings")],
        },
    },
    Part {
        name: "examples",
        summary: "every example links",
        tool: None,
        work: Work::Check {
            arguments: &[
                "build",
                "--locked",
                "--workspace",
                "--all-features",
                "--examples",
            ],
            environment: &[],
        },
    },
    Part {
        name: TOOLS,
        summary: "the servers and the browser that tests start are unpacked",
        tool: None,
        work: Work::Look(|workspace| {
            bring::bring(workspace, &bring::tool_names())?;
            Ok(Vec::new())
        }),
    },
    Part {
        name: TESTS,
        summary: "unit and integration tests",
        tool: None,
        work: Work::Tests {
            arguments: &[
                "test",
                "--locked",
                "--workspace",
                "--all-features",
                "--tests",
                "--no-fail-fast",
                "--",
                // Most wait for a server, a fleet or a clock.
                "--test-threads=4",
                "--skip=on_server::",
            ],
            when_none_ran: NoneRan::Fails,
            laws: Stores::Absent,
        },
    },
    Part {
        name: STORES,
        summary: "the laws of a store on every kind of server",
        tool: None,
        work: Work::Tests {
            arguments: &[
                "test",
                "--locked",
                "--workspace",
                "--all-features",
                "--test=stores",
                "--",
                // Each waits for its store's clock most of the time.
                "--test-threads=12",
                "on_server::",
            ],
            when_none_ran: NoneRan::Fails,
            laws: Stores::Tried,
        },
    },
    Part {
        name: "doctests",
        summary: "the examples in the documentation run",
        tool: None,
        work: Work::Tests {
            arguments: &[
                "test",
                "--locked",
                "--workspace",
                "--all-features",
                "--doc",
                "--no-fail-fast",
            ],
            when_none_ran: NoneRan::Passes,
            laws: Stores::Absent,
        },
    },
];

impl Part {
    /// Runs the part to its end and counts what passed and failed.
    ///
    /// # Errors
    /// When the part could not run.
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<Count, Error> {
        match self.work {
            Work::Look(look) => {
                let findings = look(workspace)?;
                for finding in &findings {
                    println!("{finding}");
                }
                Ok(Count::check(findings.is_empty()))
            }
            Work::Check {
                arguments,
                environment,
            } => {
                let mut command = cargo();
                command.args(arguments).envs(environment.iter().copied());
                let status = command.status().context("cannot start cargo")?;
                Ok(Count::check(status.success()))
            }
            Work::Tests {
                arguments,
                when_none_ran,
                laws,
            } => {
                let tally = tally_of(cargo().args(arguments))?;
                let short = match laws {
                    Stores::Tried => told(&tally.laws),
                    Stores::Absent => Count::default(),
                };
                let mut count = judged(tally, when_none_ran);
                count += short;
                Ok(count)
            }
        }
    }
}

/// Runs the command, passes its output through and counts the tests in it.
fn tally_of(command: &mut Command) -> Result<Tally, Error> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let output = child.stdout.take().expect("the output was asked for");
    let mut tally = Tally::default();
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    let mut terminal = std::io::stdout().lock();
    // Tests may write bytes that are not UTF-8; they are passed through as they came.
    while reader.read_until(b'\n', &mut line)? > 0 {
        terminal.write_all(&line)?;
        tally.read_line(&String::from_utf8_lossy(&line));
        line.clear();
    }
    tally.succeeded = child.wait()?.success();
    Ok(tally)
}

/// Prints how many laws held on each kind of store; one check, which fails if a kind is short.
fn told(laws: &Laws) -> Count {
    println!("\n{laws}");
    Count::check(laws.short() == 0)
}

/// A run that failed without a failed test did not build or died: that counts as one failure.
fn judged(tally: Tally, when_none_ran: NoneRan) -> Count {
    let mut count = tally.count;
    if !tally.succeeded && count.failed == 0 {
        println!("the tests did not build, or one ended its whole process");
        count.failed = 1;
    } else if tally.succeeded && count == Count::default() {
        match when_none_ran {
            NoneRan::Passes => {}
            NoneRan::Fails => {
                println!("no tests ran");
                count.failed = 1;
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn tally(text: &str, succeeded: bool) -> Tally {
        let mut tally = Tally {
            succeeded,
            ..Tally::default()
        };
        text.lines().for_each(|line| tally.read_line(line));
        tally
    }

    #[test]
    fn a_run_without_tests_fails_where_tests_are_expected() {
        let none = || tally("test result: ok. 0 passed; 0 failed; 0 ignored;", true);
        assert_eq!(judged(none(), NoneRan::Fails).broken(), 1);
        assert_eq!(judged(none(), NoneRan::Passes).broken(), 0);
    }

    #[test]
    fn a_run_that_died_fails_although_no_test_did() {
        let died = tally("test result: ok. 7 passed; 0 failed; 0 ignored;", false);
        let count = judged(died, NoneRan::Fails);
        assert_eq!((count.passed, count.broken()), (7, 1));
    }

    #[test]
    fn part_names_are_distinct() {
        let names: BTreeSet<_> = PARTS.iter().map(|part| part.name).collect();
        assert_eq!(names.len(), PARTS.len());
    }
}
