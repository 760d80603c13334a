//! What can go wrong between a node and its servers: what happened, whether to try again, and
//! what it means to the caller.

use std::{io, sync::Arc};

use anynode_core::store::{Error, ErrorKind};
use redis::{RedisError, ServerError};

use super::NAME;
use crate::store::net::Address;

/// Why one try of a call failed.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// No connection could be made, so nothing was sent.
    Unreached(Arc<io::Error>),
    /// The connection broke after the call may have been sent.
    Lost,
    /// The deadline passed. Before anything was sent, nothing happened.
    Late { sent: bool },
    /// The server refused before it did anything.
    Refused(Refusal),
    /// The server stopped in the middle, with this code.
    Stopped(String),
    /// The reply is none that the call has.
    Malformed,
    /// What is kept is not what any anynode writes.
    Corrupt(&'static str),
    /// The servers are not set up as the URL says.
    Config(&'static str),
    /// Another primary took over, and nodes that may know of revocations that it lost have not
    /// written them again yet. Nothing was sent.
    Awaited,
}

/// Why a server refused a call. Nothing happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It does not have the functions: it is new, or someone flushed them.
    NoLibrary,
    /// It has the functions already: somebody else was faster.
    HasLibrary,
    /// The slot lives elsewhere, and a map that says otherwise is old.
    Moved(u16, Place),
    /// The slot is on its way elsewhere, and these keys are there already.
    Ask(Place),
    /// Some keys of the slot are here and some elsewhere.
    TryAgain,
    /// It is a replica, or a primary that was deposed.
    ReadOnly,
    /// It is a replica that lost its primary.
    MasterDown,
    /// It reads its data from disk.
    Loading,
    /// A function of somebody else runs for too long.
    Busy,
    /// Slots of the cluster have no primary, or this one is cut off from the others.
    ClusterDown,
    /// It has fewer replicas than it was told to write with, so it may have been deposed.
    NoReplicas,
    /// It cannot write to its disk and was told to refuse writes then.
    DiskFailed,
    /// Its memory is full, and `noeviction` refuses what would make it grow.
    Full,
    /// The user may not do this.
    NotAllowed,
    /// The user or password is wrong or missing.
    NotKnown,
    /// A key of ours holds something else.
    WrongType,
}

/// Where a cluster sends its clients; an empty host means the one that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: String,
    pub(super) port: u16,
}

/// What to do about a fault while there is time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Give the server the functions.
    Teach,
    /// Go where the slot went, for good.
    Follow(u16, Place),
    /// Ask there this once.
    Ask(Place),
    /// Find out anew who the primary is, after a pause.
    Resolve,
    /// Wait and try again.
    Wait,
    /// Tell the caller.
    Tell,
}

/// Whether a call changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// It only reads, so that nothing happened whatever went wrong.
    Read,
    /// It writes.
    Write,
}

// === impl Fault ===

impl Fault {
    /// What a server's error means.
    pub(super) fn of_server(error: &ServerError) -> Self {
        match Refusal::of(error.code(), error.details().unwrap_or_default()) {
            Some(refusal) => Self::Refused(refusal),
            // The text may quote keys, so only its code is kept.
            None => Self::Stopped(error.code().to_owned()),
        }
    }

    /// What an error of the driver means, for a call that was handed to it.
    pub(super) fn of_driver(error: RedisError) -> Self {
        match ServerError::try_from(error) {
            Ok(error) => Self::of_server(&error),
            Err(_) => Self::Lost,
        }
    }

    /// What an error of the driver means while a connection is made.
    pub(super) fn of_connecting(error: &RedisError) -> Self {
        let refusal = Refusal::of(error.code().unwrap_or_default(), "");
        match (refusal, error.kind()) {
            (Some(refusal), _) => Self::Refused(refusal),
            (None, redis::ErrorKind::AuthenticationFailed) => Self::Refused(Refusal::NotKnown),
            (None, redis::ErrorKind::RESP3NotSupported) => {
                Self::Config("the server is older than Redis 6 or is no Redis")
            }
            (None, _) => {
                let kind = io::ErrorKind::ConnectionAborted;
                let message = "the server did not greet as Redis does";
                Self::Unreached(Arc::new(io::Error::new(kind, message)))
            }
        }
    }

    /// What to do about it.
    pub(super) fn remedy(&self) -> Remedy {
        let Self::Refused(refusal) = self else {
            return match self {
                Self::Unreached(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    Remedy::Tell
                }
                Self::Unreached(_) | Self::Lost => Remedy::Resolve,
                _ => Remedy::Tell,
            };
        };
        match refusal {
            Refusal::NoLibrary => Remedy::Teach,
            Refusal::Moved(slot, place) => Remedy::Follow(*slot, place.clone()),
            Refusal::Ask(place) => Remedy::Ask(place.clone()),
            Refusal::ReadOnly | Refusal::MasterDown | Refusal::ClusterDown => Remedy::Resolve,
            Refusal::TryAgain | Refusal::Loading | Refusal::Busy => Remedy::Wait,
            Refusal::HasLibrary
            | Refusal::NoReplicas
            | Refusal::DiskFailed
            | Refusal::Full
            | Refusal::NotAllowed
            | Refusal::NotKnown
            | Refusal::WrongType => Remedy::Tell,
        }
    }

    /// Whether a call that met it may have been performed.
    pub(super) fn may_have_happened(&self) -> bool {
        if anynode_core::planted("redis_lost_write_is_none") {
            return false;
        }
        matches!(
            self,
            Self::Lost | Self::Late { sent: true } | Self::Stopped(_) | Self::Malformed
        )
    }

    /// Whether the server said that it is not the primary.
    pub(super) fn is_of_role(&self) -> bool {
        let Self::Refused(refusal) = self else {
            return false;
        };
        matches!(
            refusal,
            Refusal::ReadOnly | Refusal::MasterDown | Refusal::Moved(..)
        )
    }

    /// Whether the server refused because it is no primary, or may have been deposed.
    pub(super) fn is_of_standing(&self) -> bool {
        let Self::Refused(refusal) = self else {
            return false;
        };
        matches!(
            refusal,
            Refusal::ReadOnly | Refusal::MasterDown | Refusal::ClusterDown | Refusal::NoReplicas
        )
    }

    /// The answer to the caller. `happened` says that an earlier try may have been performed.
    pub(super) fn error(&self, verb: &'static str, nature: Nature, happened: bool) -> Error {
        self.told(verb, nature, happened || self.may_have_happened())
    }

    /// The same where only `happened` says whether a try may have been performed: the fault may
    /// be one that was met before the call was sent.
    pub(super) fn told(&self, verb: &'static str, nature: Nature, happened: bool) -> Error {
        let kind = match self {
            _ if nature == Nature::Write && happened => ErrorKind::Indeterminate,
            Self::Corrupt(_) | Self::Refused(Refusal::WrongType) => ErrorKind::Corrupt,
            Self::Config(_) | Self::Refused(Refusal::NotAllowed | Refusal::NotKnown) => {
                ErrorKind::Config
            }
            Self::Unreached(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                ErrorKind::Config
            }
            _ => ErrorKind::Unavailable,
        };
        let error = Error::new(kind, NAME, verb);
        match self {
            Self::Unreached(source) => error
                .with_detail("the server cannot be reached")
                .with_source(source.clone()),
            Self::Lost => error.with_detail("the connection broke"),
            Self::Malformed => error.with_detail("the reply of the server cannot be read"),
            Self::Late { .. } => error.with_detail("the server did not answer before the deadline"),
            Self::Refused(refusal) => error.with_detail(refusal.advice()),
            Self::Stopped(code) => error.with_detail(format!("the server stopped with {code}")),
            Self::Corrupt(what) => error.with_detail(format!("unreadable: {what}")),
            Self::Config(what) => error.with_detail(*what),
            Self::Awaited => error.with_detail(
                "another primary took over and is not read before all nodes have written again \
                 what they know to be revoked, or the time for that is over",
            ),
        }
    }
}

// === impl Refusal ===

impl Refusal {
    fn of(code: &str, details: &str) -> Option<Self> {
        Some(match code {
            "ERR" if details.starts_with("Function not found") => Self::NoLibrary,
            // Said of a command inside a function.
            "ERR" if details.starts_with("The user executing the script can't") => Self::NotAllowed,
            "ERR" if details.ends_with("already exists") => Self::HasLibrary,
            "MOVED" => {
                let (slot, place) = redirection(details)?;
                Self::Moved(slot, place)
            }
            "ASK" => Self::Ask(redirection(details)?.1),
            "TRYAGAIN" => Self::TryAgain,
            "READONLY" => Self::ReadOnly,
            "MASTERDOWN" => Self::MasterDown,
            "LOADING" => Self::Loading,
            "BUSY" => Self::Busy,
            "CLUSTERDOWN" => Self::ClusterDown,
            "NOREPLICAS" => Self::NoReplicas,
            "MISCONF" => Self::DiskFailed,
            "OOM" => Self::Full,
            "NOPERM" => Self::NotAllowed,
            "NOAUTH" | "WRONGPASS" => Self::NotKnown,
            "WRONGTYPE" => Self::WrongType,
            _ => return None,
        })
    }

    /// What happened and what to do about it.
    fn advice(&self) -> &'static str {
        match self {
            Self::HasLibrary => "the server has the functions and does not find them",
            Self::NoLibrary => "the server forgot the functions again and again",
            Self::Moved(..) | Self::Ask(_) => "the cluster sent the call around without end",
            Self::TryAgain => "the slot moved between primaries until the deadline",
            Self::ReadOnly => "no primary was found that takes writes; is a fail-over under way?",
            Self::MasterDown => "the replica lost its primary; is a fail-over under way?",
            Self::Loading => "the server is reading its data from disk",
            Self::Busy => "a script of someone else runs for too long; see SCRIPT KILL",
            Self::ClusterDown => {
                "the cluster is down: slots have no primary, or the one asked is \
                                  cut off from the majority"
            }
            Self::NoReplicas => {
                "the primary has fewer replicas than min-replicas-to-write, so it \
                                 may have been deposed; bring the replicas back"
            }
            Self::DiskFailed => {
                "the server cannot save to its disk and refuses writes; free the \
                                 disk, then BGSAVE"
            }
            Self::Full => {
                "the memory of the server is full: raise maxmemory or sweep; \
                           revocations still go through"
            }
            Self::NotAllowed => "the user may not run this command; see the guide for its ACL",
            Self::NotKnown => "the user or the password is wrong or missing",
            Self::WrongType => "a key under the prefix holds something else; use another prefix",
        }
    }
}

/// The slot and place in the text of a redirection: `3999 10.0.0.1:6381`.
fn redirection(details: &str) -> Option<(u16, Place)> {
    let (slot, place) = details.split_once(' ')?;
    let (host, port) = place.rsplit_once(':')?;
    let place = Place {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: port.parse().ok()?,
    };
    Some((slot.parse().ok()?, place))
}

// === impl Place ===

impl Place {
    /// The address, where `asked` is that of the server that named it.
    pub(super) fn address(&self, asked: &Address) -> Address {
        let unknown = self.host.is_empty() || self.host == "?";
        Address {
            host: if unknown { &asked.host } else { &self.host }.clone(),
            port: self.port,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_is_read_whatever_the_form_of_its_host() {
        let place = |host: &str| Place {
            host: host.to_owned(),
            port: 6381,
        };
        let moved = |text| Refusal::of("MOVED", text);
        assert_eq!(
            moved("3999 10.0.0.1:6381"),
            Some(Refusal::Moved(3999, place("10.0.0.1")))
        );
        assert_eq!(moved("1 ::1:6381"), Some(Refusal::Moved(1, place("::1"))));
        assert_eq!(moved("1 :6381"), Some(Refusal::Moved(1, place(""))));
        assert_eq!(moved("nonsense"), None);
    }

    #[test]
    fn what_was_refused_did_not_happen_and_what_was_sent_may_have() {
        let kind = |fault: Fault, nature| fault.error("replace", nature, false).kind();
        let refused = || Fault::Refused(Refusal::NoReplicas);
        assert_eq!(kind(refused(), Nature::Write), ErrorKind::Unavailable);
        assert_eq!(kind(Fault::Lost, Nature::Write), ErrorKind::Indeterminate);
        assert_eq!(kind(Fault::Lost, Nature::Read), ErrorKind::Unavailable);
        let late = |sent| Fault::Late { sent };
        assert_eq!(kind(late(true), Nature::Write), ErrorKind::Indeterminate);
        assert_eq!(kind(late(false), Nature::Write), ErrorKind::Unavailable);
        let stopped = Fault::Stopped("ERR".to_owned());
        assert_eq!(kind(stopped, Nature::Write), ErrorKind::Indeterminate);
    }

    #[test]
    fn an_earlier_try_that_may_have_happened_is_not_forgotten() {
        let refused = Fault::Refused(Refusal::Full);
        let error = refused.error("create", Nature::Write, true);
        assert_eq!(error.kind(), ErrorKind::Indeterminate);
    }
}
