//! The load balancer in front of the nodes.
//!
//! ```no_run
//! use anynode_gateway::{Backend, Gateway, GatewayConfig};
//!
//! let node = Backend::new("n1", "127.0.0.1:4001".parse()?);
//! let gateway = Gateway::new(GatewayConfig::new("127.0.0.1:0".parse()?, vec![node])).start()?;
//! println!("http://{}", gateway.local_addr());
//!
//! // The node was restarted and came back on another port.
//! gateway.backends().insert(Backend::new("n1", "127.0.0.1:4002".parse()?))?;
//!
//! gateway.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Where to read on, in the order of a request:
//!
//! - `listen`: threads, accepting, stopping
//! - `worker`: the connections of one thread
//! - `wire_io`, `guard`: what is read from a client before hyper sees it
//! - `proxy`: one request from head to answer, and when it is tried again
//! - `heads`: what is refused of a request's head and of an answer's
//! - `seeking`: which backend is tried next, and what that says about the client's affinity
//! - `forwarded`: which header fields pass, and what is said about the client
//! - `affinity`: the cookie out of the request and into the response
//! - `backends`, `checks`: the shared pool and the queue for it, and asking backends whether they are well; who is chosen is decided in [`anynode_core::balance`]
//! - `upstream`: connections to the backends
//! - `body`, `upgrade`: what streams through, and WebSockets
//! - `config`: defaults and limits

mod listen;
mod worker;

mod guard;
mod wire_io;

mod heads;
mod proxy;
mod refusal;
mod seeking;

mod affinity;
mod forwarded;

mod backends;
mod checks;

mod upstream;

mod body;
mod upgrade;

mod clock;
mod config;
mod connect;
mod counters;
mod lazy_timer;
mod spare;

pub use anynode_core::balance::{
    AFFINITY_LEAST, AFFINITY_MOST, AddressPrefix, BACKENDS_MAX, BackendId, BackendState, Balance,
    CookieAffinity, CookieRulesError, Duty, Ejection, Incarnation, KEYS_MAX, KeyRing, KeyRingError,
    PoolFull, PrefixError, SourceAffinity, Thresholds, Transport, WhenGone,
};

pub use self::backends::{Backends, BackendsError};
pub use self::config::{
    Affinity, AfterSilence, Backend, ConfigError, GatewayConfig, HEADER_COUNT_MAX, HealthCheck,
    Limits, Probe,
};
pub use self::listen::{Gateway, Running, StartError};
