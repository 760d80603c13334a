//! How backends are chosen and watched, who is trusted, and the limits.

use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::RangeInclusive;
use std::time::Duration;

use anynode_gateway::{AfterSilence, Balance, Ejection, GatewayConfig, HealthCheck, Limits, Probe};

use super::section::Section;
use super::value::{bytes, duration, number, prefix, text, word};

/// More threads than this serve nobody on the machines there are.
const WORKERS_MAX: i64 = 1024;

/// Proxies of one's own are few; each is compared with for every request.
const TRUSTED_MAX: usize = 256;

/// Times that are waited: less than the least is no waiting, more than the most is for ever.
const WAITING: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(24);

/// Times of health: shorter ones would keep a gateway busy with itself.
const WATCHING: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_hours(24);

/// What is asked in a check.
#[derive(Clone, Copy)]
enum Asked {
    Nothing,
    Tcp,
    Http,
}

/// Whether answers may send a backend away.
#[derive(Clone, Copy)]
enum Judged {
    Never,
    ByAnswers,
}

/// Reads what is not about affinity or backends.
pub(super) fn read(root: &mut Section<'_>, gateway: &mut GatewayConfig) {
    let workers = root.optional("workers", number::<usize>(1..=WORKERS_MAX));
    gateway.workers = workers.and_then(NonZeroUsize::new);
    let after_silence = [
        ("retry-safe-once", AfterSilence::RetrySafeOnce),
        ("fail", AfterSilence::Fail),
    ];
    root.set(
        "after_silence",
        &mut gateway.after_silence,
        word(&after_silence),
    );
    balance(root.table("balance"), &mut gateway.balance);
    gateway.health = health(root.table("health"));
    gateway.ejection = ejection(root.table("ejection"));

    let mut forwarded = root.table("forwarded");
    gateway.trusted_proxies = forwarded.each("trusted", prefix);
    if gateway.trusted_proxies.len() > TRUSTED_MAX {
        forwarded.refuse("trusted", &format!("these are more than {TRUSTED_MAX}"));
    }
    forwarded.finish();
    limits(root.table("limits"), &mut gateway.limits);
}

fn balance(mut section: Section<'_>, balance: &mut Balance) {
    let methods = [
        ("round-robin", Balance::RoundRobin),
        ("least-connections", Balance::LeastConnections),
    ];
    section.set("method", balance, word(&methods));
    section.finish();
}

fn health(mut section: Section<'_>) -> Option<HealthCheck> {
    const HOW: &[&str] = &["period", "timeout", "rise", "fall"];
    let kinds = [
        ("none", Asked::Nothing),
        ("tcp", Asked::Tcp),
        ("http", Asked::Http),
    ];
    let mut asked = Asked::Nothing;
    section.set("kind", &mut asked, word(&kinds));
    let probe = match asked {
        Asked::Nothing => {
            section.only_for("kind = \"http\"", &["path"]);
            section.only_for("kind = \"http\" or \"tcp\"", HOW);
            section.finish();
            return None;
        }
        Asked::Tcp => {
            section.only_for("kind = \"http\"", &["path"]);
            Some(Probe::Tcp)
        }
        Asked::Http => section
            .required("path", "\"/healthz\"", path)
            .map(|path| Probe::Http { path }),
    };
    let mut check = HealthCheck::default();
    section.set("period", &mut check.period, duration(WATCHING));
    section.set("timeout", &mut check.timeout, duration(WATCHING));
    let thresholds = &mut check.thresholds;
    for (key, count) in [
        ("rise", &mut thresholds.rise),
        ("fall", &mut thresholds.fall),
    ] {
        section.set(key, count, in_a_row);
    }
    section.finish();
    check.probe = probe?;
    Some(check)
}

/// A path as it stands in a request's first line.
fn path(value: &toml::de::DeValue<'_>) -> Result<String, String> {
    let path = text(1..=1024)(value)?;
    let is_sendable = path
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !path.starts_with('/') || !is_sendable {
        return Err(
            "write a path that begins with / and has no spaces, such as \"/healthz\"".to_owned(),
        );
    }
    Ok(path)
}

fn ejection(mut section: Section<'_>) -> Option<Ejection> {
    const HOW: &[&str] = &["failures", "first", "longest"];
    let kinds = [("answers", Judged::ByAnswers), ("none", Judged::Never)];
    let mut judged = Judged::ByAnswers;
    section.set("kind", &mut judged, word(&kinds));
    let ejection = match judged {
        Judged::Never => {
            section.only_for("kind = \"answers\"", HOW);
            None
        }
        Judged::ByAnswers => {
            let mut ejection = Ejection::default();
            section.set("failures", &mut ejection.failures, in_a_row);
            section.set("first", &mut ejection.first, duration(WATCHING));
            section.set("longest", &mut ejection.longest, duration(WATCHING));
            if ejection.longest < ejection.first {
                section.refuse("longest", "this is shorter than `first`");
            }
            Some(ejection)
        }
    };
    section.finish();
    ejection
}

/// How many in a row change what is believed of a backend.
fn in_a_row(value: &toml::de::DeValue<'_>) -> Result<NonZeroU32, String> {
    let number: u32 = number(1..=1_000)(value)?;
    Ok(NonZeroU32::new(number).expect("the range begins at 1"))
}

fn limits(mut section: Section<'_>, limits: &mut Limits) {
    const KIB: u64 = 1024;
    let heads = 8 * KIB..=1024 * KIB;
    let count = |most| number::<usize>(1..=most);
    section.set(
        "connections_max",
        &mut limits.connections_max,
        count(1_000_000),
    );
    section.set("head_bytes_max", &mut limits.head_bytes_max, bytes(heads));
    section.set(
        "target_bytes_max",
        &mut limits.target_bytes_max,
        bytes(256..=64 * KIB),
    );
    section.set(
        "idle_per_backend_max",
        &mut limits.idle_per_backend_max,
        number(0..=65_536),
    );
    section.set("queue_max", &mut limits.queue_max, number(0..=65_536));
    for (key, field) in [
        ("head_timeout", &mut limits.head_timeout),
        ("connect_timeout", &mut limits.connect_timeout),
        ("queue_timeout", &mut limits.queue_timeout),
        ("answer_timeout", &mut limits.answer_timeout),
        ("write_timeout", &mut limits.write_timeout),
        ("silence_timeout", &mut limits.silence_timeout),
        ("idle_timeout", &mut limits.idle_timeout),
        ("stop_timeout", &mut limits.stop_timeout),
    ] {
        section.set(key, field, duration(WAITING));
    }
    section.finish();
}
