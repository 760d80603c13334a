//! The functions that run on the servers, and how a server is given them.

use std::time::Duration;

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

/// What the names of functions begin with.
pub(super) const NAMES: &str = "anynode_1_";

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
