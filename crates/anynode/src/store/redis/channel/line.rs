//! One connection of a channel: to one primary, with tracking switched on.

use std::{sync::Arc, time::Duration};

use anynode_core::{BarrierId, Timestamp, near::Sign};
use redis::{AsyncConnectionConfig, Cmd, Pipeline, Value, cmd};

use super::{
    hearing::{Hearing, Loss},
    member,
    name::Names,
    primary::Primary,
};
use crate::{
    clock::boot_time,
    store::redis::{
        connection::Connection,
        fault::Fault,
        fence::{self, Process},
        link::Setup,
    },
};

/// A connection to one primary on which everything written there is pushed.
pub(super) struct Line {
    connection: Connection,
    primary: Primary,
    /// Its number among the primaries of the channel.
    number: usize,
    names: Names,
    process: Process,
}

/// The write by which a primary proves that it takes writes and pushes them. It leaves nothing
/// behind. A script and no function, because a full server takes no functions (L13).
const HEARTBEAT: &str = "#!lua flags=allow-oom
redis.call('SET', KEYS[1], '')
redis.call('DEL', KEYS[1])
return redis.call('TIME')";

// === impl Line ===

impl Line {
    /// Connects to a primary and switches tracking on: everything written from now on is heard.
    ///
    /// # Errors
    /// When it cannot be reached, or does not track as it was told.
    pub(super) async fn open(
        setup: &Setup,
        primary: Primary,
        number: usize,
        names: Names,
        hearing: &Arc<Hearing>,
        until: Duration,
    ) -> Result<Self, Fault> {
        let (heard, read) = (hearing.clone(), names.clone());
        let config = AsyncConnectionConfig::new().set_push_sender(move |push| {
            heard.push(number, &read, &push);
            Ok::<(), ()>(())
        });
        let limit = until.saturating_sub(boot_time());
        let connection = setup.connect(&primary.address, config, limit).await?;
        let process = track(&connection, &names, until).await?;
        Ok(Self {
            connection,
            primary,
            number,
            names,
            process,
        })
    }

    /// Which process of the primary it leads to.
    pub(super) fn process(&self) -> &Process {
        &self.process
    }

    /// Its number among the primaries of the channel.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    pub(super) fn primary(&self) -> &Primary {
        &self.primary
    }

    /// Has the primary prove that it takes writes, pushes them, and that it knows of no other
    /// primary than `followed`.
    ///
    /// # Errors
    /// When it does not.
    pub(super) async fn beat(
        &self,
        barrier: BarrierId,
        followed: &[Primary],
        until: Duration,
    ) -> Result<Sign, Loss> {
        let mut pipe = Pipeline::new();
        match &self.primary.tag {
            Some(tag) => {
                let canary = self.names.canary(tag, barrier);
                pipe.add_command(eval(heartbeat(), &canary))
            }
            None => pipe.add_command(cmd("TIME")),
        };
        if self.primary.id.is_some() {
            pipe.add_command(member::command());
        }
        let replies = self.connection.send_all(&pipe, until).await;
        let mut replies = replies.map_err(Loss::Refused)?.into_iter();
        let mut reply = || replies.next().unwrap_or(Err(Fault::Lost));
        let at = time(&reply().map_err(Loss::Refused)?).map_err(Loss::Refused)?;
        if self.primary.id.is_some() {
            let view = member::read(&reply().map_err(Loss::Refused)?, &self.primary.address);
            let view = view.map_err(Loss::Refused)?;
            // Asked of this primary and not of any: whoever takes slots from it was made
            // known to it before.
            if !member::primaries(&view).all(|member| followed.iter().any(|one| one.is(member))) {
                return Err(Loss::Primaries);
            }
        }
        let has_canary = !anynode_core::planted("heartbeat_only_asks");
        Ok(match self.primary.tag {
            Some(_) if has_canary => Sign::Answer(at),
            _ => Sign::Bare(at),
        })
    }

    /// Sends a command.
    pub(super) async fn send(&self, command: &Cmd, until: Duration) -> Result<Value, Fault> {
        self.connection.send(command, until).await
    }

    /// Sends commands together; each has a reply of its own.
    pub(super) async fn send_all(
        &self,
        commands: &Pipeline,
        until: Duration,
    ) -> Result<Vec<Result<Value, Fault>>, Fault> {
        self.connection.send_all(commands, until).await
    }

    /// The primary's clock.
    pub(super) async fn time(&self, until: Duration) -> Result<Timestamp, Fault> {
        time(&self.connection.send(&cmd("TIME"), until).await?)
    }
}

/// Switches tracking on, and answers which process the connection leads to.
async fn track(connection: &Connection, names: &Names, until: Duration) -> Result<Process, Fault> {
    let mut on = cmd("CLIENT");
    on.arg("TRACKING").arg("ON").arg("BCAST");
    // Never NOLOOP: the node's own writes come back too, its canaries above all.
    for prefix in [&names.tracked, &names.own] {
        on.arg("PREFIX").arg(prefix);
    }
    let mut pipe = Pipeline::new();
    pipe.add_command(on);
    pipe.add_command(cmd("CLIENT").arg("TRACKINGINFO").take());
    pipe.add_command(fence::process_command());
    let mut replies = connection.send_all(&pipe, until).await?.into_iter();
    let mut reply = || replies.next().unwrap_or(Err(Fault::Lost));
    reply()?;
    match tracks(&reply()?) {
        true => fence::process(reply()?),
        // A proxy in between that answers as if it did.
        false => Err(Fault::Config(
            "the server does not track keys for this client; is a proxy in between?",
        )),
    }
}

fn heartbeat() -> &'static str {
    if anynode_core::planted("heartbeat_refused_when_full") {
        return "#!lua
redis.call('SET', KEYS[1], '')
redis.call('DEL', KEYS[1])
return redis.call('TIME')";
    }
    if anynode_core::planted("heartbeat_only_asks") {
        return "#!lua flags=no-writes
return redis.call('TIME')";
    }
    HEARTBEAT
}

/// A command that runs a script on one key.
fn eval(script: &str, key: &str) -> Cmd {
    cmd("EVAL").arg(script).arg(1).arg(key).take()
}

/// Whether what `CLIENT TRACKINGINFO` answered says that all writes are told.
fn tracks(info: &Value) -> bool {
    let Value::Map(fields) = info else {
        return false;
    };
    let flags = fields.iter().find(|(name, _)| text(name) == Some("flags"));
    let Some((_, Value::Array(flags) | Value::Set(flags))) = flags else {
        return false;
    };
    let has = |wanted| flags.iter().any(|flag| text(flag) == Some(wanted));
    has("on") && has("bcast") && !has("noloop")
}

/// The time that `TIME` answered.
fn time(value: &Value) -> Result<Timestamp, Fault> {
    let unreadable = || Fault::Corrupt("the time of the server");
    let Value::Array(parts) = value else {
        return Err(unreadable());
    };
    let mut parts = parts.iter().map(|part| text(part)?.parse::<u64>().ok());
    let (Some(Some(seconds)), Some(Some(micros))) = (parts.next(), parts.next()) else {
        return Err(unreadable());
    };
    Ok(Timestamp::from_millis(seconds * 1_000 + micros / 1_000))
}

/// The text of a reply that is one.
pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    }
}
