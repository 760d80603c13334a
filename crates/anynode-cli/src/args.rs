//! The commands of the program and their flags.

mod doctor;
mod gateway;
mod sessions;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};

use self::doctor::DOCTOR_HELP;
pub(crate) use self::doctor::Doctor;
pub(crate) use self::gateway::{Config, ConfigCheck, Gateway, Until};
pub(crate) use self::sessions::{
    ID_CHARS, List, Place, Revoke, RevokeUser, Sessions, Show, Users, Waiting, handles_last,
    without_secrets,
};

/// The session tier of a horizontally scaled web application: any node can serve any request.
///
/// Without a command it is `anynode up`.
#[derive(Debug, Parser)]
#[command(
    name = "anynode",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "\
ANYNODE_LOG=off|error|warn|info|debug|trace says how much is logged on stderr; by default
errors, and of a gateway infos as well.

Exit codes: 0 done, 1 something failed or is not there, 2 called or configured wrongly.

Examples:
  anynode
  anynode gateway --config anynode.toml
  anynode sessions list --store sqlite:sessions.db --user ada
  anynode users revoke --store sqlite:sessions.db ada
  anynode doctor sqlite:sessions.db"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) up: Up,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Starts a demonstration on this machine: a gateway, nodes and a session store.
    Up(Up),
    /// Serves the sample application on a loopback port until stdin ends.
    ///
    /// `anynode up` starts its nodes with it. The first line on stdout is JSON and says where it
    /// serves. Whoever starts a node holds the other end of its stdin: when that ends, by
    /// `kill -9` too, so does the node. SIGTERM stops it as well, once it has answered what it
    /// was asked.
    Node(Node),
    /// Serves as the load balancer that a configuration describes, until it is asked to stop.
    Gateway(Gateway),
    /// Checks the configuration of a gateway.
    #[command(subcommand)]
    Config(Config),
    /// Lists, shows and ends sessions in a store.
    #[command(subcommand)]
    Sessions(Sessions),
    /// Ends all sessions of a user in a store.
    #[command(subcommand)]
    Users(Users),
    /// Says what a session store can promise, and what about it is unsafe.
    #[command(after_help = DOCTOR_HELP)]
    Doctor(Doctor),
    /// Prints completions for a shell.
    #[command(after_help = COMPLETIONS_HELP)]
    Completions(Completions),
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Where the gateway listens: a loopback address; port 0 takes a free port.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = loopback)]
    pub(crate) listen: SocketAddr,
    /// How many nodes serve the sample application.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u8).range(1..=MANY))]
    pub(crate) nodes: u8,
    /// The URL of the session store [default: sqlite:DIR/sessions.db]
    #[arg(
        long,
        value_name = "URL",
        env = "ANYNODE_STORE",
        hide_env_values = true
    )]
    pub(crate) store: Option<String>,
    /// Where the default store is kept; refused beside a store [default: $XDG_STATE_HOME/anynode, or ~/.local/state/anynode]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Whether the nodes keep copies of what is in the store.
    #[arg(long, value_name = "STRATEGY", default_value = "near-cache", value_parser = on_a_store())]
    pub(crate) strategy: Strategy,
}

/// More nodes than this on one machine show nothing more, and each is a process.
const MANY: i64 = 64;

/// Where a node keeps the sessions of its visitors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Strategy {
    /// In the store that all nodes share, with copies on each node for as long as they may be trusted.
    #[default]
    NearCache,
    /// In the store that all nodes share, which is asked for every session.
    Central,
    /// In its own memory, where no other node sees them and they die with it.
    Memory,
}

#[derive(Debug, Args)]
pub(crate) struct Node {
    /// What the node is called in its answers.
    #[arg(long, default_value = "n1")]
    pub(crate) name: String,
    /// Where it keeps sessions.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) strategy: Strategy,
    /// The URL of the session store; the strategy `memory` has none.
    #[arg(
        long,
        value_name = "URL",
        env = "ANYNODE_STORE",
        hide_env_values = true
    )]
    pub(crate) store: Option<String>,
    /// Where it listens: a loopback address; port 0 takes a free port.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0", value_parser = loopback)]
    pub(crate) listen: SocketAddr,
    /// Shows the other nodes and a second shop on this node's memory, as `anynode up` asks for.
    #[arg(long, hide = true)]
    pub(crate) demo: bool,
    /// Tells in every answer how old the knowledge of the session is, as proofs ask for.
    #[arg(long, hide = true)]
    pub(crate) tell_age: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell that is to complete our commands.
    #[arg(value_name = "SHELL")]
    pub(crate) shell: ShellName,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ShellName {
    Bash,
    Zsh,
    Fish,
}

const COMPLETIONS_HELP: &str = "\
Examples:
  anynode completions bash > ~/.local/share/bash-completion/completions/anynode
  anynode completions zsh > ~/.zfunc/_anynode
  anynode completions fish > ~/.config/fish/completions/anynode.fish";

/// How the store's URL reaches a node: other users may read the arguments of a process, but not its environment.
pub(crate) const STORE_VARIABLE: &str = "ANYNODE_STORE";

// === impl Strategy ===

impl Strategy {
    /// What the flag `--strategy` is told.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NearCache => "near-cache",
            Self::Central => "central",
            Self::Memory => "memory",
        }
    }
}

/// The strategies under which nodes share a store. What memory alone is like has a tab of its own.
fn on_a_store() -> impl TypedValueParser<Value = Strategy> {
    let shared = [Strategy::NearCache, Strategy::Central];
    let values = shared.iter().filter_map(Strategy::to_possible_value);
    PossibleValuesParser::new(values).try_map(|name| Strategy::from_str(&name, false))
}

/// Anybody may log in to the demonstration under any name, so it is not offered to a network.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "this is no address and port, such as 127.0.0.1:8080")?;
    if !address.ip().is_loopback() {
        return Err(
            "this is no loopback address, and a demonstration without passwords is not \
                    offered to a network"
                .to_owned(),
        );
    }
    Ok(address)
}
