//! What can be set before a PostgreSQL store is opened, and how its server is named.

use std::{fmt, path::PathBuf, time::Duration};

use anynode_core::store::{Error, ErrorKind, Result};

use super::{NAME, PostgresStore};
use crate::store::net::{Address, PLAINTEXT_OPTION, Security, Tls};

/// What can be set before a PostgreSQL store is opened.
///
/// ```no_run
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use anynode::store::postgres::PostgresStore;
/// use std::time::Duration;
///
/// let store = PostgresStore::options()
///     .with_deadline(Duration::from_secs(1))
///     .open("postgres://app:password@db.example.com/app")
///     .await?;
/// # Ok::<(), anynode_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    pub(super) deadline: Duration,
    pub(super) connections_max: usize,
    pub(super) missing: Missing,
}

/// What is done about a schema that is not there, or is of an older version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Make,
    Refuse,
}

/// Which server, as whom, and what of it.
#[derive(Clone)]
pub(super) struct Place {
    /// The servers, of which one is the primary.
    pub(super) hosts: Vec<Address>,
    pub(super) security: Security,
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) database: String,
    pub(super) schema: String,
    pub(super) pooler: Pooler,
}

/// What stands between the store and its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooler {
    /// What a connection tells.
    Detect,
    /// One that gives each transaction another connection of the server.
    Transaction,
}

const PORT: u16 = 5432;

const SCHEMA: &str = "anynode";

const KNOWN: &str = "known are: schema, sslmode, tls_ca, plaintext, pooler";

// === impl PostgresOptions ===

impl PostgresOptions {
    /// How long a call may take, unless set otherwise.
    pub const DEADLINE: Duration = Duration::from_secs(2);

    /// How many connections carry ordinary writes at most, unless set otherwise.
    pub const CONNECTIONS_MAX: usize = 4;

    /// Ends every call after `deadline`; 2 s by default.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Uses up to `connections` connections for ordinary writes, opened as they are needed; 4
    /// by default. Reads have up to two more, revocations one, and each channel one.
    ///
    /// Requests of many tasks share a connection, so few are enough; but each waits for the
    /// disk at its own commits, so that more of them commit more.
    #[must_use]
    pub fn with_connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections.max(1);
        self
    }

    /// Refuses a schema that is not there, which by default is made: for tools that look into
    /// a store and would not start one.
    #[must_use]
    pub fn with_existing_schema(mut self) -> Self {
        self.missing = Missing::Refuse;
        self
    }

    /// Opens the store: see [`PostgresStore::open`].
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn open(self, url: &str) -> Result<PostgresStore> {
        PostgresStore::start(Place::parse(url)?, self).await
    }
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            deadline: Self::DEADLINE,
            connections_max: Self::CONNECTIONS_MAX,
            missing: Missing::Make,
        }
    }
}

// === impl Place ===

impl Place {
    /// Parses `postgres://[user[:password]@]host[:port][,host…][/database][?options]`.
    ///
    /// # Errors
    /// `Config`, which never repeats what is in the URL.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let rest = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme))
            .ok_or_else(|| refused("the URL has to begin with postgres://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(decoded(password)?)),
            None => (login, None),
        };
        let user = decoded(user)?;
        let database = decoded(database)?;
        let hosts: Vec<_> = hosts
            .split(',')
            .map(|host| Address::parse(host, PORT))
            .collect::<Result<_, _>>()
            .map_err(|_| refused("the URL names no host, or one that cannot be read"))?;
        if user.is_empty() {
            return Err(refused("the URL names no user"));
        }
        let options = Options::parse(query)?;
        let security = options.security(&hosts)?;
        for host in &hosts {
            security.check(&host.host, NAME)?;
        }
        Ok(Self {
            security,
            hosts,
            password,
            database: if database.is_empty() {
                user.clone()
            } else {
                database
            },
            user,
            schema: options.schema,
            pooler: options.pooler,
        })
    }

    /// The name of the schema as SQL has it.
    pub(super) fn schema_quoted(&self) -> String {
        format!("\"{}\"", self.schema)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("hosts", &self.hosts)
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

/// What stands after the question mark.
struct Options {
    schema: String,
    pooler: Pooler,
    plaintext: bool,
    disabled: bool,
    verified: bool,
    authorities: Option<PathBuf>,
}

// === impl Options ===

impl Options {
    fn parse(query: &str) -> Result<Self> {
        let mut options = Self {
            schema: SCHEMA.to_owned(),
            pooler: Pooler::Detect,
            plaintext: false,
            disabled: false,
            verified: false,
            authorities: None,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value)?;
            match (key, value.as_str()) {
                ("schema", name) if is_schema(name) => options.schema = value,
                ("schema", _) => {
                    return Err(refused("a schema is 1 to 32 characters of a-z, 0-9 and _"));
                }
                ("pooler", "transaction") => options.pooler = Pooler::Transaction,
                ("plaintext", "allowed") => options.plaintext = true,
                ("sslmode", "disable") => options.disabled = true,
                ("sslmode", "verify-full") => options.verified = true,
                ("sslmode", _) => {
                    return Err(refused(
                        "sslmode is verify-full or disable; the others do not say whom one speaks to",
                    ));
                }
                ("tls_ca", file) if !file.is_empty() => options.authorities = Some(file.into()),
                ("pooler" | "plaintext" | "tls_ca", _) => {
                    return Err(refused(
                        "an option of the URL has a value it cannot have; pooler=transaction, \
                         plaintext=allowed and tls_ca=FILE are right",
                    ));
                }
                _ => {
                    return Err(refused(format!(
                        "an option of the URL is not known; {KNOWN}"
                    )));
                }
            }
        }
        Ok(options)
    }

    /// TLS where the server is on another machine, or where it is asked for.
    fn security(&self, hosts: &[Address]) -> Result<Security> {
        let asked = self.verified || self.authorities.is_some();
        if asked && self.disabled {
            return Err(refused("sslmode=disable contradicts the other options"));
        }
        let plain = if self.plaintext {
            Security::PlainAnywhere
        } else {
            Security::PlainOnThisMachine
        };
        let local = hosts
            .iter()
            .all(|host| Security::PlainOnThisMachine.admits(&host.host));
        if self.disabled || (!asked && (local || self.plaintext)) {
            return Ok(plain);
        }
        if self.plaintext {
            return Err(refused(format!(
                "TLS was asked for, and so was {PLAINTEXT_OPTION}"
            )));
        }
        Tls::trusting(self.authorities.as_deref(), NAME).map(Security::Tls)
    }
}

fn is_schema(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=32).contains(&name.len()) && name.bytes().all(good) && !name.starts_with("pg_")
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Result<String> {
    let wrong = || refused("the URL holds a percent sign that encodes nothing");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = after;
            continue;
        }
        let digits = after.get(..2).ok_or_else(wrong)?;
        let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

pub(super) fn refused(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, NAME, "open").with_detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_server_user_and_database() {
        let place = Place::parse("postgres://a%40b:p%2Fw@localhost:7,[::1]/d%20b?schema=s_1");
        let place = place.expect("names a store");
        assert_eq!(
            (place.user.as_str(), place.database.as_str()),
            ("a@b", "d b")
        );
        assert_eq!(place.password.as_deref(), Some("p/w"));
        let hosts: Vec<_> = place.hosts.iter().map(Address::to_string).collect();
        assert_eq!(hosts, ["localhost:7", "[::1]:5432"]);
        assert_eq!(place.schema_quoted(), "\"s_1\"");
        let plain = Place::parse("postgresql://me@127.0.0.1").expect("names a store");
        assert_eq!(
            (plain.database.as_str(), plain.schema.as_str()),
            ("me", "anynode")
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_without_repeating_the_url() {
        for (url, says) in [
            ("postgres://localhost/db", "no user"),
            ("postgres://u:hunter2@/db", "no host"),
            (
                "postgres://u:hunter2@localhost/db?pool=1",
                "known are: schema",
            ),
            (
                "postgres://u:hunter2@localhost/db?schema=a\"b",
                "a schema is",
            ),
            ("postgres://u:hunter2@localhost/db?schema=", "a schema is"),
            (
                "postgres://u:hunter2@localhost/db?sslmode=prefer",
                "verify-full",
            ),
            (
                "postgres://u:hunter2@localhost/db?plaintext=yes",
                "plaintext=allowed",
            ),
            ("postgres://u:%zz@localhost/db", "percent"),
            (
                "postgres://u:hunter2@db.example.com/db?sslmode=disable",
                "plaintext=allowed",
            ),
            (
                "postgres://u:hunter2@10.0.0.1/db?sslmode=disable",
                "plain text",
            ),
        ] {
            let error = Place::parse(url).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            assert!(error.to_string().contains(says), "{url}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn plaintext_to_another_machine_is_allowed_by_name_only() {
        let url = "postgres://u:p@db.example.com/db?plaintext=allowed";
        let place = Place::parse(url).expect("allowed");
        assert!(matches!(place.security, Security::PlainAnywhere));
    }
}
