//! `anynode config check`: everything that a start would find wrong, without a start.

use anyhow::Error;
use anynode_gateway::{Affinity, Balance, Probe};
use serde::Serialize;

use super::{Config, Finding, Findings, load};
use crate::args::ConfigCheck;
use crate::misuse::Misuse;
use crate::print::{Form, say, say_json};

/// What programs read of a check.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Checked<'a> {
    Usable { ok: bool, summary: Summary },
    Wrong { ok: bool, errors: &'a [Finding] },
}

#[derive(Debug, Serialize)]
struct Summary {
    listen: String,
    balance: &'static str,
    affinity: &'static str,
    health: &'static str,
    backends: usize,
}

/// Checks the file and says what it says.
///
/// # Errors
/// [`Misuse`] with all that is wrong.
pub(crate) fn run(check: &ConfigCheck) -> Result<(), Error> {
    let name = check.file.display();
    match (load(&check.file)?, check.form()) {
        (Ok(config), Form::Text) => say(&format!("{name}: ok, {}", Summary::of(&config).text())),
        (Ok(config), Form::Json) => say_json(&Checked::Usable {
            ok: true,
            summary: Summary::of(&config),
        }),
        (Err(findings), Form::Text) => Err(refused(&findings).into()),
        (Err(findings), Form::Json) => {
            let errors = &findings.0;
            let said = say_json(&Checked::Wrong { ok: false, errors });
            let count = errors.len();
            said.and(Err(Misuse(format!("{name}: {count} errors")).into()))
        }
    }
}

/// All that is wrong, one line for each.
pub(crate) fn refused(findings: &Findings) -> Misuse {
    Misuse(format!("the configuration cannot be used\n{findings}"))
}

// === impl Summary ===

impl Summary {
    fn of(config: &Config) -> Self {
        let gateway = &config.gateway;
        Self {
            listen: gateway.listen.to_string(),
            balance: match gateway.balance {
                Balance::RoundRobin => "round-robin",
                Balance::LeastConnections => "least-connections",
            },
            affinity: match gateway.affinity {
                Affinity::None => "none",
                Affinity::Cookie(_) => "cookie",
                Affinity::Source(_) => "source",
            },
            health: match gateway.health.as_ref().map(|health| &health.probe) {
                None => "none",
                Some(Probe::Tcp) => "tcp",
                Some(Probe::Http { .. }) => "http",
            },
            backends: gateway.backends.len(),
        }
    }

    fn text(&self) -> String {
        let Self {
            listen,
            balance,
            affinity,
            health,
            backends,
        } = self;
        format!(
            "listens on {listen}, balance {balance}, affinity {affinity}, health {health}, \
             backends {backends}"
        )
    }
}
