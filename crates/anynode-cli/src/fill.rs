//! Filling a template: values are text on the page, whatever is in them.

use std::fmt::Display;

/// The template with each `{{name}}` replaced by the value of that name, escaped for elements and quoted attributes.
///
/// `{{&name}}` stands for HTML that was filled before. A value is never searched for slots, so nobody can type one.
pub(crate) fn fill(template: &str, values: &[(&str, &dyn Display)]) -> String {
    let mut pieces = template.split("{{");
    let mut page = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (slot, rest) = piece
            .split_once("}}")
            .expect("every slot of a template ends");
        let name = slot.trim_start_matches('&');
        let value = values.iter().find(|(of, _)| *of == name);
        let (_, value) = value.unwrap_or_else(|| panic!("the template is given its {name}"));
        match slot.starts_with('&') {
            true => page.push_str(&value.to_string()),
            false => page.extend(value.to_string().chars().flat_map(escaped)),
        }
        page.push_str(rest);
    }
    page
}

fn escaped(character: char) -> impl Iterator<Item = char> {
    let entity = match character {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&#39;",
        _ => "",
    };
    entity.chars().chain(entity.is_empty().then_some(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_visitor_typed_is_text_on_the_page() {
        let typed = r#"<img src=x onerror="alert('&')">{{html}}{{&html}}"#;
        let page = fill(
            "<b title=\"{{typed}}\">{{&html}}</b>",
            &[("typed", &typed), ("html", &"<i>")],
        );
        assert_eq!(
            page,
            "<b title=\"&lt;img src=x onerror=&quot;alert(&#39;&amp;&#39;)&quot;&gt;\
             {{html}}{{&amp;html}}\"><i></b>"
        );
    }
}
