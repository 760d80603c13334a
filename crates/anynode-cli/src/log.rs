//! Log lines on stderr, as many as `ANYNODE_LOG` asks for.

use std::env;
use std::io;

use anyhow::Error;
use tracing_subscriber::filter::LevelFilter;

use crate::misuse::Misuse;

const VARIABLE: &str = "ANYNODE_LOG";

/// What is logged unless the variable says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Default {
    /// Of a command that prints what it has to say.
    Errors,
    /// Of a server that goes on for months and says what happens to it.
    Infos,
}

/// Starts logging.
///
/// # Errors
/// [`Misuse`] when the variable holds no level.
pub(crate) fn start(default: Default) -> Result<(), Error> {
    let level = match env::var(VARIABLE) {
        Ok(text) => text.parse().map_err(|_| unknown())?,
        Err(env::VarError::NotPresent) => match default {
            Default::Errors => LevelFilter::ERROR,
            Default::Infos => LevelFilter::INFO,
        },
        Err(env::VarError::NotUnicode(_)) => return Err(unknown().into()),
    };
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .log_internal_errors(false);
    // A program around this library may have its own.
    let _ = lines.try_init();
    Ok(())
}

fn unknown() -> Misuse {
    Misuse(format!(
        "{VARIABLE} has to be off, error, warn, info, debug or trace"
    ))
}
