//! The contenders, and how each is started.

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use anynode_core::balance::{CookieAffinity, KeyRing, Transport};
use anynode_gateway::{Affinity, Backend, Gateway, GatewayConfig};

use crate::process::{Cores, Process, announce, role, this_program};
use crate::{nothing, peers};

/// What the load is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    /// The backends themselves, which tells what latency is not the proxy's.
    Direct,
    Nothing,
    RoundRobin,
    Cookie,
    HaProxy,
    Nginx,
}

// === impl Contender ===

impl Contender {
    pub(crate) const ALL: [Self; 6] = [
        Self::Direct,
        Self::Nothing,
        Self::RoundRobin,
        Self::Cookie,
        Self::HaProxy,
        Self::Nginx,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nothing => "do-nothing hyper proxy",
            Self::RoundRobin => "anynode, round robin",
            Self::Cookie => "anynode, cookie affinity",
            Self::HaProxy => "HAProxy, cookie insert",
            Self::Nginx => "nginx, round robin",
        }
    }

    /// Tells whether its clients get an affinity cookie.
    pub(crate) fn pins(self) -> bool {
        matches!(self, Self::Cookie | Self::HaProxy)
    }

    pub(crate) fn place(self) -> usize {
        let place = Self::ALL.into_iter().position(|other| other == self);
        place.expect("ALL holds all")
    }

    /// The contender of the name that [`start`](Self::start) gives to its process.
    pub(crate) fn named(name: &str) -> Self {
        let found = Self::ALL.into_iter().find(|other| other.name() == name);
        found.expect("the name of a contender")
    }

    fn name(self) -> String {
        format!("{self:?}")
    }

    pub(crate) fn start(self, cores: Cores, workers: usize, backends: &[SocketAddr]) -> Process {
        match self {
            Self::Direct => Process::none(backends),
            Self::HaProxy => cores.for_proxy(|| peers::haproxy(workers, backends)),
            Self::Nginx => cores.for_proxy(|| peers::nginx(workers, backends)),
            Self::Nothing | Self::RoundRobin | Self::Cookie => {
                cores.for_proxy(|| role(this_program(), &self.role(workers, backends)))
            }
        }
    }

    /// What this program is called with to be this contender.
    pub(crate) fn role(self, workers: usize, backends: &[SocketAddr]) -> Vec<String> {
        let mut arguments = vec!["proxy".to_owned(), self.name(), workers.to_string()];
        arguments.extend(backends.iter().map(ToString::to_string));
        arguments
    }

    /// Tells whether it is a role of this program.
    pub(crate) fn is_role(self) -> bool {
        matches!(self, Self::Nothing | Self::RoundRobin | Self::Cookie)
    }

    /// Serves as this contender, in a process of its own.
    pub(crate) fn serve(self, workers: usize, backends: &[SocketAddr]) {
        match self {
            Self::Nothing => nothing::serve(workers, backends),
            Self::RoundRobin => gateway(workers, backends, Affinity::None),
            Self::Cookie => gateway(workers, backends, cookie_affinity()),
            Self::Direct | Self::HaProxy | Self::Nginx => unreachable!("{self:?} is no role"),
        }
    }
}

/// As in production, but that the cookie is not `Secure`, because the load is not.
fn cookie_affinity() -> Affinity {
    let key = std::array::from_fn(|place| u8::try_from(place).unwrap());
    let keys = KeyRing::new([(1, key)]).unwrap();
    let mut rules = CookieAffinity::new(keys);
    rules.transport = Transport::Insecure;
    Affinity::Cookie(rules)
}

fn gateway(workers: usize, backends: &[SocketAddr], affinity: Affinity) {
    let names = (1..).map(|place: u32| place.to_string());
    let backends = names
        .zip(backends)
        .map(|(name, &at)| Backend::new(name, at));
    let mut config = GatewayConfig::new("127.0.0.1:0".parse().unwrap(), backends.collect());
    config.affinity = affinity;
    config.workers = NonZeroUsize::new(workers);
    let running = Gateway::new(config).start().unwrap();
    announce(running.local_addr());
}
