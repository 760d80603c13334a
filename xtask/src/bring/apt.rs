//! Downloads packages from the machine's own sources and unpacks them beside the system.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Error, bail, ensure};

use super::run::{is_present, said_by};

/// What the machine has itself, as its packages say.
const STATUS_OF_MACHINE: &str = "/var/lib/dpkg/status";

/// The machine's C library and what it consists of. Programs run on that one, because a second
/// dynamic loader would be the program that `/proc/self/exe` names, which Chromium starts again.
const BASE: &[&str] = &["libc6", "libcrypt1", "libgcc-s1"];

/// A private state of apt: its lists, its downloads and its view of what is installed.
#[derive(Debug)]
pub(super) struct Apt {
    root: PathBuf,
    /// Stanzas of [`BASE`], so that they do not come along.
    base: String,
    /// What reading the sources said; it may explain why a package is not found.
    update: String,
}

impl Apt {
    /// Reads the lists of the machine's sources into a new state at `root`.
    ///
    /// # Errors
    /// When the machine has no apt, or its sources cannot be read.
    pub(super) fn open(root: &Path) -> Result<Self, Error> {
        for program in ["apt-get", "dpkg-deb"] {
            ensure!(
                is_present(program),
                "this machine has no `{program}`, with which tools are unpacked"
            );
        }
        let status = fs::read_to_string(STATUS_OF_MACHINE)
            .with_context(|| format!("cannot read {STATUS_OF_MACHINE}"))?;
        fs::create_dir_all(root.join("state"))?;
        fs::create_dir_all(root.join("lists/partial"))?;
        let mut apt = Self {
            root: root.to_owned(),
            base: base_of(&status),
            update: String::new(),
        };
        fs::write(apt.root.join("apt.conf"), configuration(root)?)?;
        apt.declare_installed(&[])?;
        apt.update = said_by(apt.command().arg("update"))
            .context("apt cannot read the machine's package sources")?;
        Ok(apt)
    }

    /// Unpacks the packages, with all that they need and but for `without`, into `tree`, and
    /// returns name, version and architecture of each.
    ///
    /// # Errors
    /// When a package is unknown or cannot be downloaded or unpacked.
    pub(super) fn unpack(
        &self,
        packages: &[&str],
        without: &[&str],
        tree: &Path,
    ) -> Result<Vec<String>, Error> {
        let archives = self.root.join("cache/archives");
        fs::create_dir_all(archives.join("partial"))?;
        self.declare_installed(without)?;
        let mut install = self.command();
        install.arg("install").args(packages);
        said_by(&mut install).with_context(|| {
            let update = self.update.trim();
            format!("apt cannot fetch {}\n{update}", packages.join(", "))
        })?;
        let mut unpacked = Vec::new();
        for archive in debs_in(&archives)? {
            said_by(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(tree))?;
            let stem = archive.file_stem().context("a package has a name")?;
            unpacked.push(stem.to_string_lossy().replace("%3a", ":"));
        }
        fs::remove_dir_all(&archives)?;
        if let Some(libc) = unpacked.iter().find(|name| name.starts_with("libc6_")) {
            bail!("the package sources are newer than this machine: they need {libc}");
        }
        Ok(unpacked)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("apt-get");
        command
            .arg("-c")
            .arg(self.root.join("apt.conf"))
            .args(["-q", "-y"])
            .env("LC_ALL", "C")
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    /// Makes apt believe that the base is installed, and these packages in any version.
    fn declare_installed(&self, names: &[&str]) -> Result<(), Error> {
        let mut status = self.base.clone();
        for name in names {
            status.push_str(&format!(
                "Package: {name}\nStatus: install ok installed\nArchitecture: all\n\
                 Multi-Arch: foreign\nMaintainer: nobody\nVersion: 9999:0\n\
                 Description: not needed\n\n"
            ));
        }
        let path = self.root.join("status");
        fs::write(&path, status).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The stanzas of the base in dpkg's status, each followed by an empty line.
fn base_of(status: &str) -> String {
    let is_base = |stanza: &&str| {
        let name = stanza
            .lines()
            .find_map(|line| line.strip_prefix("Package: "));
        name.is_some_and(|name| {
            BASE.contains(&name) || (name.starts_with("gcc-") && name.ends_with("-base"))
        })
    };
    let stanzas = status.split("\n\n").filter(is_base);
    stanzas
        .map(|stanza| format!("{}\n\n", stanza.trim()))
        .collect()
}

/// Everything that apt would write lies below `root`; the machine's hooks, which clean its own
/// cache, do not run.
fn configuration(root: &Path) -> Result<String, Error> {
    let root = root.to_str().filter(|root| !root.contains(['"', '\n']));
    let root = root.context("the path of the target directory has a quote or is not UTF-8")?;
    Ok(format!(
        r#"Dir::State "{root}/state/";
Dir::State::lists "{root}/lists/";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache/";
Dir::Log "{root}/state/";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
APT::Get::Download-Only "true";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
"#
    ))
}

/// The package files of a directory, in the order of their names.
fn debs_in(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut debs = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            debs.push(path);
        }
    }
    debs.sort();
    Ok(debs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_the_c_library_and_its_parts_alone() {
        let status = "Package: libc6-dev\nVersion: 1\n\nPackage: libc6\nVersion: 2\n\n\
                      Package: gcc-12\nVersion: 3\n\nPackage: gcc-12-base\nVersion: 4\n";
        assert_eq!(
            base_of(status),
            "Package: libc6\nVersion: 2\n\nPackage: gcc-12-base\nVersion: 4\n\n"
        );
    }

    #[test]
    fn a_path_that_would_end_a_value_of_the_configuration_is_refused() {
        assert!(configuration(Path::new("/target/tools")).is_ok());
        assert!(configuration(Path::new("/a\"; Dir \"/b")).is_err());
    }
}
