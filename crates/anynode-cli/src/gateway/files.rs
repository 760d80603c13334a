//! How many files this process may have open, which bounds its connections.

use anynode_gateway::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// The files open besides the two of each client's connection: idle connections to backends, checks, the log.
const BESIDES: usize = 1024;

/// Makes room for as many connections as the configuration allows, as far as the system lets us.
///
/// Many systems give 1024 files to programs that do not ask, and let those have more that do.
pub(super) fn make_room(limits: &Limits) {
    let connections = limits.connections_max;
    let wanted = connections.saturating_mul(2).saturating_add(BESIDES);
    let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
    let before = getrlimit(Resource::Nofile);
    let most = before.maximum.unwrap_or(u64::MAX);
    // None is no limit at all.
    let Some(current) = before.current.filter(|current| *current < wanted) else {
        return;
    };
    let raised = wanted.min(most);
    let limit = Rlimit {
        current: Some(raised),
        maximum: before.maximum,
    };
    let current = setrlimit(Resource::Nofile, limit).map_or(current, |()| raised);
    if current < wanted {
        warn!(
            "only {current} files may be open, {wanted} may be needed for {connections} connections: \
             raise the limit (ulimit -n, LimitNOFILE) or lower limits.connections_max"
        );
    }
}
