//! The flags of the commands that look into a session store.

use std::ffi::{OsStr, OsString};

use clap::{Args, Subcommand};

use crate::print::Form;

#[derive(Debug, Subcommand)]
pub(crate) enum Sessions {
    /// Lists the live sessions of a user.
    #[command(after_help = LIST_HELP)]
    List(List),
    /// Shows one live session.
    #[command(after_help = SHOW_HELP)]
    Show(Show),
    /// Ends sessions: their users are logged out at their next request.
    #[command(after_help = REVOKE_HELP)]
    Revoke(Revoke),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Users {
    /// Ends all sessions of a user: logged out everywhere, on every node.
    #[command(after_help = USERS_REVOKE_HELP)]
    Revoke(RevokeUser),
}

/// Where to look, and how to say what is there.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The URL of the session store; it has to be there already.
    #[arg(
        long,
        value_name = "URL",
        env = "ANYNODE_STORE",
        hide_env_values = true
    )]
    pub(crate) store: String,
    /// Prints JSON, one object in each line, for programs.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// The user, as the application named them when they logged in.
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub(crate) user: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The public name of the session, 22 characters, as `sessions list` prints it.
    #[arg(value_name = "HANDLE")]
    pub(crate) handle: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The public names of the sessions, 22 characters each, as `sessions list` prints them.
    #[arg(value_name = "HANDLE", required = true, num_args = 1..)]
    pub(crate) handles: Vec<String>,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Whether to wait until every node knows.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Waiting {
    /// Does not wait until every node has confirmed it.
    #[arg(long)]
    no_wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeUser {
    /// The user, as the application named them when they logged in.
    #[arg(value_name = "NAME")]
    pub(crate) user: String,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// The characters of a handle, and those of a session id, which is a handle and a secret.
const HANDLE_CHARS: usize = 22;
pub(crate) const ID_CHARS: usize = 43;

/// The arguments with what may be handles at the end, behind `--`.
///
/// One handle in 64 begins with a hyphen and would be taken for a flag; so would a session id,
/// and the message would then repeat it, although it is a secret.
pub(crate) fn handles_last(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let takes_handles = arguments.get(1).is_some_and(|word| word == "sessions")
        && !arguments.iter().any(|argument| argument == "--");
    if takes_handles
        && arguments
            .iter()
            .any(|argument| begins_like_a_flag(argument))
    {
        let handles: Vec<OsString> = arguments
            .extract_if(2.., |argument| is_like_a_handle(argument))
            .collect();
        arguments.push("--".into());
        arguments.extend(handles);
    }
    arguments
}

/// A message about these arguments that repeats no session id and no URL with a password: clap
/// repeats what it did not expect.
pub(crate) fn without_secrets(message: &str, arguments: &[OsString]) -> String {
    let texts = arguments.iter().filter_map(|argument| argument.to_str());
    let parts = texts.flat_map(|text| [Some(text), text.split_once('=').map(|(_, value)| value)]);
    let secrets = parts.flatten().filter(|text| is_secret(text));
    secrets.fold(message.to_owned(), |message, secret| {
        message.replace(secret, "(not repeated: it may be a secret)")
    })
}

fn is_secret(text: &str) -> bool {
    let is_id = text.len() == ID_CHARS && is_like_a_handle(OsStr::new(text));
    is_id || (text.contains("://") && text.contains('@'))
}

fn begins_like_a_flag(argument: &OsStr) -> bool {
    is_like_a_handle(argument) && argument.as_encoded_bytes().starts_with(b"-")
}

fn is_like_a_handle(argument: &OsStr) -> bool {
    let bytes = argument.as_encoded_bytes();
    let is_base64url = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    matches!(bytes.len(), HANDLE_CHARS | ID_CHARS) && bytes.iter().all(is_base64url)
}

const LIST_HELP: &str = "\
Times left are by the clock of the store. Neither secrets nor data are shown.

With --json each line is one session:
  {\"handle\": text, \"user\": text or null, \"created_at\": RFC 3339 time,
   \"authenticated_at\": RFC 3339 time or null, \"idle_left_seconds\": number,
   \"absolute_left_seconds\": number, \"device\": text or null, \"address\": text or null}

A user without live sessions is no failure: exit code 0, and no line with --json.

Examples:
  anynode sessions list --store sqlite:sessions.db --user ada
  anynode sessions list --store sqlite:sessions.db --user ada --json | jq -r .handle";

const SHOW_HELP: &str = "\
With --json it prints one line as `anynode sessions list --json` does.

Exit code 1: no live session has this handle. Exit code 2: this is no handle.

Examples:
  anynode sessions show --store sqlite:sessions.db aW8Qb0fCTq2kYx3Jv5n1Rg";

const REVOKE_HELP: &str = "\
What was revoked stays dead, whatever is still being written to it. When all are ended, a last
line says which nodes have confirmed that they know, such as `3 of 3 nodes, 2 ms`. One that does
not confirm, because it was killed or hangs, is waited for until it cannot serve them any more,
which is a second unless the store may fail over; then the line says that.

With --json each line is one of the sessions asked for, in that order:
  {\"handle\": text, \"outcome\": \"ended\" | \"not-live\" | \"failed\",
   \"durability\": \"asynchronous\" | \"quorum\" | \"reasserted\" | \"majority\" | null,
   \"error\": text or null}
and after them comes one line more, unless there was nothing to wait for:
  {\"confirmed\": [name of a node, ...] or null, \"missing\": [name of a node, ...] or null,
   \"proof\": \"confirmed\" | \"validated\" | \"bound\" | \"unbounded\" | \"unknown\",
   \"milliseconds\": number}
with null where the store did not say which nodes there are. `validated`: every read of a node
asks the store. `bound`: no node may still serve them, because it has been too long. `unbounded`,
`unknown`: nothing is proven of the missing nodes.

Exit code 1: one of them was not live, or the store failed; the others are ended all the same.
Exit code 2: one of them is no handle; then nothing is done.

Examples:
  anynode sessions revoke --store sqlite:sessions.db aW8Qb0fCTq2kYx3Jv5n1Rg";

const USERS_REVOKE_HELP: &str = "\
It is one write, whatever the number of sessions, and also ends those that are being made at that
moment. The number printed is that of the sessions listed just before; none (null) when they
could not be listed. A second line says which nodes have confirmed that they know, as
`anynode sessions revoke` does.

With --json it prints one line, and that of `anynode sessions revoke` on the nodes after it:
  {\"user\": text, \"sessions\": number or null,
   \"durability\": \"asynchronous\" | \"quorum\" | \"reasserted\" | \"majority\"}

Examples:
  anynode users revoke --store sqlite:sessions.db ada";

// === impl Waiting ===

impl Waiting {
    pub(crate) fn is_wanted(self) -> bool {
        !self.no_wait
    }
}

// === impl Place ===

impl Place {
    pub(crate) fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &str, expected: &str) {
        let arguments = arguments.split(' ').map(OsString::from);
        let ordered = handles_last(arguments).join(OsStr::new(" "));
        assert_eq!(ordered, expected);
    }

    #[test]
    fn a_message_repeats_what_was_typed_unless_it_is_a_secret() {
        let id = "aW8Qb0fCTq2kYx3Jv5n1RgaW8Qb0fCTq2kYx3Jv5n1R";
        let said = |argument: &str| {
            let message = format!("unexpected argument '{argument}' found");
            without_secrets(&message, &["anynode".into(), argument.into()])
        };
        assert_eq!(said("--usr"), "unexpected argument '--usr' found");
        for secret in [id, &format!("--id={id}"), "redis://:hunter2@host"] {
            let said = said(secret);
            assert!(said.contains("not repeated"), "{said}");
            assert!(!said.contains(id) && !said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn a_handle_that_begins_with_a_hyphen_is_no_flag() {
        check(
            "anynode sessions revoke -W8Qb0fCTq2kYx3Jv5n1Rg aW8Qb0fCTq2kYx3Jv5n1Rg --json",
            "anynode sessions revoke --json -- -W8Qb0fCTq2kYx3Jv5n1Rg aW8Qb0fCTq2kYx3Jv5n1Rg",
        );
        for unchanged in [
            "anynode sessions show aW8Qb0fCTq2kYx3Jv5n1Rg --json",
            "anynode sessions show -- -W8Qb0fCTq2kYx3Jv5n1Rg",
            "anynode users revoke -W8Qb0fCTq2kYx3Jv5n1Rg",
        ] {
            check(unchanged, unchanged);
        }
    }
}
