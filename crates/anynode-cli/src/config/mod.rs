//! The configuration of a gateway: a TOML file, read strictly and as a whole, into what the gateway takes.

mod affinity;
mod backends;
pub(crate) mod check;
mod key;
mod section;
mod settings;
mod source;
#[cfg(test)]
mod tests;
mod value;

use std::path::{Path, PathBuf};

use anynode_gateway::{Affinity, Backend, GatewayConfig};

use self::section::{Report, Section};
use self::source::Source;
pub(crate) use self::source::{Finding, Findings, read};
use crate::misuse::Misuse;

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// What the gateway is started with.
    pub(crate) gateway: GatewayConfig,
    /// The file of the backends, if it is not the configuration itself.
    pub(crate) backends_file: Option<BackendsFile>,
}

/// A file of backends that is read again when it changes.
#[derive(Clone, Debug)]
pub(crate) struct BackendsFile {
    /// Where it is; a relative path starts at the directory of the configuration.
    pub(crate) path: PathBuf,
    /// What it held when the configuration was read.
    pub(crate) bytes: Vec<u8>,
}

/// Reads the configuration in this file.
///
/// # Errors
/// [`Misuse`] when the file cannot be read; in the inner result all that is wrong with it.
pub(crate) fn load(path: &Path) -> Result<Result<Config, Findings>, Misuse> {
    let bytes = read(path)
        .map_err(|error| Misuse(format!("{}: cannot be read: {error}", path.display())))?;
    let directory = path.parent().unwrap_or(Path::new(""));
    Ok(Source::new(path, bytes).and_then(|source| parse(&source, directory)))
}

/// Reads the backends in the text of their file.
///
/// # Errors
/// All that is wrong with it.
pub(crate) fn parse_backends(path: &Path, bytes: Vec<u8>) -> Result<Vec<Backend>, Findings> {
    let source = Source::new(path, bytes)?;
    let report = Report::new(&source);
    let table = report.parse();
    let mut root = Section::root(table.get_ref(), &report);
    let backends = backends::read(&mut root);
    if !root.has("backend") {
        // A file that is being written is empty for a moment, and that must not empty the pool.
        root.refuse(
            "backend",
            "there is none; add [[backend]] tables, or write `backend = []` to have none",
        );
    }
    root.finish();
    drop(table);
    report.findings().map(|()| backends)
}

fn parse(source: &Source, directory: &Path) -> Result<Config, Findings> {
    let report = Report::new(source);
    let (config, files) = {
        let table = report.parse();
        let root = Section::root(table.get_ref(), &report);
        read_root(root, directory)
    };
    let mut findings = report.findings().err().map_or(Vec::new(), |of| of.0);
    findings.extend(files.0);
    if findings.is_empty() {
        // Every key was looked at where it stands; what is left, the gateway alone knows.
        let checked = config.gateway.check();
        findings.extend(
            checked
                .err()
                .map(|error| source.finding(0, "", &error.to_string())),
        );
    }
    if findings.is_empty() {
        return Ok(config);
    }
    Err(Findings(findings))
}

/// Reads everything; what is wrong in other files comes back beside it.
fn read_root(mut root: Section<'_>, directory: &Path) -> (Config, Findings) {
    let listen = root.required("listen", "\"127.0.0.1:8080\"", value::address);
    // Something to go on with, so that the rest of the file is read as well.
    let listen_or_any = listen.unwrap_or(([127, 0, 0, 1], 0).into());
    let mut gateway = GatewayConfig::new(listen_or_any, Vec::new());
    settings::read(&mut root, &mut gateway);
    let affinity = affinity::read(root.table("affinity"), directory);
    gateway.affinity = affinity.unwrap_or(Affinity::None);

    let mut place = root.table("backends");
    let file = place.optional("file", value::text(1..=4096));
    let inline = backends::read(&mut root);
    let mut findings = Findings(Vec::new());
    let backends_file = match file {
        Some(_) if root.has("backend") => {
            place.refuse(
                "file",
                "there are [[backend]] tables as well; keep one of the two",
            );
            None
        }
        Some(name) => match read_backends(&directory.join(name)) {
            Ok((file, backends)) => {
                gateway.backends = backends;
                Some(file)
            }
            Err(Unusable::Unread(message)) => {
                place.refuse("file", &message);
                None
            }
            Err(Unusable::Wrong(of)) => {
                findings = of;
                None
            }
        },
        None => {
            if !root.has("backend") && !place.has("file") {
                root.refuse(
                    "backend",
                    "there are no backends; add [[backend]] tables, or a file of them under [backends]",
                );
            }
            gateway.backends = inline;
            None
        }
    };
    place.finish();
    root.finish();
    let config = Config {
        gateway,
        backends_file,
    };
    (config, findings)
}

/// Why there are no backends from a file.
enum Unusable {
    Unread(String),
    Wrong(Findings),
}

fn read_backends(path: &Path) -> Result<(BackendsFile, Vec<Backend>), Unusable> {
    let bytes = read(path)
        .map_err(|error| Unusable::Unread(format!("{} cannot be read: {error}", path.display())))?;
    let backends = parse_backends(path, bytes.clone()).map_err(Unusable::Wrong)?;
    let file = BackendsFile {
        path: path.to_owned(),
        bytes,
    };
    Ok((file, backends))
}
