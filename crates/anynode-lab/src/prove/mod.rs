//! The rows of claims: each makes its own trials and counts those that could have failed.

mod child;
pub mod lost_updates;
pub mod risen_sessions;

use std::{fmt, path::PathBuf, sync::Arc};

use anynode_core::Store;

/// A proof could not be carried out, or the claim does not hold.
#[derive(Debug)]
pub struct Failed(String);

/// What a proof found.
pub trait Finding: fmt::Display {
    /// What is short of the claim; nothing when it holds.
    fn shortfalls(&self) -> Vec<String>;
}

/// Prints a finding, and fails when it is short of its claim.
///
/// # Errors
/// When the claim does not hold, or the proof could not be carried out.
pub fn report<F: Finding>(finding: Result<F, Failed>) -> Result<(), Failed> {
    let finding = finding?;
    println!("{finding}");
    let shortfalls = finding.shortfalls();
    if shortfalls.is_empty() {
        println!("holds");
        return Ok(());
    }
    Err(Failed(format!("does not hold: {}", shortfalls.join("; "))))
}

/// The store of a proof: the one that was named, or a file of its own that is removed at the
/// end.
struct Ground {
    url: String,
    _directory: Option<tempfile::TempDir>,
}

impl Ground {
    fn of(url: Option<&String>) -> Result<Self, Failed> {
        if let Some(url) = url {
            return Ok(Self {
                url: url.clone(),
                _directory: None,
            });
        }
        let directory = tempfile::tempdir()?;
        let path: PathBuf = directory.path().join("sessions.db");
        Ok(Self {
            url: format!("sqlite:{}", path.display()),
            _directory: Some(directory),
        })
    }

    async fn open(&self) -> Result<Arc<dyn Store>, Failed> {
        Ok(anynode::store::open(&self.url).await?)
    }
}

fn random() -> u64 {
    getrandom::u64().expect("the operating system gives random bytes")
}

// === impl Failed ===

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<anynode_core::Error> for Failed {
    fn from(error: anynode_core::Error) -> Self {
        Self(format!("{error:?}"))
    }
}
