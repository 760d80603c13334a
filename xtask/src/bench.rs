//! `cargo xtask bench NAME`: what things cost, measured beside what they are compared with.

use std::process::Command;

use anyhow::{Context, Error};

use crate::workspace::{Extent, Workspace};
use crate::{Outcome, bring};

/// One benchmark: its name, and the package and target that it is.
struct Bench {
    name: &'static str,
    package: &'static str,
    /// What has to be brought before.
    tools: &'static [&'static str],
    summary: &'static str,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "channel",
        package: "anynode-lab",
        tools: &["redis", "postgresql"],
        summary: "messages per second on the channel of 3, 10 and 30 nodes beside the formula \
                  (8 minutes; --rounds, --stores, --quick)",
    },
    Bench {
        name: "gateway",
        package: "anynode-gateway",
        tools: &["haproxy", "nginx"],
        summary: "the gateway beside other proxies (5 minutes; ROUNDS and WORKERS, or `instructions`)",
    },
    Bench {
        name: "middleware",
        package: "anynode-lab",
        tools: &["redis", "postgresql"],
        summary: "what a session costs a request, beside tower-sessions (10 minutes; a number of \
                  rounds; parts `cost`, `instructions`, `revoked`)",
    },
    Bench {
        name: "near-cache",
        package: "anynode-lab",
        tools: &["redis", "postgresql"],
        summary: "a hit of the near cache beside a plain map, and how soon a revocation is seen on \
                  another node (5 minutes; parts `hit`, `push`, --rounds, --sessions, --quick)",
    },
    Bench {
        name: "near-trace",
        package: "anynode-core",
        tools: &[],
        summary: "hit ratio of the near cache by what it evicts, beside moka and quick_cache (2 minutes)",
    },
    Bench {
        name: "race",
        package: "anynode-lab",
        tools: &["redis"],
        summary: "the race that leaves stale copies in the cache of redis-rs, and none here \
                  (1 minute; --rounds, --keys, --quick)",
    },
    Bench {
        name: "sqlite",
        package: "anynode",
        tools: &[],
        summary: "direct reads and group commit against the alternatives",
    },
    Bench {
        name: "stores",
        package: "anynode-lab",
        tools: &["redis", "postgresql"],
        summary: "the network stores beside bare drivers and tower-sessions (15 minutes; parts \
                  `ops`, `users`, `sweep`, `bytes`, --stores, --sessions)",
    },
];

/// Builds and runs the named benchmark; what follows its name is handed on.
pub(crate) fn run(arguments: &[String]) -> Result<Outcome, Error> {
    let known = arguments
        .split_first()
        .and_then(|(name, rest)| Some((BENCHES.iter().find(|bench| bench.name == name)?, rest)));
    let Some((bench, rest)) = known else {
        println!("usage: cargo xtask bench NAME\n");
        for bench in BENCHES {
            println!("  {:<12} {}", bench.name, bench.summary);
        }
        return Ok(Outcome::Unusable);
    };
    if !bench.tools.is_empty() {
        bring::bring(&Workspace::load(Extent::Members)?, bench.tools)?;
    }
    let status = Command::new(env!("CARGO"))
        .args(["bench", "--package", bench.package, "--bench", bench.name])
        .arg("--")
        .args(rest)
        .status()
        .context("cargo bench could not be started")?;
    Ok(if status.success() {
        Outcome::Holds
    } else {
        Outcome::Broken
    })
}
