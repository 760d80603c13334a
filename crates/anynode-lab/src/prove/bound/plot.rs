//! The distribution of staleness, as lines of text and as a drawing: the bound is a wall in it.

use std::fmt::Write;
use std::time::Duration;

use super::claim::Bound;
use super::staleness::Row;
use crate::checker::{Spread, Staleness};

/// From nothing to the most of a line, by powers of the count.
const HEIGHTS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What is drawn of each situation.
fn series(found: &Staleness) -> [(&'static str, &'static str, &Spread); 3] {
    [
        ("copies", "age of copies", &found.copies),
        ("loads", "age of loads", &found.loads),
        ("behind", "behind by", &found.behind),
    ]
}

/// One line for each distribution, on a scale by powers of ten; the wall is the bound.
pub(super) fn lines(found: &Staleness, bound: Duration) -> String {
    let mut text = format!("  {:<14}{:>8} ", "", "< 10 µs");
    for decade in 0..Spread::DECADES {
        let label = label_of(decade);
        write!(text, "{label:<width$}", width = Spread::PER_DECADE).expect("a text takes any");
    }
    let wall = wall_of(bound);
    for (_, name, spread) in series(found) {
        write!(text, "\n  {name:<14}{:>8} ", spread.none).expect("a text takes any");
        let most = spread.buckets.iter().copied().max().unwrap_or_default();
        for bucket in 0..Spread::COUNT {
            if bucket == wall {
                text.push('│');
            }
            text.push(HEIGHTS[height(spread.at(bucket), most, HEIGHTS.len() - 1)]);
        }
    }
    let lines = text.lines().map(str::trim_end);
    lines.collect::<Vec<_>>().join("\n")
}

/// How high a count stands of so many steps, by powers of it; what there is is seen.
fn height(count: u64, most: u64, steps: usize) -> usize {
    let bits = |number: u64| usize::try_from(number.checked_ilog2().map_or(0, |log| log + 1));
    let (own, all) = (bits(count).unwrap_or(0), bits(most).unwrap_or(0));
    (own * steps).div_ceil(all.max(1)).min(steps)
}

/// The first bucket that lies beyond the bound.
fn wall_of(bound: Duration) -> usize {
    let mut buckets = 0..Spread::COUNT;
    let beyond = buckets.find(|bucket| Spread::begin_of(*bucket) >= bound);
    beyond.unwrap_or(Spread::COUNT)
}

fn label_of(decade: usize) -> String {
    let begin = Spread::begin_of(decade * Spread::PER_DECADE);
    match begin.as_micros() {
        micros @ ..1_000 => format!("{micros} µs"),
        micros @ ..1_000_000 => format!("{} ms", micros / 1_000),
        micros => format!("{} s", micros / 1_000_000),
    }
}

const LEFT: f64 = 170.0;
const WIDTH: f64 = 960.0;
const TOP: f64 = 74.0;
const PANEL: f64 = 84.0;
const BARS: f64 = 60.0;

const STYLE: &str = "svg{font:12px system-ui,sans-serif;background:#fff;color:#222}\
 text{fill:#222}.copies{fill:#3b7dd8}.loads{fill:#b9c4d0}.behind{fill:#d9822b}\
 .wall{stroke:#c0182b;stroke-width:2}.grid{stroke:#ddd}.base{stroke:#888}.small{font-size:11px}\
 .wall-text{fill:#c0182b;font-weight:600}";

/// The same as a drawing, one panel for each situation.
pub(super) fn svg(store: &str, bound: Bound, rows: &[Row]) -> String {
    let height = TOP + PANEL * number(rows.len()) + 34.0;
    let title = format!("Staleness on {store}: how old the knowledge behind answers is");
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{WIDTH:.0}\" \
         height=\"{height:.0}\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n\
         <text x=\"12\" y=\"22\" style=\"font-size:16px\">{title}</text>\n"
    );
    legend(&mut text);
    for decade in 0..=Spread::DECADES {
        let x = x_of(decade * Spread::PER_DECADE);
        line(&mut text, "grid", (x, TOP), (x, height - 34.0));
        let label = label_of(decade);
        put(&mut text, "small", (x + 2.0, height - 18.0), &label);
    }
    for (row, at) in rows.iter().zip(0_u8..) {
        panel(&mut text, row, TOP + PANEL * f64::from(at));
    }
    let wall = x_at(bound.total());
    line(&mut text, "wall", (wall, TOP - 8.0), (wall, height - 34.0));
    let bound = format!("the bound: {bound}");
    put(&mut text, "wall-text", (wall + 4.0, TOP + 2.0), &bound);
    text.push_str("</svg>\n");
    text
}

fn legend(text: &mut String) {
    let names = [
        ("copies", "age of answers from copies"),
        ("loads", "age of answers from the store"),
        ("behind", "answers behind what had been acknowledged"),
    ];
    let mut x = 12.0;
    for (class, name) in names {
        bar(text, class, (x, 38.0), (12.0, 12.0), "");
        put(text, "small", (x + 18.0, 48.0), name);
        x += 250.0;
    }
    put(
        text,
        "small",
        (WIDTH - 150.0, 22.0),
        "both scales by powers",
    );
}

/// The distributions of one situation, one beside the other in each bucket.
fn panel(text: &mut String, row: &Row, top: f64) {
    let base = top + BARS + 14.0;
    put(text, "", (12.0, top + 34.0), row.situation.name());
    let most = format!("at most {} behind", super::row::time(row.found.behind_max));
    put(text, "small", (12.0, top + 50.0), &most);
    line(text, "base", (LEFT, base), (x_of(Spread::COUNT), base));
    let third = (x_of(1) - x_of(0)) / 3.0;
    let series = series(&row.found);
    let counts = series.iter().flat_map(|(_, _, spread)| &spread.buckets);
    let most = counts.copied().max().unwrap_or_default();
    for ((class, name, spread), place) in series.into_iter().zip(0_u8..) {
        for bucket in 0..Spread::COUNT {
            let count = spread.at(bucket);
            if count == 0 {
                continue;
            }
            let tall = BARS * number(height(count, most, 100)) / 100.0;
            let x = x_of(bucket) + third * f64::from(place);
            let said = format!(
                "{name} {}: {count}",
                super::row::time(Spread::begin_of(bucket))
            );
            bar(text, class, (x, base - tall), (third.max(1.0), tall), &said);
        }
    }
}

fn x_of(bucket: usize) -> f64 {
    let step = (WIDTH - LEFT - 60.0) / number(Spread::COUNT);
    LEFT + step * number(bucket)
}

/// Where a duration lies between the buckets.
fn x_at(duration: Duration) -> f64 {
    let low = Spread::LOW.as_secs_f64();
    let decades = (duration.as_secs_f64() / low).max(1.0).log10();
    let decade = x_of(Spread::PER_DECADE) - x_of(0);
    LEFT + decade * decades.min(number(Spread::DECADES))
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn line(text: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let line = format!(
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"
    );
    text.push_str(&line);
}

fn bar(text: &mut String, class: &str, at: (f64, f64), size: (f64, f64), said: &str) {
    let ((x, y), (width, height)) = (at, size);
    let bar = format!(
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
         height=\"{height:.1}\"><title>{said}</title></rect>\n"
    );
    text.push_str(&bar);
}

fn put(text: &mut String, class: &str, at: (f64, f64), said: &str) {
    let (x, y) = at;
    let said = format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{said}</text>\n");
    text.push_str(&said);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_stands_where_the_bound_is_and_what_is_beyond_it_is_seen() {
        let mut found = Staleness::default();
        found.copies.add(Duration::from_millis(400));
        found.behind.add(Duration::from_secs(3));
        let bound = Duration::from_millis(1_010);
        let text = lines(&found, bound);
        let line = |name| text.lines().find(|line| line.contains(name)).unwrap();
        let wall = |name| line(name).find('│');
        assert!(
            line("age of copies").find('█') < wall("age of copies"),
            "{text}"
        );
        assert!(line("behind by").find('█') > wall("behind by"), "{text}");
        assert!(wall("behind by").is_some(), "{text}");
    }

    #[test]
    fn the_smallest_count_is_seen_beside_the_largest() {
        assert_eq!(height(0, 1_000_000, 8), 0);
        assert_eq!(height(1, 1_000_000, 8), 1);
        assert_eq!(height(1_000_000, 1_000_000, 8), 8);
        assert_eq!(height(0, 0, 8), 0);
    }
}
