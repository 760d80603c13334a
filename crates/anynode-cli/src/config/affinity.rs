//! What keeps a client on one backend.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use anynode::core::balance::{AFFINITY_LEAST, AFFINITY_MOST, AffinityCookies};
use anynode_gateway::{Affinity, CookieAffinity, KeyRing, SourceAffinity, Transport, WhenGone};

use super::key;
use super::section::Section;
use super::value::{duration, number, text, word};

/// How long a cookie may count.
const COOKIE_LIVES: RangeInclusive<Duration> = AFFINITY_LEAST..=AFFINITY_MOST;

/// More than any name that leaves a cookie short enough; which do, the gateway knows.
const NAME_BYTES_MAX: usize = 256;

const SCOPE_BYTES_MAX: usize = 256;

#[derive(Clone, Copy)]
enum Kind {
    None,
    Cookie,
    Source,
}

const COOKIE_KEYS: &[&str] = &[
    "name",
    "scope",
    "keys",
    "idle_max",
    "life_max",
    "when_gone",
    "transport",
];

const SOURCE_KEYS: &[&str] = &["prefix_v4", "prefix_v6"];

/// Reads `[affinity]`; `None` when it cannot be used.
pub(super) fn read(mut section: Section<'_>, directory: &Path) -> Option<Affinity> {
    let kinds = [
        ("none", Kind::None),
        ("cookie", Kind::Cookie),
        ("source", Kind::Source),
    ];
    let mut kind = Kind::None;
    section.set("kind", &mut kind, word(&kinds));
    if !matches!(kind, Kind::Cookie) {
        section.only_for("kind = \"cookie\"", COOKIE_KEYS);
    }
    if !matches!(kind, Kind::Source) {
        section.only_for("kind = \"source\"", SOURCE_KEYS);
    }
    let affinity = match kind {
        Kind::None => Some(Affinity::None),
        Kind::Cookie => cookie(&mut section, directory).map(Affinity::Cookie),
        Kind::Source => Some(Affinity::Source(source(&mut section))),
    };
    section.finish();
    affinity
}

fn source(section: &mut Section<'_>) -> SourceAffinity {
    let mut source = SourceAffinity::default();
    section.set("prefix_v4", &mut source.prefix_v4, number(0..=32));
    section.set("prefix_v6", &mut source.prefix_v6, number(0..=128));
    source
}

fn cookie(section: &mut Section<'_>, directory: &Path) -> Option<CookieAffinity> {
    let keys = keys(section, directory);
    // The rest is read without keys as well, so that everything that is wrong is said at once.
    let stand_in = || KeyRing::new([(0, std::array::from_fn(|at| u8::from(at == 0)))]);
    let is_complete = keys.is_some();
    let keys = keys.or_else(|| stand_in().ok())?;
    let mut cookie = CookieAffinity::new(keys);
    let transports = [
        ("secure", Transport::Secure),
        ("insecure", Transport::Insecure),
    ];
    let gone = [
        ("rebalance", WhenGone::Rebalance),
        ("refuse", WhenGone::Refuse),
    ];
    cookie.name = section.optional("name", text(1..=NAME_BYTES_MAX));
    section.set("scope", &mut cookie.scope, text(0..=SCOPE_BYTES_MAX));
    section.set("idle_max", &mut cookie.idle_max, duration(COOKIE_LIVES));
    section.set("life_max", &mut cookie.life_max, duration(COOKIE_LIVES));
    section.set("when_gone", &mut cookie.when_gone, word(&gone));
    section.set("transport", &mut cookie.transport, word(&transports));
    if cookie.life_max < cookie.idle_max {
        section.refuse("life_max", "this is shorter than `idle_max`");
    }
    // The times were looked at where they stand, so what is left is about the name.
    if let Err(error) = AffinityCookies::new(&cookie) {
        section.refuse("name", &error.to_string());
    }
    is_complete.then_some(cookie)
}

fn keys(section: &mut Section<'_>, directory: &Path) -> Option<KeyRing> {
    let mut keys = Vec::new();
    let entries = section.tables("keys");
    let mut is_complete = section.length("keys") == Some(entries.len());
    for mut entry in entries {
        let id = entry.required("id", "a number from 0 to 255", number::<u8>(0..=255));
        let file = entry.required("file", "\"affinity.key\"", text(1..=4096));
        let key = file.and_then(|file| match key::read(&directory.join(file)) {
            Ok(key) => Some(key),
            Err(message) => {
                entry.refuse("file", &message);
                None
            }
        });
        entry.finish();
        match (id, key) {
            (Some(id), Some(key)) => keys.push((id, key)),
            _ => is_complete = false,
        }
    }
    if !section.has("keys") {
        let message = "this key is missing; write it as [{ id = 1, file = \"affinity.key\" }]";
        section.refuse("keys", message);
        return None;
    }
    if !is_complete {
        return None;
    }
    KeyRing::new(keys)
        .map_err(|error| section.refuse("keys", &error.to_string()))
        .ok()
}
