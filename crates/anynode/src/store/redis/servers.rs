//! Calls on the servers: tried again where that helps and time is left, and honest about what
//! may have happened.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use anynode_core::store::{Error, Result};
use redis::Value;
use tokio::task::JoinSet;

use super::{
    call::Call,
    connection::Connection,
    fault::{Fault, Nature, Refusal, Remedy},
    followed::Followed,
    gate::Gate,
    keys::Keys,
    library,
    link::{Link, Setup, jittered},
    options::Target,
    topology::Topology,
};
use crate::{clock::boot_time, store::net::Address};

/// The servers of one store, as one node sees them.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) topology: Topology,
    pub(super) setup: Arc<Setup>,
    pub(super) keys: Keys,
    /// Whether the user may not ask when servers write to disk; each try is logged there.
    pub(super) is_disk_secret: AtomicBool,
    pub(super) followed: Followed,
    pub(super) gate: Arc<Gate>,
    deadline: Duration,
}

/// A reply, and whether an earlier try of the call may have been performed as well.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) value: Value,
    pub(super) repeated: bool,
}

/// Why a call failed at last, and whether one of its tries may have been performed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) fault: Fault,
    pub(super) happened: bool,
}

/// How often one call is tried: far more often than its deadline allows with pauses between.
const TRIES_MAX: u32 = 256;

/// How long a server may take to tell which process it is.
const PROCESS_MAX: Duration = Duration::from_secs(1);

/// How much time another try needs at least.
const TRY_LEAST: Duration = Duration::from_millis(200);

/// How often one server that does not let itself be connected to is tried by one call. There
/// is no other to turn to, and the caller is better told soon.
const LONE_TRIES_MAX: u32 = 4;

/// How many calls are sent together.
const TOGETHER_MAX: usize = 256;

// === impl Servers ===

impl Servers {
    pub(super) fn new(target: &Target, deadline: Duration) -> Self {
        let setup = Arc::new(Setup::new(target));
        Self {
            topology: Topology::new(target, setup.clone()),
            keys: Keys::new(&target.prefix),
            is_disk_secret: AtomicBool::new(false),
            followed: Followed::default(),
            gate: setup.gate.clone(),
            setup,
            deadline,
        }
    }

    /// When a call that begins now has to end, on the boot clock.
    pub(super) fn until(&self) -> Duration {
        boot_time() + self.deadline
    }

    /// What functions are told when everything is on one server: then they read the entry of
    /// a user themselves.
    pub(super) fn alone(&self) -> &'static str {
        if self.topology.is_cluster() {
            ""
        } else {
            "alone"
        }
    }

    /// Calls a function.
    ///
    /// # Errors
    /// As the fault says, for the verb.
    pub(super) async fn call(
        &self,
        verb: &'static str,
        call: &Call,
        until: Duration,
    ) -> Result<Answer> {
        let answer = self.perform(call, until).await;
        answer.map_err(|failure| failure.error(verb, call.nature()))
    }

    /// Calls functions together; the replies have the order of the calls.
    ///
    /// # Errors
    /// That of the first call that failed.
    pub(super) async fn call_all(
        &self,
        verb: &'static str,
        calls: &[Call],
        until: Duration,
    ) -> Result<Vec<Value>> {
        let mut replies: Vec<Option<Value>> = calls.iter().map(|_| None).collect();
        let mut happened = false;
        // Where nobody knows whom to ask, nothing was sent. Each is tried by itself below.
        for (number, reply) in self.send_together(calls, until).await.unwrap_or_default() {
            match reply {
                Ok(value) => replies[number] = Some(value),
                Err(fault) => happened |= fault.may_have_happened(),
            }
        }
        let mut all = Vec::with_capacity(calls.len());
        for (call, reply) in calls.iter().zip(replies) {
            all.push(match reply {
                Some(value) => value,
                None => match self.perform(call, until).await {
                    Ok(answer) => answer.value,
                    Err(mut failure) => {
                        failure.happened |= happened;
                        return Err(failure.error(verb, call.nature()));
                    }
                },
            });
        }
        Ok(all)
    }

    /// Tries a call until it is answered, refused for good, or late.
    pub(super) async fn perform(&self, call: &Call, until: Duration) -> Result<Answer, Failure> {
        let mut happened = false;
        let mut asked: Option<Arc<Link>> = None;
        let mut attempt = 0;
        let mut script = None;
        loop {
            let command = script.take().unwrap_or_else(|| call.command(happened));
            let (link, reply) = match asked.take() {
                Some(link) => (
                    Some(link.clone()),
                    send_asking(&link, &command, until).await,
                ),
                None => match self.way(call, until).await {
                    Ok((link, connection)) => {
                        let reply = link.ask(&connection, &command, until).await;
                        (Some(link), reply.map(|value| (value, connection)))
                    }
                    Err((link, fault)) => (link, Err(fault)),
                },
            };
            let fault = match reply {
                Ok((value, connection)) => {
                    self.note(&connection, until).await;
                    let repeated = happened;
                    return Ok(Answer { value, repeated });
                }
                Err(fault) => fault,
            };
            // What went wrong while somebody was asked for the primary happened to no call.
            happened |= link.is_some() && fault.may_have_happened();
            attempt += 1;
            match self.mend(&fault, link.as_ref(), attempt, until).await {
                Mended::Again => {}
                Mended::At(link) => asked = Some(link),
                Mended::ByScript(fault) => match call.script() {
                    Some(command) => script = Some(command),
                    None => return Err(Failure { fault, happened }),
                },
                Mended::Not => return Err(Failure { fault, happened }),
                Mended::Worse(fault) => return Err(Failure { fault, happened }),
            }
        }
    }

    /// The connection to the primary that a call goes to. A call that has to believe it waits
    /// until that is possible.
    async fn way(
        &self,
        call: &Call,
        until: Duration,
    ) -> Result<(Arc<Link>, Arc<Connection>), (Option<Arc<Link>>, Fault)> {
        loop {
            // While it waits, another may become the primary.
            let link = self.topology.primary(call.slot(), until).await;
            let link = link.map_err(|fault| (None, fault))?;
            let failed = |fault| (Some(link.clone()), fault);
            let connection = link.connection(until).await.map_err(failed)?;
            if call.goes_first() || self.gate.lets(&connection) {
                return Ok((link, connection));
            }
            self.gate.wait(&link, &connection, until).await;
            if let Some(refusal) = connection.refusal() {
                return Err(failed(Fault::Refused(refusal)));
            }
            // What is sent later than that is not answered in time, and may have happened.
            if boot_time() + TRY_LEAST >= until {
                return Err(failed(Fault::Awaited));
            }
        }
    }

    /// Notes who answered a call, if somebody may keep what it says.
    async fn note(&self, connection: &Connection, until: Duration) {
        if self.followed.is_any() {
            // Nobody waits long for that: the call has been answered.
            let until = until.min(boot_time() + PROCESS_MAX);
            let process = connection.process(until).await;
            self.followed.answered(process.ok());
        }
    }

    /// Does what a fault asks for.
    async fn mend(
        &self,
        fault: &Fault,
        link: Option<&Arc<Link>>,
        attempt: u32,
        until: Duration,
    ) -> Mended {
        if attempt >= TRIES_MAX || boot_time() >= until {
            return Mended::Not;
        }
        match (fault.remedy(), link) {
            // Its replicas may be gone because another was promoted in its place.
            (Remedy::Tell, _) if matches!(fault, Fault::Refused(Refusal::NoReplicas)) => {
                self.topology.distrust(link);
                return Mended::Not;
            }
            (Remedy::Tell, _) | (Remedy::Teach | Remedy::Follow(..) | Remedy::Ask(_), None) => {
                return Mended::Not;
            }
            (Remedy::Teach, Some(link)) => match library::teach(link, until).await {
                Ok(()) => {}
                Err(fault @ Fault::Refused(Refusal::Full)) => return Mended::ByScript(fault),
                Err(fault) if fault.remedy() == Remedy::Tell => return Mended::Worse(fault),
                Err(_) => self.topology.distrust(Some(link)),
            },
            (Remedy::Follow(slot, place), Some(link)) => {
                if let Err(fault) = self.topology.node_at(&place, link) {
                    return Mended::Worse(fault);
                }
                self.topology.follow(slot, &place, link);
            }
            (Remedy::Ask(place), Some(link)) => {
                return match self.topology.node_at(&place, link) {
                    Ok(link) => Mended::At(link),
                    Err(fault) => Mended::Worse(fault),
                };
            }
            (Remedy::Resolve, link) => {
                let is_lone = matches!(self.topology, Topology::Single(_));
                if is_lone && attempt >= LONE_TRIES_MAX {
                    return Mended::Not;
                }
                self.topology.distrust(link);
            }
            (Remedy::Wait, _) => {}
        }
        // The first new try goes out at once: most faults are over when they are seen.
        if attempt > 1 {
            let pause = jittered(attempt - 1);
            let left = until.saturating_sub(boot_time());
            // A try that cannot be answered in time would hide why the others failed.
            if left < pause + TRY_LEAST {
                return Mended::Not;
            }
            tokio::time::sleep(pause).await;
        }
        Mended::Again
    }

    /// Sends calls to the primaries that have their slots, once, each server's together.
    ///
    /// # Errors
    /// When nobody tells which primary has a slot; then nothing was sent.
    async fn send_together(
        &self,
        calls: &[Call],
        until: Duration,
    ) -> Result<Vec<(usize, Result<Value, Fault>)>, Fault> {
        let mut batches: HashMap<Address, (Arc<Link>, Vec<usize>)> = HashMap::new();
        for (number, call) in calls.iter().enumerate() {
            let link = self.topology.primary(call.slot(), until).await?;
            let batch = batches.entry(link.address().clone());
            batch.or_insert((link, Vec::new())).1.push(number);
        }
        let mut sending = JoinSet::new();
        for (link, numbers) in batches.into_values() {
            // Each call waits by itself.
            let connection = link.connection(until).await;
            let connection = connection.ok().filter(|it| self.gate.lets(it));
            let Some(connection) = connection else {
                continue;
            };
            let commands: Vec<_> = numbers.iter().map(|at| calls[*at].command(false)).collect();
            sending.spawn(async move {
                let mut replies = Vec::with_capacity(numbers.len());
                for commands in commands.chunks(TOGETHER_MAX) {
                    let mut together = redis::Pipeline::with_capacity(commands.len());
                    for command in commands {
                        together.add_command(command.clone());
                    }
                    match link.ask_all(&connection, &together, until).await {
                        Ok(some) => replies.extend(some),
                        // The rest is not sent, and so is as lost as these.
                        Err(fault) => replies.extend(commands.iter().map(|_| Err(fault.clone()))),
                    }
                }
                numbers.into_iter().zip(replies).collect::<Vec<_>>()
            });
        }
        let mut all = Vec::with_capacity(calls.len());
        while let Some(sent) = sending.join_next().await {
            all.extend(sent.expect("a task that sends neither panics nor is aborted"));
        }
        Ok(all)
    }
}

/// What came of mending a fault.
enum Mended {
    /// The call is to be tried again.
    Again,
    /// The call is to be tried again on this node.
    At(Arc<Link>),
    /// The call is to be tried again as a script, if it may be: the server is too full to take
    /// the functions.
    ByScript(Fault),
    /// Nothing: the caller is told of the fault.
    Not,
    /// Another fault, of which the caller is to be told.
    Worse(Fault),
}

// === impl Failure ===

impl Failure {
    pub(super) fn error(&self, verb: &'static str, nature: Nature) -> Error {
        self.fault.told(verb, nature, self.happened)
    }
}

/// Sends a command to a node that is still being given its slot.
async fn send_asking(
    link: &Link,
    command: &redis::Cmd,
    until: Duration,
) -> Result<(Value, Arc<Connection>), Fault> {
    let mut together = redis::Pipeline::with_capacity(2);
    together.cmd("ASKING");
    together.add_command(command.clone());
    let connection = link.connection(until).await?;
    let mut replies = link.ask_all(&connection, &together, until).await?;
    Ok((replies.pop().unwrap_or(Err(Fault::Lost))?, connection))
}

#[cfg(test)]
mod tests;
