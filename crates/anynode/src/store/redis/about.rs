//! What a server says of itself: `INFO` and the settings that matter, where it tells them.

use std::{collections::HashMap, time::Duration};

use super::{
    fault::{Fault, Refusal},
    link::Link,
    reply::{self, Items},
};

/// What one server says of itself.
#[derive(Debug, Default)]
pub(super) struct About {
    info: HashMap<String, String>,
    /// The settings; none where the user may not read them.
    settings: Option<HashMap<String, String>>,
}

/// The settings that [`About::setting`] knows.
const SETTINGS: [&str; 6] = [
    "appendfsync",
    "cluster-node-timeout",
    "min-replicas-max-lag",
    "min-replicas-to-write",
    "maxmemory",
    "save",
];

// === impl About ===

impl About {
    /// What `INFO` says; one round trip.
    pub(super) async fn read(link: &Link, until: Duration) -> Result<Self, Fault> {
        let info = reply::text(link.send(&redis::cmd("INFO"), until).await?)?;
        let lines = info.lines().filter_map(|line| line.split_once(':'));
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.trim().to_owned());
        Ok(Self {
            info: lines.map(own).collect(),
            settings: None,
        })
    }

    /// The same with the settings, which managed servers do not tell.
    pub(super) async fn read_all(link: &Link, until: Duration) -> Result<Self, Fault> {
        let mut about = Self::read(link, until).await?;
        let mut question = redis::cmd("CONFIG");
        question.arg("GET").arg(&SETTINGS);
        let answer = match link.send(&question, until).await {
            Ok(answer) => answer,
            Err(Fault::Stopped(_) | Fault::Refused(Refusal::NotAllowed)) => return Ok(about),
            Err(fault) => return Err(fault),
        };
        let (mut items, mut settings) = (Items::of(answer)?, HashMap::new());
        while items.len() > 1 {
            settings.insert(items.text()?, items.text()?);
        }
        about.settings = Some(settings);
        Ok(about)
    }

    /// Such as `redis 7.0.15`.
    pub(super) fn version(&self) -> String {
        match self.info.get("valkey_version") {
            Some(version) => format!("valkey {version}"),
            None => format!("redis {}", self.text("redis_version")),
        }
    }

    /// Whether it has functions and shards as Redis 7.0 does; Valkey says which Redis it is
    /// like.
    pub(super) fn is_new_enough(&self) -> bool {
        let major = self
            .text("redis_version")
            .split('.')
            .next()
            .unwrap_or_default();
        major.parse::<u32>().is_ok_and(|major| major >= 7)
    }

    pub(super) fn is_in_cluster(&self) -> bool {
        self.text("cluster_enabled") == "1"
    }

    /// What it does when its memory is full.
    pub(super) fn eviction_policy(&self) -> &str {
        self.text("maxmemory_policy")
    }

    /// A line of `INFO`; empty where there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.info.get(name).map_or("", String::as_str)
    }

    /// A number in `INFO`; 0 where there is none.
    pub(super) fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }

    /// Whether it tells its settings.
    pub(super) fn tells_settings(&self) -> bool {
        self.settings.is_some()
    }

    /// A setting; empty where it is not told.
    pub(super) fn setting(&self, name: &str) -> &str {
        let settings = self.settings.as_ref();
        let found = settings.and_then(|settings| settings.get(name));
        found.map_or("", String::as_str)
    }

    /// A setting that is a number; 0 where it is not told.
    pub(super) fn setting_number(&self, name: &str) -> u64 {
        self.setting(name).parse().unwrap_or(0)
    }
}
