//! The rows of lists: what is in the cart, and a user's sessions.

use std::time::Duration;

use anynode::SessionInfo;

use super::ITEMS;
use crate::fill::fill;

/// What a `User-Agent` header contains and what it is called here; the first that is found counts.
const CLIENTS: &str = "Edg/=Edge Firefox/=Firefox Chrome/=Chrome Safari/=Safari curl/=curl";
const SYSTEMS: &str = "Android=Android iPhone=iPhone iPad=iPad Windows=Windows Mac=Mac Linux=Linux";

const ITEM: &str = include_str!("html/item.html");
const CURRENT: &str = include_str!("html/session_current.html");
const OTHER: &str = include_str!("html/session_other.html");

pub(super) fn cart(cart: &[String]) -> String {
    let count = |item: &str| cart.iter().filter(|of| *of == item).count();
    let row = |item| match count(item) {
        0 => String::new(),
        count => fill(ITEM, &[("item", &item), ("count", &count)]),
    };
    ITEMS.map(row).concat()
}

pub(super) fn session(session: &SessionInfo) -> String {
    let since = |then| ago(session.listed_at.since(then));
    let used = session.last_used.map_or("lately".to_owned(), since);
    let label = session.device.label.as_deref().unwrap_or_default();
    let template = if session.is_current { CURRENT } else { OTHER };
    fill(
        template,
        &[
            ("handle", &session.handle),
            ("device", &device(label)),
            ("created", &since(session.created_at)),
            ("used", &used),
        ],
    )
}

/// A short name for a client by its `User-Agent`, which is what the client says and proves nothing.
fn device(label: &str) -> String {
    let called = |names: &'static str| {
        let mut pairs = names.split(' ').filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(part, _)| label.contains(part));
        found.map(|(_, name)| name)
    };
    match (called(CLIENTS), called(SYSTEMS)) {
        (Some(client), Some(system)) => format!("{client} on {system}"),
        (client, system) => client.or(system).unwrap_or("Unknown client").to_owned(),
    }
}

fn ago(time: Duration) -> String {
    match time.as_secs() {
        0..60 => "just now".to_owned(),
        seconds @ 60..3_600 => format!("{} min ago", seconds / 60),
        seconds => format!("{} h ago", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_a_short_name_and_a_time_is_round() {
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1 Version/17.0 Safari/604.1";
        assert_eq!(device(phone), "Safari on iPhone");
        assert_eq!(device("curl/8.5.0"), "curl");
        assert_eq!(device("<b>"), "Unknown client");
        assert_eq!(ago(Duration::from_secs(59)), "just now");
        assert_eq!(ago(Duration::from_secs(3_599)), "59 min ago");
        assert_eq!(ago(Duration::from_secs(7_200)), "2 h ago");
    }
}
