//! The session store that a URL names, or what to do when it cannot be opened.

use std::sync::Arc;

use anyhow::{Context, Error};
use anynode::core::{ChannelKind, ErrorKind, Facts, Store};

use crate::misuse::Misuse;

/// The features of this program that bring a store, and the schemes of its URLs.
const FEATURES: &[(&str, &[&str])] = &[
    ("sqlite", &["sqlite"]),
    (
        "redis",
        &[
            "redis",
            "rediss",
            "redis+cluster",
            "rediss+cluster",
            "redis+sentinel",
            "rediss+sentinel",
        ],
    ),
    ("postgres", &["postgres", "postgresql"]),
    ("mysql", &["mysql"]),
    ("mongodb", &["mongodb", "mongodb+srv"]),
    ("dynamodb", &["dynamodb"]),
];

/// The features among them that this program was built with.
const BUILT_IN: &[&str] = &[
    #[cfg(feature = "sqlite")]
    "sqlite",
    #[cfg(feature = "postgres")]
    "postgres",
    #[cfg(feature = "redis")]
    "redis",
];

/// Opens the store.
///
/// The URL may hold a password, so no message repeats more of it than its scheme.
///
/// # Errors
/// [`Misuse`] when the URL names no store of this program or one that is set up wrongly.
pub(crate) async fn open(url: &str) -> Result<Arc<dyn Store>, Error> {
    check_scheme(url)?;
    judged(anynode::store::open(url).await)
}

/// Opens a store that is there already, and makes none.
///
/// # Errors
/// As [`open`].
pub(crate) async fn open_existing(url: &str) -> Result<Arc<dyn Store>, Error> {
    check_scheme(url)?;
    judged(anynode::store::open_existing(url).await)
}

/// What a store that is there already is and can promise, were it one that [`open`] refuses.
///
/// # Errors
/// As [`open`].
pub(crate) async fn inspect(url: &str) -> Result<Facts, Error> {
    check_scheme(url)?;
    judged(anynode::store::inspect(url).await)
}

/// How copies of what is in the store of this URL are kept from being used too late.
pub(crate) fn channel_kind(url: &str) -> ChannelKind {
    match url.split_once(':') {
        Some(("sqlite", _)) => ChannelKind::ValidatedPerRead,
        _ => ChannelKind::Leased,
    }
}

fn judged<T>(opened: Result<T, anynode::core::Error>) -> Result<T, Error> {
    match opened {
        Ok(opened) => Ok(opened),
        Err(error) if error.kind() == ErrorKind::Config => {
            Err(Misuse(format!("--store: {error}")).into())
        }
        Err(error) => Err(error).context("the session store cannot be opened"),
    }
}

fn check_scheme(url: &str) -> Result<(), Misuse> {
    let Some((scheme, _)) = url.split_once(':') else {
        return Err(Misuse(
            "--store has to be a URL such as sqlite:sessions.db".to_owned(),
        ));
    };
    let built_in = match BUILT_IN {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    let known = FEATURES
        .iter()
        .find(|(_, schemes)| schemes.contains(&scheme));
    match known {
        Some((feature, _)) if BUILT_IN.contains(feature) => Ok(()),
        Some((feature, _)) => Err(Misuse(format!(
            "--store: this program cannot open {scheme}: URLs; it needs the feature `{feature}` \
             and was built with: {built_in}"
        ))),
        None => Err(Misuse(format!(
            "--store: the URL names no store that anynode knows; this program was built with: \
             {built_in}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: &[&str]) {
        let message = check_scheme(url).unwrap_err().to_string();
        for part in expected {
            assert!(message.contains(part), "{message}");
        }
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[test]
    fn a_store_that_is_not_built_in_is_refused_with_the_name_of_its_feature() {
        check("mysql://:hunter2@localhost", &["mysql:", "`mysql`"]);
        check("mongodb+srv://:hunter2@h", &["mongodb+srv:", "`mongodb`"]);
        check("mongodb+srv://u:hunter2@h/db", &["`mongodb`"]);
    }

    #[test]
    fn a_url_of_no_known_store_is_refused_without_repeating_it() {
        check("hunter2:file", &["names no store"]);
        check("hunter2", &["sqlite:sessions.db"]);
    }
}
