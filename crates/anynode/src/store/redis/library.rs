//! The functions that run on the servers, and how a server is given them.

use std::{sync::LazyLock, time::Duration};

use super::{
    fault::{Fault, Refusal},
    link::Link,
};
use crate::store::planted::{Bug, with_bug};

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

/// What may be planted into the functions.
const BUGS: &[Bug] = &[
    Bug {
        planted: "redis_revoke_only_deletes",
        good: "if until_ms > now then",
        bad: "if false then",
    },
    Bug {
        planted: "redis_revocation_is_not_told",
        good: "redis.call('SET', name, '', 'PX', 1000)",
        bad: "",
    },
    Bug {
        planted: "redis_replace_ignores_the_version",
        good: "if head.version ~= write.base then",
        bad: "if false then",
    },
    Bug {
        planted: "redis_touch_revives",
        good: "local head = idle > now\n      and read_head",
        bad: "local head = read_head",
    },
    Bug {
        planted: "redis_touch_is_told",
        good: "redis.call('ZADD', keys[1], 'XX', whole(later), handle)",
        bad: "redis.call('ZADD', keys[1], 'XX', whole(later), handle)
         redis.call('PEXPIREAT', args[1] .. ':k:s:{' .. args[2] .. '}:' .. text_of(handle),
           whole(head.deadline))",
    },
    Bug {
        planted: "redis_epoch_counts_from_zero",
        good: "math.max(before + 1, clock_micros())",
        bad: "before + 1",
    },
    Bug {
        planted: "redis_sweep_forgets_epoch_deaths",
        good: "if head.user ~= '' and not admits(entry, handle, head.stamp) then",
        bad: "if false then",
    },
    // The same where the entries of users are elsewhere.
    Bug {
        planted: "redis_sweep_forgets_epoch_deaths",
        good: "if args[at + 2] == 'bury' then",
        bad: "if false then",
    },
    Bug {
        planted: "redis_replica_answers_load",
        good: "register('load', load, FULL)",
        bad: "register('load', load, { 'allow-oom', 'no-writes' })",
    },
    Bug {
        planted: "redis_revoke_needs_memory",
        good: "register('revoke', revoke, FULL)",
        bad: "register('revoke', revoke, {})",
    },
];

/// Gives a server the functions. One that got them meanwhile has them, and that is as good.
pub(super) async fn teach(link: &Link, until: Duration) -> Result<(), Fault> {
    let mut command = redis::cmd("FUNCTION");
    command.arg("LOAD").arg(&*with_bug(CODE, BUGS));
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
    use sha2::{Digest, Sha256};

    use super::*;

    /// A server keeps the functions that it was given first: under the same number, a node with
    /// others would run those.
    #[test]
    fn functions_that_changed_have_another_number() {
        let digest = Sha256::digest(CODE);
        let known = ("anynode_1_", [0x16, 0x85, 0x34, 0xdc]);
        assert_eq!(
            (NAMES, &digest[..4]),
            (known.0, &known.1[..]),
            "give changed functions the next number, and note it here with their digest"
        );
    }

    #[test]
    fn what_runs_when_memory_is_full_is_what_is_registered_so() {
        for name in WHEN_FULL {
            let line = format!("register('{name}', {name}, FULL)");
            assert!(CODE.contains(&line), "{name}");
        }
        assert_eq!(CODE.matches(", FULL)").count(), WHEN_FULL.len());
        assert!(!script().contains("register"));
    }

    #[test]
    fn every_bug_has_a_place() {
        for Bug { good, .. } in BUGS {
            assert_eq!(CODE.matches(good).count(), 1, "{good}");
        }
    }
}
