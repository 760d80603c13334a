//! tower-sessions' own route cases, under its own layer, with sessions in a store of ours.

use std::sync::Arc;

use anynode::{adapter::StoreAdapter, core::Store};
use axum::Router;
use http::StatusCode;
use time::Duration;

use super::{ask, routes, stores};
use crate::tower_sessions::{Expiry, SessionManagerLayer, session::Id};

const HOUR: Duration = Duration::hours(1);

fn app(store: Arc<dyn Store>, max_age: Option<Duration>, domain: Option<&str>) -> Router {
    let mut layer = SessionManagerLayer::new(StoreAdapter::from_arc(store));
    if let Some(max_age) = max_age {
        layer = layer.with_expiry(Expiry::OnInactivity(max_age));
    }
    if let Some(domain) = domain {
        layer = layer.with_domain(domain.to_owned());
    }
    routes().layer(layer)
}

#[tokio::test]
async fn an_untouched_session_sets_no_cookie() {
    for store in stores() {
        let app = app(store, Some(HOUR), None);
        assert!(ask(&app, "/", None).await.cookie.is_none());
    }
}

#[tokio::test]
async fn an_unknown_id_is_replaced() {
    for store in stores() {
        let app = app(store, Some(HOUR), None);
        let unknown = Id(7).to_string();
        let answer = ask(&app, "/insert", Some(("id", &unknown))).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_ne!(answer.set().value, unknown);
    }
}

#[tokio::test]
async fn a_malformed_cookie_is_taken_away() {
    for store in stores() {
        let app = app(store, Some(HOUR), None);
        let answer = ask(&app, "/", Some(("id", "malformed"))).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.set().value, "");
    }
}

#[tokio::test]
async fn a_new_session_sets_a_cookie_with_its_flags() {
    for store in stores() {
        let cookie = ask(&app(store, Some(HOUR), None), "/insert", None)
            .await
            .set();
        assert_eq!(cookie.name, "id");
        for attribute in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/"] {
            assert!(cookie.has(attribute), "{attribute} in {cookie:?}");
        }
        assert!(cookie.lasts(HOUR), "{cookie:?}");
    }
}

#[tokio::test]
async fn without_an_expiry_the_cookie_has_no_max_age() {
    for store in stores() {
        let cookie = ask(&app(store, None, None), "/insert", None).await.set();
        assert_eq!(cookie.max_age(), None);
    }
}

#[tokio::test]
async fn a_value_is_there_at_the_next_request() {
    for store in stores() {
        let app = app(store, Some(HOUR), None);
        let cookie = ask(&app, "/insert", None).await.set();
        assert_eq!(ask(&app, "/get", cookie.pair()).await.text, "Some(42)");
    }
}

#[tokio::test]
async fn a_visitor_without_a_session_has_no_value() {
    for store in stores() {
        let app = app(store, Some(HOUR), None);
        assert_eq!(ask(&app, "/get", None).await.text, "None");
    }
}

#[tokio::test]
async fn the_last_value_can_be_removed() {
    for store in stores() {
        let app = app(store, Some(HOUR), None);
        let cookie = ask(&app, "/insert", None).await.set();
        assert_eq!(ask(&app, "/remove", cookie.pair()).await.text, "Some(42)");
        assert_eq!(ask(&app, "/get", cookie.pair()).await.text, "None");
    }
}

#[tokio::test]
async fn a_cycled_id_carries_the_data_on_and_the_old_id_is_dead() {
    for store in stores() {
        let app = app(store, Some(HOUR), None);
        let first = ask(&app, "/insert", None).await.set();
        let second = ask(&app, "/cycle_id", first.pair()).await.set();
        assert_ne!(first.value, second.value);
        assert_eq!(ask(&app, "/get", second.pair()).await.text, "Some(42)");
        assert_eq!(ask(&app, "/get", first.pair()).await.text, "None");
    }
}

#[tokio::test]
async fn a_flush_ends_the_session_and_takes_the_cookie_away() {
    for store in stores() {
        let app = app(store, Some(HOUR), None);
        let cookie = ask(&app, "/insert", None).await.set();
        let removal = ask(&app, "/flush", cookie.pair()).await.set();
        assert_eq!(removal.value, "");
        assert_eq!(removal.max_age(), Some(0));
        assert!(removal.has("Path=/"), "{removal:?}");
        assert_eq!(ask(&app, "/get", cookie.pair()).await.text, "None");
    }
}

#[tokio::test]
async fn a_flush_takes_the_cookie_of_a_domain_away() {
    for store in stores() {
        let app = app(store, Some(HOUR), Some("localhost"));
        let cookie = ask(&app, "/insert", None).await.set();
        let removal = ask(&app, "/flush", cookie.pair()).await.set();
        assert_eq!(removal.value, "");
        assert_eq!(removal.max_age(), Some(0));
        assert!(removal.has("Domain=localhost"), "{removal:?}");
        assert!(removal.has("Path=/"), "{removal:?}");
    }
}

#[tokio::test]
async fn a_handler_sets_the_expiry() {
    for store in stores() {
        let app = app(store, Some(HOUR), None);
        let cookie = ask(&app, "/insert", None).await.set();
        assert!(cookie.lasts(HOUR), "{cookie:?}");
        let cookie = ask(&app, "/set_expiry", cookie.pair()).await.set();
        assert!(cookie.lasts(Duration::days(1)), "{cookie:?}");
    }
}

#[tokio::test]
async fn a_handler_changes_the_type_of_the_expiry() {
    for store in stores() {
        let browser = app(store.clone(), None, None);
        let cookie = ask(&browser, "/insert", None).await.set();
        assert_eq!(cookie.max_age(), None);
        let cookie = ask(&browser, "/set_expiry", cookie.pair()).await.set();
        assert!(cookie.lasts(Duration::days(1)), "{cookie:?}");

        let timed = app(store, Some(HOUR), None);
        let cookie = ask(&timed, "/insert", None).await.set();
        assert!(cookie.lasts(HOUR), "{cookie:?}");
        let cookie = ask(&timed, "/remove_expiry", cookie.pair()).await.set();
        assert_eq!(cookie.max_age(), None);
    }
}

#[tokio::test]
async fn an_explicit_save_and_the_one_of_the_layer_agree() {
    for store in stores() {
        let app = app(store, Some(HOUR), None);
        let cookie = ask(&app, "/insert", None).await.set();
        let answer = ask(&app, "/save", cookie.pair()).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(ask(&app, "/get", cookie.pair()).await.text, "Some(7)");
    }
}
