//! What nodes with near caches know late, and that it is never later than the bound.
//!
//! Every node reaches its store through proxies that can do something to its connections alone.
//! Clients ask each node directly and not through a gateway, because it is the asked node that
//! held a copy or did not.
//!
//! Read in this order:
//!
//! - `claim`: the bound of a store
//! - `situation`: what may be done, and to whom; `strike` does it, on a `scene`
//! - `client`: how a node is asked; `hand`: how a session is removed from a store by hand
//! - `trial`: sessions that are revoked; `watcher`: who asks a node for them; `reading`: sessions
//!   that are written and read; `round`: many of them while something is done
//! - `row`: what the rows have in common; `revoked_accepted`, `staleness`: the rows; `plot` draws the second one

mod claim;
mod client;
mod hand;
mod plot;
mod reading;
mod round;
mod row;
mod scene;
mod situation;
mod strike;
mod trial;
mod watcher;

pub mod revoked_accepted;
pub mod staleness;

pub use self::claim::Bound;
pub use self::row::Order;
pub use self::situation::Situation;
