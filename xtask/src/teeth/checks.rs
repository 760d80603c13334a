//! Runs checks and judges how they ended.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Error};

use super::plants::{Hang, Plant};
use crate::clock::Stopwatch;
use crate::test::libtest::{Count, Tally};
use crate::workspace::output_of;

/// A test program that has not ended by then hangs.
pub(crate) const RUN_TIME_MAX: Duration = Duration::from_secs(120);

/// The same for one that has laws tried on every kind of server.
pub(crate) const ON_SERVERS_MAX: Duration = Duration::from_secs(600);

/// How often a running test program is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Checks of several plants that are in the same test target.
pub(crate) struct Suite {
    pub(crate) package: &'static str,
    pub(crate) target: &'static [&'static str],
    pub(crate) checks: Vec<&'static str>,
}

/// Built test programs.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) paths: Vec<PathBuf>,
    /// Where the tests expect to run: the directory of their package.
    pub(crate) directory: PathBuf,
    /// A program that has not ended by then hangs.
    pub(crate) run_time_max: Duration,
    /// What each is told beyond the names of checks.
    pub(crate) arguments: &'static [&'static str],
}

/// How a run of checks ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All passed, and there was one at least.
    Green,
    /// Some failed.
    Red { failed: usize, ran: usize },
    /// There was no check to run.
    NoneRan,
    /// The program ended without saying how its tests did.
    Died,
    /// The program had to be stopped.
    Hung,
}

/// What became of a plant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Caught(Ending),
    Survived(Ending),
}

/// Groups the checks of the plants by test target.
pub(crate) fn suites(plants: &[&'static Plant]) -> Vec<Suite> {
    let mut groups: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for plant in plants {
        let checks = groups.entry((plant.package, plant.target)).or_default();
        checks.extend(plant.checks);
    }
    let suites = groups.into_iter().map(|((package, target), mut checks)| {
        checks.sort_unstable();
        checks.dedup();
        Suite {
            package,
            target,
            checks,
        }
    });
    suites.collect()
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.package, self.target.join(" "))
    }
}

impl Programs {
    /// The checks whose name is part of no test's name.
    ///
    /// # Errors
    /// When a program does not list its tests.
    pub(crate) fn checks_that_match_nothing<'a>(
        &self,
        checks: &[&'a str],
    ) -> Result<Vec<&'a str>, Error> {
        let mut tests = String::new();
        for path in &self.paths {
            let mut command = self.command(path, None);
            tests += &output_of(command.args(["--list", "--format", "terse"]))?;
        }
        let names: Vec<_> = tests
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .collect();
        let matches_none = |check: &&&str| !names.iter().any(|name| name.contains(**check));
        Ok(checks.iter().filter(matches_none).copied().collect())
    }

    /// Runs the tests that the checks name, and no others, with the bug or without one. What they
    /// say is added to the log.
    ///
    /// # Errors
    /// When a program cannot be started or watched.
    pub(crate) fn run(
        &self,
        checks: &[&str],
        bug: Option<&str>,
        log: &Path,
    ) -> Result<Ending, Error> {
        let mut sum = Count::default();
        for path in &self.paths {
            let said_before = std::fs::read(log).map_or(0, |said| said.len());
            let mut command = self.command(path, bug);
            command.args(checks).args(self.arguments);
            let Some(status) = self.watch(&mut command, log)? else {
                return Ok(Ending::Hung);
            };
            let said = std::fs::read(log)?.split_off(said_before);
            let Some(count) = count_of(&String::from_utf8_lossy(&said), status) else {
                return Ok(Ending::Died);
            };
            sum += count;
        }
        Ok(Ending::of(sum))
    }

    fn command(&self, program: &Path, bug: Option<&str>) -> Command {
        let mut command = Command::new(program);
        command
            .stdin(Stdio::null())
            .current_dir(&self.directory)
            .env("CARGO_MANIFEST_DIR", &self.directory)
            .env_remove("ANYNODE_PLANTED")
            .envs(bug.map(|bug| ("ANYNODE_PLANTED", bug)));
        command
    }

    /// Runs the program to its end and returns how it came out, or nothing if it had to be stopped.
    fn watch(&self, command: &mut Command, log: &Path) -> Result<Option<ExitStatus>, Error> {
        let log = OpenOptions::new().append(true).create(true).open(log)?;
        let watch = Stopwatch::start();
        let mut child = command
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if watch.elapsed() > self.run_time_max {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
    }
}

/// What the program said about its tests, unless it failed without saying so.
fn count_of(said: &str, status: ExitStatus) -> Option<Count> {
    let mut tally = Tally::default();
    said.lines().for_each(|line| tally.read_line(line));
    let names_its_failure = status.success() || tally.count.failed > 0;
    names_its_failure.then_some(tally.count)
}

impl Ending {
    fn of(count: Count) -> Self {
        let ran = count.passed + count.failed;
        match (ran, count.failed) {
            (0, _) => Self::NoneRan,
            (_, 0) => Self::Green,
            (_, failed) => Self::Red { failed, ran },
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Green => write!(f, "all checks passed"),
            Self::Red { failed, ran } => write!(f, "{failed} of {ran} checks failed"),
            Self::NoneRan => write!(f, "no check ran"),
            Self::Died => write!(f, "the checks died without a result"),
            Self::Hung => write!(f, "the checks did not end in time"),
        }
    }
}

impl Verdict {
    /// Judges a run of the plant's checks.
    pub(crate) fn of(ending: Ending, plant: &Plant) -> Self {
        match (ending, plant.hang) {
            (Ending::Red { failed, ran }, _) if failed < ran && plant.is_on_servers() => {
                Self::Survived(ending)
            }
            (Ending::Red { .. }, _) | (Ending::Hung, Hang::Catches) => Self::Caught(ending),
            _ => Self::Survived(ending),
        }
    }

    /// Whether a check caught the bug.
    pub(crate) fn is_catch(self) -> bool {
        matches!(self, Self::Caught(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caught(ending) => write!(f, "caught: {ending}"),
            Self::Survived(ending) => write!(f, "survived: {ending}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::teeth::plants::store::STORES;

    const PLANT: Plant = Plant {
        name: "planted",
        bug: "something goes wrong",
        package: "anynode-core",
        target: &["--lib"],
        checks: &["a", "b"],
        hang: Hang::Survives,
    };

    fn check(ending: Ending, hang: Hang, is_catch: bool) {
        let plant = Plant { hang, ..PLANT };
        assert_eq!(
            Verdict::of(ending, &plant).is_catch(),
            is_catch,
            "{ending:?}"
        );
    }

    /// Runs a shell as if it were a test program.
    fn ending_of(name: &str, script: &str, run_time_max: Duration) -> Ending {
        let log = std::env::temp_dir().join(format!("xtask-{}-{name}.txt", std::process::id()));
        let programs = Programs {
            paths: vec!["/bin/sh".into()],
            directory: std::env::temp_dir(),
            run_time_max,
            arguments: &[],
        };
        let ending = programs.run(&["-c", script], None, &log).unwrap();
        std::fs::remove_file(&log).unwrap();
        ending
    }

    #[test]
    fn a_bug_on_servers_is_caught_on_each_kind_or_not_at_all() {
        let plant = Plant {
            target: STORES,
            ..PLANT
        };
        let is_catch = |failed| Verdict::of(Ending::Red { failed, ran: 2 }, &plant).is_catch();
        assert!(is_catch(2));
        assert!(!is_catch(1));
    }

    #[test]
    fn only_a_failed_check_catches() {
        check(Ending::Red { failed: 1, ran: 3 }, Hang::Survives, true);
        check(Ending::Green, Hang::Survives, false);
        check(Ending::NoneRan, Hang::Survives, false);
        check(Ending::Died, Hang::Survives, false);
    }

    #[test]
    fn a_hang_catches_only_where_the_bug_is_to_hang() {
        check(Ending::Hung, Hang::Survives, false);
        check(Ending::Hung, Hang::Catches, true);
        check(Ending::Green, Hang::Catches, false);
    }

    #[test]
    fn the_ending_is_read_from_what_the_program_says() {
        let said = |passed: u8, failed: u8, code: u8| {
            let script = format!(
                "echo 'test result: x. {passed} passed; {failed} failed; 0 ignored'; exit {code}"
            );
            ending_of(&format!("{passed}{failed}{code}"), &script, RUN_TIME_MAX)
        };
        assert_eq!(said(3, 0, 0), Ending::Green);
        assert_eq!(said(2, 1, 101), Ending::Red { failed: 1, ran: 3 });
        assert_eq!(said(0, 0, 0), Ending::NoneRan);
        assert_eq!(said(3, 0, 101), Ending::Died);
    }

    #[test]
    fn a_program_that_dies_or_hangs_is_told_from_one_that_fails() {
        assert_eq!(
            ending_of("dies", "kill -ABRT $$", RUN_TIME_MAX),
            Ending::Died
        );
        assert_eq!(
            ending_of("hangs", "exec sleep 600", Duration::ZERO),
            Ending::Hung
        );
    }

    #[test]
    fn checks_of_one_target_run_together_once() {
        const OTHER: Plant = Plant {
            checks: &["b", "c"],
            ..PLANT
        };
        const ELSEWHERE: Plant = Plant {
            package: "anynode",
            ..PLANT
        };
        let suites = suites(&[&PLANT, &OTHER, &ELSEWHERE]);
        let found: Vec<_> = suites
            .iter()
            .map(|suite| (suite.package, suite.checks.as_slice()))
            .collect();
        assert_eq!(
            found,
            [
                ("anynode", &["a", "b"][..]),
                ("anynode-core", &["a", "b", "c"][..])
            ]
        );
    }
}
