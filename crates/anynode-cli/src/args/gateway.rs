//! The flags of the gateway and of its configuration.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::print::Form;

#[derive(Debug, Args)]
#[command(after_help = GATEWAY_HELP)]
pub(crate) struct Gateway {
    /// The configuration, a TOML file; docs/anynode.toml has every key.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Says where it serves as one line of JSON: {"address": "IP:PORT"}.
    #[arg(long)]
    json: bool,
    /// Stops when stdin ends, for a parent that holds its other end.
    #[arg(long)]
    with_parent: bool,
}

/// Until when the gateway serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// A signal asks it to stop.
    Asked,
    /// A signal asks it to stop, or its stdin ends.
    ParentEnds,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Says whether a gateway would start with this file, or all that is wrong with it.
    #[command(after_help = CHECK_HELP)]
    Check(ConfigCheck),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigCheck {
    /// The configuration of a gateway.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Prints one line of JSON, for programs.
    #[arg(long)]
    json: bool,
}

const GATEWAY_HELP: &str = "\
It prints one line when it serves, and logs to stderr from level info; ANYNODE_LOG changes that.

The file that `[backends] file` names is read again when it changes, and at once on SIGHUP. One
that cannot be used changes nothing: the backends stay as they are and the log says what is wrong.
Replace it by renaming another file over it. SIGTERM and SIGINT stop in order; twice stops at once.

Examples:
  anynode config check anynode.toml
  anynode gateway --config anynode.toml";

const CHECK_HELP: &str = "\
Files that the configuration names, backends and keys, are checked as well; nothing is started.

With --json it prints one line:
  {\"ok\": true, \"summary\": {\"listen\": text, \"balance\": text, \"affinity\": text,
   \"health\": text, \"backends\": number}}
  {\"ok\": false, \"errors\": [{\"file\": text, \"line\": number, \"column\": number,
   \"key\": text, \"message\": text}, ...]}

Exit code 2: it cannot be used.

Examples:
  anynode config check anynode.toml
  anynode config check --json anynode.toml | jq -r '.errors[].message'";

// === impl Gateway ===

impl Gateway {
    pub(crate) fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }

    pub(crate) fn until(&self) -> Until {
        if self.with_parent {
            Until::ParentEnds
        } else {
            Until::Asked
        }
    }
}

// === impl ConfigCheck ===

impl ConfigCheck {
    pub(crate) fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }
}
