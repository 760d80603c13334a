//! What each strategy adds to a request's time, as bars.

use crate::compare::html::svg::{Area, Canvas, Caption, Layout, Path};
use crate::compare::report::{Report, milliseconds};

const LEFT: f64 = 44.0;
/// Right of the longest bar, for its number.
const RIGHT: f64 = 84.0;
const NAME: f64 = 22.0;
const BAR: f64 = 16.0;
const GAP: f64 = 4.0;

pub(super) fn draw(report: &Report, caption: &Caption<'_>, layout: Layout) -> String {
    let mut canvas = Canvas::default();
    let base = report.baseline;
    let added = |us: u32, base: u32| f64::from(us) - f64::from(base);
    let both: Vec<[f64; 2]> = report
        .rows
        .iter()
        .map(|row| {
            let p50 = added(row.latency.p50_us, base.p50_us);
            [p50, added(row.latency.p99_us, base.p99_us)]
        })
        .collect();
    let most = both.iter().flatten().copied().fold(1.0, f64::max);
    let scale = (layout.width() - LEFT - RIGHT) / most;
    let mut top = 0.0;
    for (index, (row, both)) in report.rows.iter().zip(&both).enumerate() {
        let colour = super::colour(index);
        let name = format!("name {colour}");
        canvas.text(&name, (0.0, top + NAME - 7.0), &row.strategy);
        top += NAME;
        for (percentile, us, class) in [("p50", both[0], "bar"), ("p99", both[1], "bar pale")] {
            canvas.text("small end", (LEFT - 5.0, top + BAR - 4.0), percentile);
            // Less than the baseline is noise; the number says so, the bar has no room for it.
            let width = (us * scale).max(1.0);
            let area = Area {
                left: LEFT,
                top,
                width,
                height: BAR,
            };
            let text = milliseconds(us);
            let said = format!("{}: {percentile} {text} added", row.strategy);
            canvas.area(&format!("{class} {colour}"), area, &said);
            canvas.text("label", (LEFT + width + 6.0, top + BAR - 4.0), &text);
            top += BAR + GAP;
        }
        top += GAP;
    }
    let mut axis = Path::default();
    axis.move_to(LEFT, 0.0);
    axis.line_to(LEFT, top);
    canvas.path("axis", &axis, "the baseline");
    canvas.finish(caption, layout, top)
}
