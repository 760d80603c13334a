//! SVG by hand: shapes that take their colours from the page's style.
//!
//! A library of plots writes colours and fonts into each element, which then cannot follow light
//! and dark, and has no titles for those who do not see the plot.

use std::fmt::Write;

/// The two widths a plot is drawn for; the page shows the one that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// A desk, and paper.
    Wide,
    /// A phone.
    Narrow,
}

/// Shapes, in the order in which they were drawn.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    shapes: String,
}

/// The data of a `path`.
#[derive(Clone, Debug, Default)]
pub(super) struct Path {
    data: String,
}

/// What a plot is called and what it shows, for those who do not see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caption<'a> {
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    pub(super) description: &'a str,
}

/// A rectangle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Text that is safe inside of elements and quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

// === impl Layout ===

impl Layout {
    /// Both, in the order in which the page has them.
    pub(super) const ALL: [Self; 2] = [Self::Wide, Self::Narrow];

    /// The class by which the style shows it.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }

    /// How wide it is.
    pub(super) const fn width(self) -> f64 {
        match self {
            Self::Wide => 960.0,
            Self::Narrow => 360.0,
        }
    }
}

// === impl Canvas ===

impl Canvas {
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        self.push(format_args!(
            r#"<line class="{class}" x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}"/>"#,
            from.0, from.1, to.0, to.1
        ));
    }

    /// A rectangle that says what it is when pointed at.
    pub(super) fn area(&mut self, class: &str, area: Area, said: &str) {
        self.push(format_args!(
            r#"<rect class="{class}" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}">{}</rect>"#,
            area.left,
            area.top,
            area.width.max(0.0),
            area.height.max(0.0),
            title(said)
        ));
    }

    pub(super) fn text(&mut self, class: &str, at: (f64, f64), text: &str) {
        self.push(format_args!(
            r#"<text class="{class}" x="{:.1}" y="{:.1}">{}</text>"#,
            at.0,
            at.1,
            escape(text)
        ));
    }

    /// A path that says what it is when pointed at; nothing for a path without a point.
    pub(super) fn path(&mut self, class: &str, path: &Path, said: &str) {
        if path.data.is_empty() {
            return;
        }
        let data = path.data.trim_end();
        self.push(format_args!(
            r#"<path class="{class}" d="{data}">{}</path>"#,
            title(said)
        ));
    }

    /// The whole drawing.
    pub(super) fn finish(self, caption: &Caption<'_>, layout: Layout, height: f64) -> String {
        let Caption {
            id,
            title,
            description,
        } = caption;
        let class = layout.class();
        let width = layout.width();
        let title = escape(title);
        let description = escape(description);
        format!(
            r#"<svg class="{class}" role="img" viewBox="0 0 {width:.0} {height:.0}" aria-labelledby="{id}-{class}-title {id}-{class}-desc">
<title id="{id}-{class}-title">{title}</title>
<desc id="{id}-{class}-desc">{description}</desc>
{shapes}</svg>
"#,
            shapes = self.shapes
        )
    }

    fn push(&mut self, shape: std::fmt::Arguments<'_>) {
        writeln!(self.shapes, "{shape}").expect("a string takes any text");
    }
}

fn title(said: &str) -> String {
    if said.is_empty() {
        return String::new();
    }
    format!("<title>{}</title>", escape(said))
}

// === impl Path ===

impl Path {
    pub(super) fn move_to(&mut self, x: f64, y: f64) {
        self.add('M', x, y);
    }

    pub(super) fn line_to(&mut self, x: f64, y: f64) {
        self.add('L', x, y);
    }

    /// Goes on from the last point, or begins here.
    pub(super) fn reach(&mut self, x: f64, y: f64) {
        let command = if self.data.is_empty() { 'M' } else { 'L' };
        self.add(command, x, y);
    }

    pub(super) fn close(&mut self) {
        self.data.push_str("Z ");
    }

    fn add(&mut self, command: char, x: f64, y: f64) {
        write!(self.data, "{command}{x:.1} {y:.1} ").expect("a string takes any text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_outside_is_text_and_no_element() {
        let mut canvas = Canvas::default();
        canvas.text("label", (0.0, 0.0), "<script>'&\"");
        let caption = Caption {
            id: "p",
            title: "<b>",
            description: "",
        };
        let svg = canvas.finish(&caption, Layout::Wide, 10.0);
        assert!(svg.contains(">&lt;script&gt;&#39;&amp;&quot;<"), "{svg}");
        assert!(svg.contains(">&lt;b&gt;<"), "{svg}");
    }

    #[test]
    fn a_path_without_a_point_is_not_drawn() {
        let mut canvas = Canvas::default();
        canvas.path("line", &Path::default(), "nothing");
        assert_eq!(canvas.shapes, "");
    }
}
