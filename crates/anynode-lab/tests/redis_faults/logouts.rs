//! Logouts that are repeated because it was not certain that they were done.

use anynode::{CookieConfig, Session, SessionLayer};
use anynode_lab::server::Setup;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::routing::post;
use tower::ServiceExt;

use crate::pair::{Pair, address};
use crate::scene::eventually;
use crate::switch::Way;

/// A browser and the site that it is logged in to.
struct Visitor {
    site: Router,
    cookie: String,
}

// === impl Visitor ===

impl Visitor {
    async fn logged_in(sessions: SessionLayer) -> Self {
        let log_in = async |session: Session| session.bind("ada").await;
        let log_out = async |session: Session| session.revoke().await.map(drop);
        let site = Router::new()
            .route("/login", post(log_in))
            .route("/logout", post(log_out))
            .layer(sessions);
        let mut visitor = Self {
            site,
            cookie: String::new(),
        };
        let answer = visitor.posts("/login").await;
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        let (cookie, _) = cookie.split_once(';').unwrap();
        visitor.cookie = cookie.to_owned();
        visitor
    }

    async fn posts(&self, path: &str) -> Response<Body> {
        let request = Request::post(path)
            .header("host", "127.0.0.1")
            .header("sec-fetch-site", "same-origin")
            .header("cookie", &self.cookie);
        let request = request.body(Body::empty()).unwrap();
        self.site.clone().oneshot(request).await.unwrap()
    }

    async fn logs_out(&self) -> StatusCode {
        self.posts("/logout").await.status()
    }
}

/// The node refuses the session at once, and found nothing to end the second time: it said that
/// it was done, and a fail-over brought the session back.
#[tokio::test]
async fn a_repeated_logout_is_acknowledged_when_replicas_have_the_first() {
    let pair = Pair::start(1, &Setup::default()).await;
    let layer = SessionLayer::from_arc(pair.node("r1").await);
    let ada = Visitor::logged_in(layer.with_cookie(CookieConfig::insecure_loopback())).await;
    pair.in_step().await;
    let replica = &pair.replicas[0].way;
    replica.turn(Way::Cut);
    for _ in 0..2 {
        assert_eq!(ada.logs_out().await, StatusCode::SERVICE_UNAVAILABLE);
    }
    replica.turn(Way::To(address(&pair.primary)));
    let is_done = async || ada.logs_out().await == StatusCode::OK;
    eventually("a replica has it", is_done).await;
}
