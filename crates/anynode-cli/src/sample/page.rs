//! The pages of the sample application: HTML from values, every one of them escaped.

use std::fmt::{self, Display, Write};

use anynode::SessionInfo;

use super::{ITEMS, NAME_CHARS_MAX, Node};

/// Text from a visitor, safe inside of elements and quoted attributes.
struct Escaped<'a>(&'a str);

/// The page of a visitor who is not logged in.
pub(super) fn login(node: &Node) -> String {
    let main = format!(
        r#"<section><h2>Log in</h2>
<form method="post" action="/login" class="row">
<label>Your name <input name="name" maxlength="{NAME_CHARS_MAX}" autocomplete="username" required autofocus></label>
<button>Log in</button>
</form>
<p class="hint">Any name will do. Then reload, and watch another node answer.</p></section>"#
    );
    page(node, &main)
}

/// The page of a user.
pub(super) fn home(
    node: &Node,
    user: &str,
    visits: u64,
    cart: &[String],
    sessions: &[SessionInfo],
) -> String {
    let main = format!(
        r#"<section><h2>Hello, {user}</h2>
<p class="count">{visits}</p><p class="hint">visits in this session, whichever node answered</p>
<form method="get" action="/"><button>Visit again</button></form></section>
<section><h2>Your cart</h2>
<p>{cart}</p>
<form method="post" action="/cart" class="row">{items}</form></section>
<section><h2>Your sessions</h2>
<ul>{sessions}</ul>
<div class="row"><form method="post" action="/logout"><button>Log out</button></form>
<form method="post" action="/logout-everywhere"><button class="quiet">Log out everywhere</button></form></div></section>"#,
        user = Escaped(user),
        cart = cart_text(cart),
        items = item_buttons(),
        sessions = session_rows(sessions),
    );
    page(node, &main)
}

fn page(node: &Node, main: &str) -> String {
    format!(
        r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>anynode</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css"></head>
<body><header><h1>anynode</h1><p class="node">answered by <b>{name}</b>, pid {pid}</p></header>
<main>{main}</main></body></html>
"#,
        name = Escaped(&node.name),
        pid = node.pid,
    )
}

fn cart_text(cart: &[String]) -> String {
    let mut counts = Vec::new();
    for item in ITEMS {
        let count = cart.iter().filter(|of| *of == item).count();
        if count > 0 {
            counts.push(format!("{count} × {item}"));
        }
    }
    if counts.is_empty() {
        return "It is empty.".to_owned();
    }
    counts.join(", ")
}

fn item_buttons() -> String {
    let button = |item| format!(r#"<button name="item" value="{item}">Add {item}</button>"#);
    ITEMS.map(button).concat()
}

fn session_rows(sessions: &[SessionInfo]) -> String {
    let mut rows = String::new();
    for session in sessions {
        let label = session.device.label.as_deref().unwrap_or("unknown client");
        let end = if session.is_current {
            "<b>this one</b>".to_owned()
        } else {
            format!(
                r#"<form method="post" action="/logout-there"><button class="quiet" name="handle" value="{}">Log out there</button></form>"#,
                session.handle
            )
        };
        let minutes = session.idle_left.as_secs().div_ceil(60);
        let row = format!(
            "<li><span>{} <small>ends after {minutes} min without use</small></span>{end}</li>",
            Escaped(label)
        );
        rows.push_str(&row);
    }
    rows
}

// === impl Escaped ===

impl Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                other => formatter.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_visitor_typed_is_text_on_the_page() {
        let node = Node {
            name: "n1".to_owned(),
            pid: 1,
        };
        let page = home(&node, r#"<img src=x onerror="alert('&')">"#, 1, &[], &[]);
        assert!(!page.contains("<img"), "{page}");
        let shown = "&lt;img src=x onerror=&quot;alert(&#39;&amp;&#39;)&quot;&gt;";
        assert!(page.contains(shown), "{page}");
    }
}
