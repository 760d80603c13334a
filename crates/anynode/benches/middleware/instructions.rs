//! Instructions per request: what repeats where times do not.

use std::process::Command;

use axum::{body::Body, http::Request};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};

use crate::app::Variant;

/// Sends requests through the router, without network.
pub(crate) fn repeat(variant: Variant, count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let app = variant.app().await;
        for cookie in app.cookies.iter().cycle().take(count) {
            let request = Request::get("/")
                .header("host", "localhost")
                .header("cookie", cookie)
                .body(Body::empty())
                .unwrap();
            let response = match &app.around {
                None => app.router.clone().oneshot(request).await.unwrap(),
                Some(layer) => {
                    let service = layer.layer(app.router.clone());
                    service.oneshot(request).await.unwrap()
                }
            };
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, "7");
        }
    });
}

/// Instructions of one request; `None` without valgrind.
///
/// Two runs of different length are subtracted, so that starting and filling cancel out.
/// valgrind offers no SHA instructions, so the secret's hash counts about ten times of what
/// it does on a machine that has them.
pub(crate) fn count(variant: Variant) -> Option<u64> {
    let (few, many) = (100, 1_100);
    Some((total(variant, many)? - total(variant, few)?) / (many - few))
}

fn total(variant: Variant, count: u64) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["repeat", variant.name(), &count.to_string()])
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
