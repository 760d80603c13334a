//! What pages of the demonstration show around the shop: its two tabs, and the nodes with "kill this node".

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::{Condition, Sibling, Siblings};
use crate::fill::fill;

/// HTML that stands around the shop: in the header, and after it.
#[derive(Default)]
pub(crate) struct Around {
    pub(crate) tabs: String,
    pub(crate) nodes: String,
}

/// One of the two shops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tab {
    Central,
    Memory,
}

#[derive(Deserialize)]
struct Victim {
    node: String,
}

// === impl Tab ===

impl Tab {
    /// Where the shop is mounted.
    pub(crate) fn base(self) -> &'static str {
        match self {
            Self::Central => "",
            Self::Memory => "/memory",
        }
    }

    /// Where its page is.
    pub(crate) fn home(self) -> &'static str {
        match self {
            Self::Central => "/",
            Self::Memory => "/memory",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Central => "Kill any of them: you stay logged in, and a new one takes its place.",
            Self::Memory => "Kill the one that knows you: its sessions die with it.",
        }
    }
}

/// What stands around the shop of this tab.
pub(crate) fn around(tab: Tab, siblings: &Siblings) -> Around {
    let mark = |of| match of == tab {
        true => r#" aria-current="page""#,
        false => "",
    };
    let tabs = fill(
        include_str!("tabs.html"),
        &[
            ("central", &mark(Tab::Central)),
            ("memory", &mark(Tab::Memory)),
        ],
    );
    let nodes = fill(
        include_str!("nodes.html"),
        &[
            ("base", &tab.base()),
            ("hint", &tab.hint()),
            ("rows", &rows(siblings)),
        ],
    );
    Around { tabs, nodes }
}

/// The routes of this tab: the list of nodes as it is now, and the button that kills one.
pub(crate) fn routes(tab: Tab, siblings: Siblings) -> Router {
    let kill = async move |State(siblings): State<Arc<Siblings>>,
                           Form(victim): Form<Victim>|
                -> Response {
        if !siblings.kill(&victim.node) {
            return (StatusCode::BAD_REQUEST, "there is no node of this name\n").into_response();
        }
        (
            StatusCode::SEE_OTHER,
            [(LOCATION, tab.home())],
            "being killed\n",
        )
            .into_response()
    };
    Router::new()
        .route(
            "/nodes",
            get(async |State(siblings): State<Arc<Siblings>>| Html(rows(&siblings))),
        )
        .route("/kill", post(kill))
        .with_state(Arc::new(siblings))
}

fn rows(siblings: &Siblings) -> String {
    siblings.all().iter().map(row).collect()
}

fn row(node: &Sibling) -> String {
    let (state, words, disabled) = match node.state {
        Condition::Running => ("running", "running", ""),
        Condition::Starting => ("starting", "is gone; a new one is starting", " disabled"),
    };
    let words = format!("pid {}, {words}", node.pid);
    fill(
        include_str!("node.html"),
        &[
            ("node", &node.name),
            ("pid", &node.pid),
            ("state", &state),
            ("words", &words),
            ("disabled", &disabled),
        ],
    )
}
