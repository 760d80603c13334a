//! What can be set before a Redis store is opened, and how its servers are named by a URL.

use std::{fmt, path::PathBuf, time::Duration};

use anynode_core::{
    Durability,
    store::{Error, ErrorKind, Result},
};

use super::{NAME, RedisStore};
use crate::store::net::{Address, PLAINTEXT_OPTION, Security, Tls};

/// What can be set before a Redis store is opened.
///
/// ```no_run
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use anynode::store::redis::RedisStore;
/// use std::time::Duration;
///
/// let store = RedisStore::options()
///     .with_deadline(Duration::from_secs(1))
///     .open("redis://localhost:6379/?prefix=shop")
///     .await?;
/// # Ok::<(), anynode_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct RedisOptions {
    pub(super) deadline: Duration,
    pub(super) purpose: Purpose,
    pub(super) eviction: Eviction,
}

/// Whether a server may throw sessions away when its memory is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eviction {
    /// Then the store is not opened.
    Refused,
    /// It was allowed by name.
    Allowed,
}

/// What a URL says.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) servers: Named,
    pub(super) security: Security,
    pub(super) login: Option<Login>,
    pub(super) db: i64,
    pub(super) prefix: String,
    pub(super) eviction: Eviction,
    /// How safe revocations have to be, where the URL says.
    pub(super) revoke: Option<Durability>,
}

/// Which servers a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// One server.
    Single(Address),
    /// Some nodes of a cluster, which know the others.
    Cluster(Vec<Address>),
    /// The sentinels that know the primary of this name.
    Sentinel(Vec<Address>, String),
}

/// What a store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Serves,
    /// To tell what its servers are.
    Inspects,
}

/// Who the servers take us for.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: String,
}

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// How many servers a URL may name.
const SERVERS_MAX: usize = 64;

/// The options that a URL may have, for the message about one that it may not.
const KNOWN: &str = "prefix, eviction, revoke, plaintext, tls_ca";

// === impl RedisOptions ===

impl RedisOptions {
    /// How long a call may take, unless set otherwise.
    pub const DEADLINE: Duration = Duration::from_secs(2);

    /// Ends every call after `deadline`; 2 s by default, in which a connection that broke is
    /// made anew, but no fail-over ends.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Opens the store: see [`RedisStore::open`].
    ///
    /// # Errors
    /// As [`RedisStore::open`].
    pub async fn open(self, url: &str) -> Result<RedisStore> {
        RedisStore::start(parse(url)?, self).await
    }

    /// Opens a store that only tells what its servers are, whatever they may do to sessions.
    pub(super) fn for_inspection() -> Self {
        Self {
            eviction: Eviction::Allowed,
            purpose: Purpose::Inspects,
            ..Self::default()
        }
    }
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            deadline: Self::DEADLINE,
            purpose: Purpose::Serves,
            eviction: Eviction::Refused,
        }
    }
}

// === impl Eviction ===

impl Eviction {
    /// Allowed where one of two says so.
    pub(super) fn or(self, other: Self) -> Self {
        match self {
            Self::Allowed => Self::Allowed,
            Self::Refused => other,
        }
    }
}

// === impl Named ===

impl Named {
    /// Every host in the URL.
    fn hosts(&self) -> &[Address] {
        match self {
            Self::Single(host) => std::slice::from_ref(host),
            Self::Cluster(hosts) | Self::Sentinel(hosts, _) => hosts,
        }
    }
}

/// What a URL says. No message repeats any part of it, because it may hold a password.
pub(super) fn parse(url: &str) -> Result<Target> {
    let (scheme, rest) = url
        .split_once("://")
        .ok_or_else(|| refused("the URL has no host; such as redis://localhost:6379"))?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (Some(parse_login(login)?), hosts),
        None => (None, authority),
    };
    let mut settings = Settings::default();
    for option in query.split('&').filter(|option| !option.is_empty()) {
        settings.set(option)?;
    }
    let (kind, is_tls) = match scheme {
        "redis" => ("", false),
        "rediss" => ("", true),
        "redis+cluster" => ("cluster", false),
        "rediss+cluster" => ("cluster", true),
        "redis+sentinel" => ("sentinel", false),
        "rediss+sentinel" => ("sentinel", true),
        _ => return Err(refused("the URL names no kind of Redis")),
    };
    let (servers, db) = match kind {
        "cluster" => (Named::Cluster(parse_hosts(hosts, PORT)?), no_db(path)?),
        "sentinel" => {
            let name = decoded(path)?;
            if name.is_empty() {
                return Err(refused(
                    "the name of the primary is missing after the last /",
                ));
            }
            (Named::Sentinel(parse_hosts(hosts, SENTINEL_PORT)?, name), 0)
        }
        _ => {
            let mut hosts = parse_hosts(hosts, PORT)?;
            let host = hosts.pop().expect("at least one host");
            if !hosts.is_empty() {
                return Err(refused(
                    "more than one host; use redis+cluster: or redis+sentinel:",
                ));
            }
            (Named::Single(host), parse_db(path)?)
        }
    };
    let security = settings.security(is_tls)?;
    for host in servers.hosts() {
        security.check(&host.host, NAME)?;
    }
    Ok(settings.target(servers, security, login, db))
}

fn parse_login(text: &str) -> Result<Login> {
    let (user, password) = text
        .split_once(':')
        .ok_or_else(|| refused("the password is missing: USER:PASSWORD@HOST or :PASSWORD@HOST"))?;
    let user = decoded(user)?;
    Ok(Login {
        user: (!user.is_empty()).then_some(user),
        password: decoded(password)?,
    })
}

fn parse_hosts(text: &str, port: u16) -> Result<Vec<Address>> {
    let hosts: Vec<_> = text
        .split(',')
        .map(|host| Address::parse(host, port))
        .collect::<Result<_, _>>()
        .map_err(|_| refused("a host or port cannot be read; such as localhost:6379"))?;
    if hosts.len() > SERVERS_MAX {
        return Err(refused("the URL names more than 64 servers"));
    }
    Ok(hosts)
}

fn parse_db(path: &str) -> Result<i64> {
    if path.is_empty() {
        return Ok(0);
    }
    let number: u16 = path
        .parse()
        .map_err(|_| refused("what follows the / is no number of a database"))?;
    Ok(i64::from(number))
}

fn no_db(path: &str) -> Result<i64> {
    match path {
        "" | "0" => Ok(0),
        _ => Err(refused("a cluster has one database only")),
    }
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Result<String> {
    let wrong = || refused("a % in the URL is not followed by two hexadecimal digits");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let (digits, tail) = rest.split_first_chunk::<2>().ok_or_else(wrong)?;
        let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// What the options of a URL say.
#[derive(Default)]
struct Settings {
    prefix: Option<String>,
    revoke: Option<Durability>,
    eviction_allowed: bool,
    plaintext_allowed: bool,
    tls_ca: Option<PathBuf>,
}

// === impl Settings ===

impl Settings {
    fn set(&mut self, option: &str) -> Result<()> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match (name, decoded(value)?.as_str()) {
            ("prefix", prefix) if is_prefix(prefix) => self.prefix = Some(prefix.to_owned()),
            ("prefix", _) => {
                return Err(refused("the prefix is not 1 to 32 of A-Z a-z 0-9 _ and -"));
            }
            ("eviction", "allowed") => self.eviction_allowed = true,
            ("plaintext", "allowed") => self.plaintext_allowed = true,
            ("revoke", "r0") => self.revoke = Some(Durability::Asynchronous),
            ("revoke", "r1") => self.revoke = Some(Durability::Quorum),
            ("revoke", "r2") => self.revoke = Some(Durability::Reasserted),
            ("tls_ca", file) if !file.is_empty() => self.tls_ca = Some(file.into()),
            ("eviction" | "plaintext", _) => {
                return Err(refused(
                    "the options eviction and plaintext only take: allowed",
                ));
            }
            ("revoke", _) => return Err(refused("the option revoke takes r0, r1 or r2")),
            _ => {
                let message = format!("the URL has an unknown option; known are: {KNOWN}");
                return Err(Error::new(ErrorKind::Config, NAME, "open").with_detail(message));
            }
        }
        Ok(())
    }

    fn security(&self, is_tls: bool) -> Result<Security> {
        match (is_tls, &self.tls_ca) {
            (true, _) if self.plaintext_allowed => Err(refused(&format!(
                "{PLAINTEXT_OPTION} contradicts the rediss: of the URL"
            ))),
            (true, file) => Ok(Security::Tls(Tls::trusting(file.as_deref(), NAME)?)),
            (false, Some(_)) => Err(refused("tls_ca needs a rediss: URL")),
            (false, None) if self.plaintext_allowed => Ok(Security::PlainAnywhere),
            (false, None) => Ok(Security::PlainOnThisMachine),
        }
    }

    fn target(self, servers: Named, security: Security, login: Option<Login>, db: i64) -> Target {
        Target {
            servers,
            security,
            login,
            db,
            prefix: self.prefix.unwrap_or_else(|| "an".to_owned()),
            eviction: match self.eviction_allowed {
                true => Eviction::Allowed,
                false => Eviction::Refused,
            },
            revoke: self.revoke,
        }
    }
}

fn is_prefix(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=32).contains(&text.len()) && text.bytes().all(good)
}

pub(super) fn refused(detail: &str) -> Error {
    Error::new(ErrorKind::Config, NAME, "open").with_detail(detail)
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(_)")
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({:?}, prefix {})", self.servers, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str, port: u16) -> Address {
        Address {
            host: host.to_owned(),
            port,
        }
    }

    #[test]
    fn a_url_names_one_server_a_cluster_or_sentinels() {
        let servers = |url: &str| parse(url).expect(url).servers;
        assert_eq!(
            servers("redis://localhost"),
            Named::Single(address("localhost", 6379))
        );
        assert_eq!(
            servers("redis+cluster://127.0.0.1:1,[::1]:2"),
            Named::Cluster(vec![address("127.0.0.1", 1), address("::1", 2)])
        );
        assert_eq!(
            servers("redis+sentinel://127.0.0.1,127.0.0.2:3/mymaster"),
            Named::Sentinel(
                vec![address("127.0.0.1", 26379), address("127.0.0.2", 3)],
                "mymaster".to_owned()
            )
        );
        assert_eq!(parse("redis://localhost/3").expect("a db").db, 3);
    }

    #[test]
    fn user_and_password_are_decoded_and_never_printed() {
        let target = parse("redis://ada:p%40ss%3aw@localhost").expect("a login");
        let printed = format!("{target:?}");
        let login = target.login.expect("has one");
        assert_eq!(login.user.as_deref(), Some("ada"));
        assert_eq!(login.password, "p@ss:w");
        assert!(!printed.contains("p@ss") && !format!("{login:?}").contains("ada"));
        let login = parse("redis://:pw@localhost").expect("a login").login;
        assert_eq!(login.expect("has one").user, None);
    }

    #[test]
    fn options_are_those_that_are_known() {
        let target = parse("redis://localhost?prefix=a-B_9&eviction=allowed&revoke=r1");
        let target = target.expect("known options");
        assert_eq!(target.prefix, "a-B_9");
        assert_eq!(target.eviction, Eviction::Allowed);
        assert_eq!(target.revoke, Some(Durability::Quorum));
        assert_eq!(parse("redis://localhost").expect("none").prefix, "an");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_without_repeating_it() {
        for url in [
            "redis:localhost",
            "redis://",
            "redis://hunter2@localhost",
            "redis://u:hunter2%4@localhost",
            "redis://localhost:x",
            "redis://localhost/hunter2",
            "redis://localhost,localhost",
            "redis+cluster://localhost/1",
            "redis+sentinel://localhost",
            "redis://localhost?hunter2",
            "redis://localhost?prefix=",
            "redis://localhost?prefix=a{b}",
            "redis://localhost?eviction=yes",
            "redis://localhost?revoke=r3",
            "redis://localhost?tls_ca=file",
            "rediss://localhost?plaintext=allowed",
            "redis://u:hunter2@10.0.0.1",
            "redis+cluster://localhost,10.0.0.1",
            "redis+sentinel://10.0.0.1/x",
            "mongo://localhost",
        ] {
            let error = parse(url).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        let allowed = parse("redis://10.0.0.1?plaintext=allowed").expect("by name");
        assert!(matches!(allowed.security, Security::PlainAnywhere));
    }
}
