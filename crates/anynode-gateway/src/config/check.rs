//! What a configuration may not say.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use anynode_core::balance::{AffinityCookies, CookieRulesError};
use hyper::Uri;

use super::limits::HEAD_BYTES_LEAST;
use super::{Affinity, GatewayConfig, HealthCheck, Probe};
use crate::backends::BackendsError;

/// The shortest [`HealthCheck::period`], [`HealthCheck::timeout`] and [`Ejection::first`](super::Ejection::first).
const TIME_LEAST: Duration = Duration::from_millis(10);

/// What of a configuration cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The backends cannot be the backends of one pool.
    Backends(BackendsError),
    /// A limit is so low that nothing could be served; the field's name and the least value.
    LimitTooLow(&'static str, usize),
    /// No affinity cookie can be written by these rules.
    Cookie(CookieRulesError),
    /// A prefix has more bits than an address; the field's name and the most it may have.
    PrefixTooLong(&'static str, u8),
    /// A time is shorter than 10 ms, or than it has to be beside another; the field's name.
    TimeTooShort(&'static str),
    /// The path of a check is none.
    CheckPath,
}

/// Checks what can be known of a configuration before it is used.
///
/// # Errors
///
/// [`ConfigError`] for the first thing that cannot be.
pub(super) fn check(config: &GatewayConfig) -> Result<(), ConfigError> {
    BackendsError::check(&config.backends).map_err(ConfigError::Backends)?;
    if config.limits.head_bytes_max < HEAD_BYTES_LEAST {
        return Err(ConfigError::LimitTooLow("head_bytes_max", HEAD_BYTES_LEAST));
    }
    if config.limits.connections_max == 0 {
        return Err(ConfigError::LimitTooLow("connections_max", 1));
    }
    check_affinity(&config.affinity)?;
    if let Some(health) = &config.health {
        check_health(health)?;
    }
    match config.ejection {
        Some(ejection) if ejection.first < TIME_LEAST => {
            Err(ConfigError::TimeTooShort("ejection.first"))
        }
        Some(ejection) if ejection.longest < ejection.first => {
            Err(ConfigError::TimeTooShort("ejection.longest"))
        }
        _ => Ok(()),
    }
}

fn check_affinity(affinity: &Affinity) -> Result<(), ConfigError> {
    match affinity {
        Affinity::None => Ok(()),
        Affinity::Cookie(rules) => match AffinityCookies::new(rules) {
            Ok(_) => Ok(()),
            Err(error) => Err(ConfigError::Cookie(error)),
        },
        Affinity::Source(rules) if rules.prefix_v4 > 32 => {
            Err(ConfigError::PrefixTooLong("prefix_v4", 32))
        }
        Affinity::Source(rules) if rules.prefix_v6 > 128 => {
            Err(ConfigError::PrefixTooLong("prefix_v6", 128))
        }
        Affinity::Source(_) => Ok(()),
    }
}

fn check_health(health: &HealthCheck) -> Result<(), ConfigError> {
    if health.period < TIME_LEAST {
        return Err(ConfigError::TimeTooShort("health.period"));
    }
    if health.timeout < TIME_LEAST {
        return Err(ConfigError::TimeTooShort("health.timeout"));
    }
    match &health.probe {
        Probe::Http { path } if !path.starts_with('/') || path.parse::<Uri>().is_err() => {
            Err(ConfigError::CheckPath)
        }
        _ => Ok(()),
    }
}

// === impl ConfigError ===

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backends(error) => error.fmt(formatter),
            Self::LimitTooLow(name, least) => write!(formatter, "{name} is less than {least}"),
            Self::Cookie(error) => error.fmt(formatter),
            Self::PrefixTooLong(name, most) => write!(formatter, "{name} is more than {most} bits"),
            Self::TimeTooShort("ejection.longest") => {
                formatter.write_str("ejection.longest is shorter than ejection.first")
            }
            Self::TimeTooShort(name) => write!(formatter, "{name} is less than 10 ms"),
            Self::CheckPath => {
                formatter.write_str("the path of health checks has to be a path that begins with /")
            }
        }
    }
}

impl Error for ConfigError {}

#[cfg(test)]
mod tests {
    use anynode_core::balance::{Ejection, SourceAffinity};

    use super::*;
    use crate::config::Backend;

    fn refused(change: impl Fn(&mut GatewayConfig)) -> ConfigError {
        let mut config = GatewayConfig::new("127.0.0.1:0".parse().unwrap(), Vec::new());
        assert_eq!(config.check(), Ok(()));
        change(&mut config);
        config.check().unwrap_err()
    }

    #[test]
    fn what_cannot_be_is_named() {
        let short = Duration::from_millis(9);
        for (change, expected) in [
            (
                (|config: &mut GatewayConfig| {
                    let backend = Backend::new("twin", config.listen);
                    config.backends = vec![backend.clone(), backend];
                }) as fn(&mut GatewayConfig),
                ConfigError::Backends(BackendsError::Twice("twin".to_owned())),
            ),
            (
                |config| {
                    config.affinity = Affinity::Source(SourceAffinity {
                        prefix_v4: 33,
                        ..SourceAffinity::default()
                    });
                },
                ConfigError::PrefixTooLong("prefix_v4", 32),
            ),
            (
                |config| {
                    config.health = Some(HealthCheck {
                        probe: Probe::Http {
                            path: "healthz".to_owned(),
                        },
                        ..HealthCheck::default()
                    });
                },
                ConfigError::CheckPath,
            ),
        ] {
            assert_eq!(refused(change), expected);
        }
        let health = refused(|config| {
            config.health = Some(HealthCheck {
                period: short,
                ..HealthCheck::default()
            });
        });
        assert_eq!(health, ConfigError::TimeTooShort("health.period"));
        let ejection = refused(|config| {
            config.ejection = Some(Ejection {
                longest: short,
                ..Ejection::default()
            });
        });
        assert_eq!(ejection, ConfigError::TimeTooShort("ejection.longest"));
    }
}
