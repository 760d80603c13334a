//! What pages of the demonstration show around the shop: its two tabs, and the nodes with "kill this node".

use std::sync::Arc;

use anynode::Session;
use axum::Router;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::{Condition, Reads, Sibling, Siblings};
use crate::args::Strategy;
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

/// What stands around the shop of this tab, in a demonstration whose other tab is on memory.
pub(crate) fn around(tab: Tab, central: Strategy, siblings: &Siblings) -> Around {
    let mark = |of| match of == tab {
        true => r#" aria-current="page""#,
        false => "",
    };
    let tabs = fill(
        include_str!("tabs.html"),
        &[
            ("central", &mark(Tab::Central)),
            ("memory", &mark(Tab::Memory)),
            ("label", &label(central)),
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
    // It is for everybody. Who asks is read all the same, as by every page of an application, so that whoever leaves
    // the page open sees what it costs.
    let list = async |State(siblings): State<Arc<Siblings>>, session: Session| {
        let _ = session.user().await;
        Html(rows(&siblings))
    };
    Router::new()
        .route("/nodes", get(list))
        .route("/kill", post(kill))
        .with_state(Arc::new(siblings))
}

/// What the tab of the shop on the store is called.
fn label(central: Strategy) -> &'static str {
    match central {
        Strategy::NearCache => "Near cache",
        Strategy::Central => "Central store",
        Strategy::Memory => "Memory of this node",
    }
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
    let Reads { copies, store } = node.reads;
    let reads = match copies + store {
        0 => String::new(),
        all => format!("{copies} of {all} reads of a session from a copy"),
    };
    fill(
        include_str!("node.html"),
        &[
            ("node", &node.name),
            ("pid", &node.pid),
            ("state", &state),
            ("words", &words),
            ("disabled", &disabled),
            ("copies", &copies),
            ("reads", &reads),
        ],
    )
}
