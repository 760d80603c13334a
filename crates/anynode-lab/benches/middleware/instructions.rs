//! Instructions per request: what repeats where times do not.

use std::process::Command;

use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};

use crate::app::App;
use crate::server::Programs;
use crate::variant::Variant;
use crate::visitors;

/// Sends requests through the router, without network.
pub(crate) fn repeat(variant: Variant, count: usize, url: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let app = App::of(variant, url).await;
        let Some(layer) = &app.around else {
            visitors::repeat(&app.router, &app.cookies, count).await;
            return;
        };
        for cookie in app.cookies.iter().cycle().take(count) {
            let service = layer.layer(app.router.clone());
            let response = service.oneshot(visitors::request(cookie)).await.unwrap();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, visitors::KNOWN);
        }
    });
}

/// Instructions of one request; `None` without valgrind. Each run has a store of its own.
///
/// Two runs of different length are subtracted, so that starting and filling cancel out.
/// valgrind offers no SHA instructions, so the secret's hash counts about ten times of what
/// it does on a machine that has them.
pub(crate) fn count(
    programs: &Programs,
    variant: Variant,
    fresh_url: impl Fn() -> String,
) -> Option<u64> {
    let (few, many) = (100, 2_100);
    let total = |count| total(programs, variant, count, &fresh_url());
    Some((total(many)? - total(few)?) / (many - few))
}

fn total(programs: &Programs, variant: Variant, count: u64, url: &str) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(programs.of(variant))
        .args(["repeat", variant.name(), url, &count.to_string()])
        .output()
        .ok()?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(' ').next()?.parse().ok()
}
