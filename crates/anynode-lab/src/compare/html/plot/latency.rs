//! The time of requests, by powers of ten, while things happen to the fleet.

use super::panels::{Panel, Panels, Tick};
use crate::compare::html::svg::{Canvas, Caption, Layout, Path};
use crate::compare::report::{Report, Slice};

/// The bottom of the scale: no answer over loopback takes less.
const LOW_US: f64 = 100.0;

/// The scale has at least this many powers of ten.
const DECADES_MIN: u32 = 2;

pub(super) fn draw(report: &Report, caption: &Caption<'_>, layout: Layout) -> String {
    let mut canvas = Canvas::default();
    let slices = report.rows.iter().flat_map(|row| &row.slices);
    let slowest = slices.filter_map(|slice| slice.p99_us).max().unwrap_or(0);
    let mut decades = DECADES_MIN;
    while top(decades) < f64::from(slowest) {
        decades += 1;
    }
    let ticks: Vec<Tick> = (0..=decades).map(|decade| tick(decade, decades)).collect();
    let panels = Panels::of(report, layout);
    let height = panels.draw(&mut canvas, report, &ticks, |canvas, index, panel| {
        let colour = super::colour(index);
        let name = &panel.row.strategy;
        let slow = line(panel, decades, |slice| slice.p99_us);
        canvas.path(&format!("thin {colour}"), &slow, &format!("{name}, p99"));
        let median = line(panel, decades, |slice| slice.p50_us);
        canvas.path(&format!("over {colour}"), &median, &format!("{name}, p50"));
        labels(canvas, panel, decades);
    });
    canvas.finish(caption, layout, height)
}

fn line(panel: &Panel<'_>, decades: u32, of: impl Fn(&Slice) -> Option<u32>) -> Path {
    let mut path = Path::default();
    let mut is_broken = true;
    for slice in &panel.row.slices {
        let point = of(slice).zip(panel.x(slice.step, slice.at_ms));
        let Some((us, x)) = point else {
            is_broken = true;
            continue;
        };
        let y = panel.y(height(us, decades));
        if is_broken {
            path.move_to(x, y);
        }
        // A lone point would be a path without length, which shows nothing.
        path.line_to(x + 0.5, y);
        is_broken = false;
    }
    path
}

/// Names the two lines where they begin.
fn labels(canvas: &mut Canvas, panel: &Panel<'_>, decades: u32) {
    let Some(first) = panel.row.slices.first() else {
        return;
    };
    let slow = panel.row.latency.p99_us.max(first.p99_us.unwrap_or(0));
    let x = panel.area.left + 6.0;
    let slow_y = panel.y(height(slow, decades)) - 5.0;
    canvas.text("small", (x, slow_y.max(panel.area.top + 10.0)), "p99");
    let median_y = panel.y(height(panel.row.latency.p50_us, decades)) + 12.0;
    canvas.text("small", (x, median_y.min(panel.y(0.0) - 3.0)), "p50");
}

fn height(us: u32, decades: u32) -> f64 {
    (f64::from(us.max(1)) / LOW_US).log10() / f64::from(decades)
}

fn top(decades: u32) -> f64 {
    LOW_US * 10_f64.powi(i32::try_from(decades).unwrap_or(i32::MAX))
}

fn tick(decade: u32, decades: u32) -> Tick {
    let us = top(decade);
    let label = if us < 1_000.0 {
        "0.1 ms".to_owned()
    } else if us < 1_000_000.0 {
        format!("{:.0} ms", us / 1_000.0)
    } else {
        format!("{:.0} s", us / 1_000_000.0)
    };
    Tick {
        height: f64::from(decade) / f64::from(decades),
        label,
    }
}
