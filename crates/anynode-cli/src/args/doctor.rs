//! The flags of `anynode doctor`.

use clap::Args;

use crate::print::Form;

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The URL of the session store; it has to be there already.
    #[arg(value_name = "URL", env = "ANYNODE_STORE", hide_env_values = true)]
    pub(crate) store: String,
    /// Writes nothing, so that the invalidation channel is not tried.
    #[arg(long)]
    pub(crate) look_only: bool,
    /// Prints one line of JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(crate) fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }
}

pub(super) const DOCTOR_HELP: &str = "\
A URL that holds a password is better given as ANYNODE_STORE: other users of the machine may read
the arguments of a process.

The channel is tried by 64 sessions of nobody, which end within a minute, and by logging out a user
who is nobody (anynode-doctor); no session of anybody is read or changed.

With --json it prints one object:
  {\"store\": text, \"version\": text, \"clock\": \"store\" | \"node\",
   \"durability\": \"asynchronous\" | \"quorum\" | \"reasserted\" | \"majority\",
   \"deposed_seconds\": number, or null when nothing bounds it,
   \"points\": [{\"point\": text, \"found\": text, \"verdict\": \"safe\" | \"caution\" | \"unsafe\",
               \"why\": text or null, \"change\": text or null}],
   \"unsafe\": number, \"cautions\": number}

Exit code 0: nothing is unsafe. Exit code 1: something is, or the store cannot be reached.

Examples:
  anynode doctor sqlite:sessions.db
  anynode doctor rediss://cache.example.com --json | jq .unsafe";
