//! The laws of a store as tests that run on any: the specification of [`Store`].
//!
//! Each law is an async function that starts from a fresh store, and its doc comment states
//! what it demands. [`contract_tests!`](crate::contract_tests) turns all of them into tests.
//! The suite starts nothing itself and reads no clock: a [`World`], which its user provides,
//! opens stores, runs tasks at the same time and lets time pass.
//!
//! ```text
//! anynode_core::contract_tests! {
//!     world: MyWorld::new(),   // evaluated for each law, may `.await`
//!     run: my_block_on,        // a function that runs a future to its end
//!     clock: real,             // or `moved`: see below
//! }
//! ```
//!
//! A world whose clock is moved by hand says `clock: moved` and gets every law. One that has to
//! wait for the clock of a server says `clock: real` and gets all but the laws of [`moved`],
//! which let hours and years pass or look at single milliseconds.
//!
//! **What the suite cannot ask of every store**, and what each store's own tests therefore ask:
//! that a call on a store that hangs ends within its deadline, and which kind of error it is
//! then (L10); that `list` does not scan (L7: the plan of the query, or the commands sent); that
//! a lost channel is reported before anything after the gap, and that deletions made by hand
//! are seen (L12); that revocation, user entry and heartbeat go through while the store refuses
//! ordinary writes because it is full (L13).

#[doc(hidden)]
pub mod boxed;
mod laws;
mod node;
mod scene;
mod world;

pub mod l01_create;
pub mod l02_load;
pub mod l03_replace;
pub mod l04_dead_stays_dead;
pub mod l04_races;
pub mod l05_touch;
pub mod l06_bind_races;
pub mod l06_revoke;
pub mod l06_spare;
pub mod l06_users;
pub mod l07_list;
pub mod l08_sweep;
pub mod l09_bytes;
pub mod l10_errors;
pub mod l11_clock;
pub mod l12_nodes;
pub mod l12_roll;
pub mod l12_snapshot;
pub mod l12_watch;
pub mod l13_full;
pub mod moved;

pub use self::{
    laws::{LAWS, LAWS_OF_A_MOVED_CLOCK},
    world::{MovedClock, Opening, Runner, Task, World},
};
#[cfg(doc)]
use crate::Store;

/// Emits one `#[test]` for each law, in modules named after the laws: a failing test is called
/// `l04_dead_stays_dead::a_revoked_session_is_not_loaded`.
///
/// `world` is an expression that gives a new [`World`]; it is evaluated for each law inside the
/// future that runs it, so it may `.await`. `run` is the path of a function that takes a future
/// and runs it to its end, such as `pollster::block_on`, or one that builds a runtime of tokio.
/// `clock` is `moved` or `real`.
///
/// Put it into a module or file of its own; the world and the runner have to be in its scope.
#[macro_export]
macro_rules! contract_tests {
    (world: $world:expr, run: $run:path, clock: real $(,)?) => {
        $crate::laws_of_a_store! { contract_tests_emit { ($world) ($run) } any }
    };
    (world: $world:expr, run: $run:path, clock: moved $(,)?) => {
        $crate::laws_of_a_store! { contract_tests_emit { ($world) ($run) } any }
        $crate::laws_of_a_store! { contract_tests_emit { ($world) ($run) } moved }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests_emit {
    ({ $world:tt $run:tt } $($law:ident { $($name:ident)* })*) => {
        $($crate::contract_tests_emit! { @law $world $run $law { $($name)* } })*
    };
    (@law $world:tt ($run:path) $law:ident { $($name:ident)* }) => {
        mod $law {
            #[allow(unused_imports)]
            use super::*;
            $(
                #[test]
                fn $name() {
                    $run(async {
                        let world = $world;
                        $crate::contract::boxed::$law::$name(&world).await;
                    });
                }
            )*
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! contract_boxed_emit {
    ({} $($law:ident { $($name:ident)* })*) => {
        $(
            pub mod $law {
                $(
                    pub fn $name(world: &dyn $crate::contract::World) -> super::Verdict<'_> {
                        Box::pin($crate::contract::$law::$name(world))
                    }
                )*
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! contract_names_emit {
    ({} $($law:ident { $($name:ident)* })*) => {
        &[$($(concat!(stringify!($law), "::", stringify!($name)),)*)*]
    };
}
