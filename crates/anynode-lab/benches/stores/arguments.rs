//! What is measured, of which stores, and how large.

/// What the command line says.
pub(crate) struct Arguments {
    pub(crate) parts: Vec<Part>,
    pub(crate) stores: Vec<Backend>,
    /// How many sessions are very many.
    pub(crate) sessions: u32,
    /// How often the sides of a comparison take turns.
    pub(crate) rounds: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Ops,
    Users,
    Sweep,
    Bytes,
}

/// A store, as its own server or file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Redis,
    Postgres,
}

// === impl Arguments ===

impl Arguments {
    /// # Errors
    /// A sentence about the first word that means nothing.
    pub(crate) fn parse<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let mut arguments = Self {
            parts: Vec::new(),
            stores: vec![Backend::Sqlite, Backend::Redis, Backend::Postgres],
            sessions: 1_000_000,
            rounds: 15,
        };
        while let Some(word) = words.next() {
            let mut number = || words.next().and_then(|text| text.parse().ok());
            match word {
                "--bench" => {}
                "--sessions" => {
                    arguments.sessions = number().ok_or("--sessions needs a number")?;
                }
                "--rounds" => {
                    let rounds = number().ok_or("--rounds needs a number")?;
                    // Fewer have no interval.
                    arguments.rounds = usize::try_from(rounds).unwrap().clamp(6, 99);
                }
                "--stores" => {
                    let names = words.next().ok_or("--stores needs names")?;
                    let stores: Result<_, _> = names.split(',').map(Backend::named).collect();
                    arguments.stores = stores?;
                }
                name => arguments.parts.push(Part::named(name)?),
            }
        }
        if arguments.parts.is_empty() {
            arguments.parts = vec![Part::Ops, Part::Users, Part::Sweep, Part::Bytes];
        }
        Ok(arguments)
    }

    /// Those that run in a server.
    pub(crate) fn servers(&self) -> impl Iterator<Item = Backend> {
        let stores = self.stores.iter().copied();
        stores.filter(|store| *store != Backend::Sqlite)
    }
}

// === impl Part ===

impl Part {
    fn named(name: &str) -> Result<Self, String> {
        match name {
            "ops" => Ok(Self::Ops),
            "users" => Ok(Self::Users),
            "sweep" => Ok(Self::Sweep),
            "bytes" => Ok(Self::Bytes),
            _ => Err(format!(
                "{name:?} is neither --sessions, --rounds or --stores nor a part; parts are \
                 ops, users, sweep and bytes"
            )),
        }
    }
}

// === impl Backend ===

impl Backend {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Redis => "redis",
            Self::Postgres => "postgres",
        }
    }

    fn named(name: &str) -> Result<Self, String> {
        let all = [Self::Sqlite, Self::Redis, Self::Postgres];
        let found = all.into_iter().find(|store| store.name() == name);
        found.ok_or_else(|| format!("{name:?} is none of sqlite, redis and postgres"))
    }
}
