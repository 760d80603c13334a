//! What is measured, how often, and how large.

use anynode_lab::server::Kind;

/// What the command line says.
pub(crate) struct Arguments {
    pub(crate) parts: Vec<Part>,
    pub(crate) stores: Vec<Kind>,
    /// How many sessions are many.
    pub(crate) sessions: u32,
    /// How often the sides of a comparison take turns.
    pub(crate) rounds: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Hit,
    Push,
}

const USAGE: &str = "parts are hit and push; --rounds N (of 6 and more), --sessions N, --stores \
                     redis,postgres and --quick may follow";

/// Fewer have no interval.
const ROUNDS_MIN: usize = 6;

// === impl Arguments ===

impl Arguments {
    /// # Errors
    /// A sentence about the first word that means nothing.
    pub(crate) fn parse<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let mut arguments = Self {
            parts: Vec::new(),
            stores: vec![Kind::Redis, Kind::Postgres],
            sessions: 1_000_000,
            rounds: 30,
        };
        while let Some(word) = words.next() {
            let mut number = || words.next().and_then(|text| text.parse::<u32>().ok());
            match word {
                "--bench" => {}
                "--help" => return Err(USAGE.to_owned()),
                "--quick" => (arguments.sessions, arguments.rounds) = (100_000, ROUNDS_MIN),
                "--sessions" => {
                    arguments.sessions = number().ok_or("--sessions needs a number")?;
                }
                "--rounds" => {
                    let rounds = number().ok_or("--rounds needs a number")?;
                    arguments.rounds = usize::try_from(rounds).unwrap().max(ROUNDS_MIN);
                }
                "--stores" => {
                    let names = words.next().ok_or("--stores needs names")?;
                    let kinds: Result<_, _> = names.split(',').map(kind).collect();
                    arguments.stores = kinds?;
                }
                "hit" => arguments.parts.push(Part::Hit),
                "push" => arguments.parts.push(Part::Push),
                other => return Err(format!("{other:?} means nothing here: {USAGE}")),
            }
        }
        if arguments.parts.is_empty() {
            arguments.parts = vec![Part::Hit, Part::Push];
        }
        Ok(arguments)
    }
}

fn kind(name: &str) -> Result<Kind, String> {
    let found = [Kind::Redis, Kind::Postgres]
        .into_iter()
        .find(|kind| kind.name() == name);
    found.ok_or_else(|| format!("{name:?} is neither redis nor postgres"))
}
