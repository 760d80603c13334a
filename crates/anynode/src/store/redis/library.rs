//! The functions that run on the servers, and how a server is given them.

use std::{sync::LazyLock, time::Duration};

use super::{
    fault::{Fault, Refusal},
    link::Link,
};

/// All of them as one text, in the order in which they use each other.
const CODE: &str = concat!(
    include_str!("library/judge.lua"),
    include_str!("library/session.lua"),
    include_str!("library/user.lua"),
    include_str!("library/upkeep.lua"),
);

/// Where the text stops being functions and begins to register them.
const REGISTRATION: &str = "local function register(";

/// What the names of functions begin with.
pub(super) const NAMES: &str = "anynode_1_";

/// The functions that run when memory is full.
pub(super) const WHEN_FULL: [&str; 13] = [
    "load", "touch", "revoke", "outdate", "entry", "leave", "page", "due", "sweep", "reap", "tidy",
    "bucket", "item",
];

/// Gives a server the functions. One that got them meanwhile has them, and that is as good.
pub(super) async fn teach(link: &Link, until: Duration) -> Result<(), Fault> {
    let mut command = redis::cmd("FUNCTION");
    command.arg("LOAD").arg(CODE);
    match link.send(&command, until).await {
        Ok(_) | Err(Fault::Refused(Refusal::HasLibrary)) => Ok(()),
        Err(Fault::Stopped(_)) => Err(Fault::Config("the server does not take the functions")),
        Err(fault) => Err(fault),
    }
}

/// The same functions as a script, which calls the one that its first argument names.
///
/// A server whose memory is full takes no functions, and one that forgot them then could end no
/// session (L13). It still runs a script that says it may.
pub(super) fn script() -> &'static str {
    static SCRIPT: LazyLock<String> = LazyLock::new(|| {
        let (functions, _) = CODE.split_once(REGISTRATION).unwrap_or((CODE, ""));
        let (_, functions) = functions.split_once('\n').unwrap_or(("", functions));
        let mut script = format!("#!lua flags=allow-oom\n{functions}\nlocal all = {{");
        for name in WHEN_FULL {
            script.push_str(&format!(" {name} = {name},"));
        }
        script.push_str(" }\nreturn all[table.remove(ARGV, 1)](KEYS, ARGV)\n");
        script
    });
    &SCRIPT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_when_memory_is_full_is_what_is_registered_so() {
        for name in WHEN_FULL {
            let line = format!("register('{name}', {name}, FULL)");
            assert!(CODE.contains(&line), "{name}");
        }
        assert_eq!(CODE.matches(", FULL)").count(), WHEN_FULL.len());
        assert!(!script().contains("register"));
    }
}
