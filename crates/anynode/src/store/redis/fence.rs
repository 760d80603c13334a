//! What a primary says of the history of its writes.

use anynode_core::store::{Continued, Disk, Fence, History};
use redis::{Cmd, Value, cmd};

use super::{fault::Fault, reply};

/// What a server says of itself.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) fence: Fence,
    pub(super) role: Role,
    /// How many replicas are connected to it.
    pub(super) replicas: usize,
    /// Whether it has an append-only file at all.
    pub(super) appends: bool,
    /// Whether it does not tell the name of its data at this time: it is busy, or reads its data
    /// from disk. Until it has, it also says that it appends nothing.
    pub(super) is_unmarked: bool,
}

/// What a server takes itself for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Primary,
    Replica,
}

/// One start of one server: its run id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process(Box<str>);

/// Asks a server which process it is.
pub(super) fn process_command() -> Cmd {
    cmd("INFO").arg("server").take()
}

/// Which process answered that.
pub(super) fn process(reply: Value) -> Result<Process, Fault> {
    let text = reply::text(reply)?;
    let id = field(&text, "run_id");
    let id = id.ok_or(Fault::Corrupt("what the server says of itself"))?;
    Ok(Process(id.into()))
}

/// Asks a server what it is.
pub(super) fn command() -> Cmd {
    cmd("INFO")
        .arg(&["server", "replication", "persistence"])
        .take()
}

/// Asks a server when it writes to disk; it may refuse to tell.
pub(super) fn disk_command() -> Cmd {
    cmd("CONFIG").arg("GET").arg("appendfsync").take()
}

/// What a server said.
pub(super) fn read(reply: Value) -> Result<Said, Fault> {
    let text = reply::text(reply)?;
    said(&text).ok_or(Fault::Corrupt("what the server says of itself"))
}

/// Whether a reply to [`disk_command`] says that writes go to disk before they are
/// acknowledged.
pub(super) fn writes_first(reply: Value) -> Result<bool, Fault> {
    let mut items = reply::Items::of(reply)?;
    items.text()?;
    Ok(items.text()? == "always")
}

fn said(info: &str) -> Option<Said> {
    let field = |name| field(info, name);
    let history = History::new(field("master_replid")?);
    let before = field("master_replid2")?;
    let mut continues = Vec::new();
    // Zeros stand for none, and its offset is -1 then.
    if let Ok(until) = field("second_repl_offset")?.parse()
        && before.contains(|digit| digit != '0')
    {
        let history = History::new(before);
        continues.push(Continued { history, until });
    }
    let role = match field("role")? {
        "master" => Role::Primary,
        _ => Role::Replica,
    };
    Some(Said {
        fence: Fence {
            history,
            position: field("master_repl_offset")?.parse().ok()?,
            continues,
            process: History::new(field("run_id")?),
            disk: Disk::Later,
            mark: History::new(""),
        },
        role,
        replicas: field("connected_slaves")?.parse().ok()?,
        appends: field("aof_enabled") == Some("1"),
        is_unmarked: field("loading") == Some("1"),
    })
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = info.lines().filter_map(|line| line.split_once(':'));
    lines.find(|line| line.0 == name).map(|line| line.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nrun_id:9f75\r\n# Replication\r\nrole:master\r\n\
        connected_slaves:2\r\nmaster_replid:a46c\r\nmaster_replid2:d196\r\n\
        master_repl_offset:162\r\nsecond_repl_offset:100\r\n";

    #[test]
    fn a_primary_says_which_history_it_writes_and_which_it_goes_on_from() {
        let said = said(INFO).expect("readable");
        assert_eq!((said.role, said.replicas), (Role::Primary, 2));
        let (history, process) = (History::new("a46c"), History::new("9f75"));
        let before = Continued {
            history: History::new("d196"),
            until: 100,
        };
        let expected = Fence {
            history,
            position: 162,
            continues: vec![before],
            process,
            disk: Disk::Later,
            mark: History::new(""),
        };
        assert_eq!(said.fence, expected);
    }

    #[test]
    fn a_server_without_an_append_only_file_appends_nothing() {
        for (line, appends) in [
            ("", false),
            ("aof_enabled:0\r\n", false),
            ("aof_enabled:1\r\n", true),
        ] {
            let said = said(&format!("{INFO}{line}")).expect("readable");
            assert_eq!(said.appends, appends, "{line}");
        }
    }

    #[test]
    fn a_server_that_reads_its_file_does_not_tell_yet_what_its_data_is() {
        for (lines, is_unmarked) in [
            ("loading:1\r\naof_enabled:0\r\n", true),
            ("loading:0\r\naof_enabled:0\r\n", false),
            ("loading:0\r\naof_enabled:1\r\n", false),
        ] {
            let said = said(&format!("{INFO}{lines}")).expect("readable");
            assert_eq!(said.is_unmarked, is_unmarked, "{lines}");
        }
    }

    #[test]
    fn zeros_are_no_history() {
        let info = INFO.replace("d196", "0000").replace(":100", ":-1");
        assert_eq!(said(&info).expect("readable").fence.continues, []);
        assert!(said("role:master").is_none());
    }
}
