//! What an answer says to a virtual user.

use hyper::body::Bytes;
use hyper::header::RETRY_AFTER;
use hyper::{Response, StatusCode};
use serde::Deserialize;

use crate::history::{Kind, Outcome};

/// What an answer says to a virtual user.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    pub(super) status: Option<u16>,
    pub(super) says_when: bool,
    pub(super) node: Option<Box<str>>,
    pub(super) owner: Option<Box<str>>,
    pub(super) visits: Option<u64>,
    pub(super) from_copy: bool,
}

/// The part of the sample application's answers that matters here.
#[derive(Default, Deserialize)]
struct Body {
    user: Option<Box<str>>,
    visits: Option<u64>,
}

// === impl Answer ===

impl Answer {
    /// There was none.
    pub(super) fn missing(outcome: Outcome) -> Self {
        Self {
            outcome,
            status: None,
            says_when: false,
            node: None,
            owner: None,
            visits: None,
            from_copy: false,
        }
    }

    /// Reads the answer to a request of this kind.
    pub(super) fn read(kind: Kind, response: &Response<Bytes>) -> Self {
        let node = response.headers().get(super::NODE);
        let node = node.and_then(|node| node.to_str().ok()).map(Box::from);
        let status = response.status();
        let mut answer = Self {
            outcome: outcome_of(kind, status),
            status: Some(status.as_u16()),
            says_when: response.headers().contains_key(RETRY_AFTER),
            node,
            owner: None,
            visits: None,
            from_copy: is_from_copy(response),
        };
        if answer.outcome == Outcome::Ok && matches!(kind, Kind::Visit | Kind::WhoAmI) {
            answer.read_body(kind, response.body());
        }
        answer
    }

    fn read_body(&mut self, kind: Kind, body: &Bytes) {
        let Ok(Body { user, visits }) = serde_json::from_slice(body) else {
            // Nobody who is in order answers so.
            self.outcome = Outcome::Unknown;
            return;
        };
        if kind == Kind::WhoAmI && user.is_none() {
            self.outcome = Outcome::Refused;
            return;
        }
        self.owner = user;
        self.visits = visits;
    }
}

/// Whether a node with a near cache says that it asked nobody.
fn is_from_copy(response: &Response<Bytes>) -> bool {
    let age = response.headers().get("anynode-session-age");
    age.is_some_and(|age| age.as_bytes().ends_with(b"; copy"))
}

fn outcome_of(kind: Kind, status: StatusCode) -> Outcome {
    match status {
        StatusCode::UNAUTHORIZED => Outcome::Refused,
        // The session ended during the request.
        StatusCode::CONFLICT if kind != Kind::Login => Outcome::Refused,
        status if status.is_client_error() => Outcome::Failed,
        status if status.is_success() || status.is_redirection() => Outcome::Ok,
        _ => Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, status: u16, body: &'static str) -> (Outcome, Option<u64>) {
        let response = Response::builder().status(status);
        let response = response.body(Bytes::from_static(body.as_bytes())).unwrap();
        let answer = Answer::read(kind, &response);
        (answer.outcome, answer.visits)
    }

    #[test]
    fn an_answer_is_believed_only_as_far_as_it_goes() {
        let visit = |status, body| read(Kind::Visit, status, body);
        assert_eq!(visit(200, "{\"visits\":3}"), (Outcome::Ok, Some(3)));
        assert_eq!(visit(401, ""), (Outcome::Refused, None));
        assert_eq!(visit(409, ""), (Outcome::Refused, None));
        assert_eq!(read(Kind::Login, 409, ""), (Outcome::Failed, None));
        assert_eq!(visit(502, ""), (Outcome::Unknown, None));
        assert_eq!(visit(200, "torn"), (Outcome::Unknown, None));
        assert_eq!(read(Kind::Logout, 303, ""), (Outcome::Ok, None));
    }

    #[test]
    fn an_answer_from_a_copy_says_so() {
        let from_copy = |age| {
            let response = Response::builder().header("anynode-session-age", age);
            let response = response.body(Bytes::from_static(b"{}")).unwrap();
            Answer::read(Kind::WhoAmI, &response).from_copy
        };
        assert!(from_copy("1234; copy"));
        assert!(!from_copy("1234; store"));
    }

    #[test]
    fn nobody_is_refused() {
        let body = "{\"user\":null,\"visits\":0}";
        assert_eq!(read(Kind::WhoAmI, 200, body), (Outcome::Refused, None));
    }
}
