//! How long the cookies are that a client is given.

use std::net::SocketAddr;

use anyhow::{Error, ensure};
use cookie::Cookie;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{CONTENT_TYPE, HOST, SET_COOKIE};

use crate::compare::report::Cookies;
use crate::wire::Connection;

/// The session's cookie, by the name that the sample application gives it without TLS. Every
/// other cookie is the gateway's.
const SESSION: &str = "id";

/// Logs somebody in who is no user, and measures the cookies of the answer.
pub(super) async fn cookies_of(gateway: SocketAddr) -> Result<Cookies, Error> {
    let request = Request::post("/login")
        .header(HOST, gateway.to_string())
        .header("sec-fetch-site", "same-origin")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::from("name=nobody"))?;
    let answer = Connection::open(gateway, None).await?.send(request).await?;
    let mut cookies = Cookies {
        session_bytes: 0,
        affinity_bytes: 0,
    };
    let fields = answer.headers().get_all(SET_COOKIE).iter();
    for field in fields.filter_map(|field| field.to_str().ok()) {
        let cookie = Cookie::parse(field)?;
        let bytes = u32::try_from(cookie.name().len() + 1 + cookie.value().len())?;
        match cookie.name() {
            SESSION => cookies.session_bytes = bytes,
            _ => cookies.affinity_bytes = bytes,
        }
    }
    ensure!(
        cookies.session_bytes > 0,
        "a login through the gateway is answered {} without a session cookie",
        answer.status()
    );
    Ok(cookies)
}
