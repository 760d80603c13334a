//! Users logged out over time, with what was done to the fleet.

use super::panels::{Panel, Panels, Tick};
use crate::compare::html::svg::{Canvas, Caption, Layout, Path};
use crate::compare::report::{Report, Seen, count};

pub(super) fn draw(report: &Report, caption: &Caption<'_>, layout: Layout) -> String {
    let mut canvas = Canvas::default();
    let users = report.run.users.max(1);
    let ticks = [
        Tick {
            height: 0.0,
            label: "0".to_owned(),
        },
        Tick {
            height: 1.0,
            label: count(users),
        },
    ];
    let panels = Panels::of(report, layout);
    let height = panels.draw(&mut canvas, report, &ticks, |canvas, index, panel| {
        for seen in &panel.row.seen {
            step(canvas, index, panel, seen, users);
        }
    });
    canvas.finish(caption, layout, height)
}

fn step(canvas: &mut Canvas, index: usize, panel: &Panel<'_>, seen: &Seen, users: u32) {
    let Some((left, right)) = panel.edges(seen.step) else {
        return;
    };
    let bottom = panel.y(0.0);
    let mut line = Path::default();
    let mut y = bottom;
    let mut x = left;
    line.move_to(left, bottom);
    for slice in panel.row.slices.iter().filter(|of| of.step == seen.step) {
        x = panel.x(seen.step, slice.at_ms).unwrap_or(x);
        line.line_to(x, y);
        y = panel.y(f64::from(slice.users_logged_out) / f64::from(users));
        line.line_to(x, y);
    }
    let end = panel.x(seen.step, seen.end_ms).unwrap_or(right);
    line.line_to(end, y);
    let mut under = line.clone();
    under.line_to(end, bottom);
    under.close();
    let colour = super::colour(index);
    let out = seen.users_logged_out;
    let said = format!(
        "{}, {}: {} of {} users logged out",
        panel.row.strategy,
        seen.step.title(),
        count(out),
        count(users)
    );
    canvas.path(&format!("under {colour}"), &under, &said);
    canvas.path(&format!("over {colour}"), &line, &said);
    let class = if out == 0 {
        "number zero end"
    } else {
        "number end"
    };
    canvas.text(class, (right - 5.0, panel.area.top + 15.0), &count(out));
}
