//! The pages of the sample application.

use std::process;

use anynode::core::{ChannelKind, near::Horizon};
use anynode::{Session, SessionInfo};
use axum::response::Html;

use super::{ITEMS, NAME_CHARS_MAX, Shop, rows};
use crate::args::Strategy;
use crate::demo::Around;
use crate::fill::fill;

/// The page of a visitor who is not logged in.
pub(super) fn login(shop: &Shop, session: &Session) -> Html<String> {
    let note = match (session.was_presented(), shop.strategy) {
        (false, _) => "",
        (true, Strategy::Central | Strategy::NearCache) => include_str!("html/note_ended.html"),
        (true, Strategy::Memory) => include_str!("html/note_unknown.html"),
    };
    let values: &[(&str, &dyn std::fmt::Display)] = &[
        ("base", &shop.base),
        ("note", &fill(note, &[("node", &shop.node)])),
        ("name_max", &NAME_CHARS_MAX),
    ];
    let main = fill(include_str!("html/login.html"), values);
    page(shop, session, "Log in", &main)
}

/// The page of a visitor whose browser did not send the cookie that a login gave it.
pub(super) fn cookie_missing(shop: &Shop, session: &Session) -> Html<String> {
    let main = fill(include_str!("html/cookie.html"), &[("home", &shop.home)]);
    page(shop, session, "Your cookie did not come back", &main)
}

/// The shop as a user sees it.
pub(super) fn shop(
    shop: &Shop,
    user: &str,
    visits: u64,
    trail: &[String],
    cart: &[String],
    sessions: &[SessionInfo],
) -> String {
    let chip = |node: &String| fill(include_str!("html/chip.html"), &[("node", node)]);
    let sessions: String = sessions.iter().map(rows::session).collect();
    let live: &[(&str, &dyn std::fmt::Display)] = &[("base", &shop.base), ("home", &shop.home)];
    let live = match shop.strategy {
        Strategy::Central | Strategy::NearCache => fill(include_str!("html/live.html"), live),
        // The next node that the page is told to ask knows nothing of it.
        Strategy::Memory => String::new(),
    };
    let add = |item| fill(include_str!("html/add.html"), &[("item", &item)]);
    fill(
        include_str!("html/shop.html"),
        &[
            ("base", &shop.base),
            ("home", &shop.home),
            ("user", &user),
            ("visits", &visits),
            ("live", &live),
            ("trail", &trail.iter().map(chip).collect::<String>()),
            ("cart_count", &cart.len()),
            ("cart", &rows::cart(cart)),
            ("shelf", &ITEMS.map(add).concat()),
            ("sessions", &sessions),
        ],
    )
}

/// A whole page around its main part. Whatever the session asks of the store comes before it.
pub(super) fn page(shop: &Shop, session: &Session, title: &str, main: &str) -> Html<String> {
    let Around { tabs, nodes } = (shop.around)();
    let hops = match shop.strategy {
        Strategy::Central | Strategy::NearCache => session.store_calls(),
        // Its store is this node's own memory.
        Strategy::Memory => 0,
    };
    let why = match (shop.strategy, shop.copies) {
        (Strategy::Central, _) => include_str!("html/why_central.html"),
        (Strategy::NearCache, ChannelKind::Leased) => include_str!("html/why_leased.html"),
        (Strategy::NearCache, ChannelKind::ValidatedPerRead) => {
            include_str!("html/why_validated.html")
        }
        (Strategy::Memory, _) => include_str!("html/why_memory.html"),
    };
    let why = fill(
        why,
        &[("lease", &format!("{} s", Horizon::TERM.as_secs_f64()))],
    );
    let age = session.staleness().map(|age| age.as_millis().to_string());
    Html(fill(
        include_str!("html/shell.html"),
        &[
            ("title", &title),
            ("home", &shop.home),
            ("tabs", &tabs),
            ("node", &shop.node),
            ("pid", &process::id()),
            ("hops", &hops),
            ("age", &age.unwrap_or_default()),
            ("why", &why),
            ("main", &main),
            ("nodes", &nodes),
        ],
    ))
}
