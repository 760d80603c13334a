//! Which node served how much, before the fleet grew, while it was large, and after.

use crate::compare::html::svg::{Area, Canvas, Caption, Layout, Path};
use crate::compare::report::{Load, Moment, Report, count, ratio};

const MOMENTS: [(Moment, &str); 3] = [
    (Moment::Before, "before"),
    (Moment::Grown, "grown"),
    (Moment::Back, "back"),
];

const HEADER: f64 = 20.0;
const NAME: f64 = 22.0;
const PANEL: f64 = 74.0;
const GAP: f64 = 16.0;
/// Between the groups of bars of two moments.
const BETWEEN: f64 = 18.0;

/// Where the bars of one moment stand; as many bars in each row as its largest fleet has nodes.
struct Group {
    moment: Moment,
    left: f64,
    bars: u32,
}

pub(super) fn draw(report: &Report, caption: &Caption<'_>, layout: Layout) -> String {
    let mut canvas = Canvas::default();
    let (groups, bar) = groups(report, layout);
    for (group, (_, name)) in groups.iter().zip(MOMENTS) {
        canvas.text("label", (group.left, 12.0), name);
    }
    let loads = report.rows.iter().flat_map(|row| &row.loads);
    let most = loads.filter_map(Load::imbalance).fold(1.0, f64::max);
    let mut top = HEADER;
    for (index, row) in report.rows.iter().enumerate() {
        let name = format!("name {}", super::colour(index));
        canvas.text(&name, (0.0, top + NAME - 7.0), &row.strategy);
        top += NAME;
        for group in &groups {
            let Some(load) = row.load_at(group.moment) else {
                continue;
            };
            let area = Area {
                left: group.left,
                top,
                width: f64::from(group.bars) * bar,
                height: PANEL,
            };
            bars(&mut canvas, index, load, area, (bar, most));
        }
        top += PANEL + GAP;
    }
    canvas.finish(caption, layout, top)
}

/// The groups, and how wide a bar is with its gap.
fn groups(report: &Report, layout: Layout) -> (Vec<Group>, f64) {
    let bars_of = |moment: Moment| {
        let loads = report.rows.iter().filter_map(|row| row.load_at(moment));
        let nodes = loads.map(|load| u32::try_from(load.nodes.len()).unwrap_or(u32::MAX));
        nodes.max().unwrap_or(1).max(1)
    };
    let total: u32 = MOMENTS.iter().map(|(moment, _)| bars_of(*moment)).sum();
    let bar = (layout.width() - 2.0 * BETWEEN) / f64::from(total);
    let mut left = 0.0;
    let mut groups = Vec::new();
    for (moment, _) in MOMENTS {
        let bars = bars_of(moment);
        groups.push(Group { moment, left, bars });
        left += f64::from(bars) * bar + BETWEEN;
    }
    (groups, bar)
}

fn bars(canvas: &mut Canvas, index: usize, load: &Load, area: Area, (bar, most): (f64, f64)) {
    let total: u32 = load.nodes.iter().map(|node| node.requests).sum();
    let nodes = u32::try_from(load.nodes.len()).unwrap_or(u32::MAX);
    let mean = f64::from(total) / f64::from(nodes.max(1));
    let bottom = area.top + area.height;
    // Room above the highest bar for the number.
    let unit = (area.height - 16.0) / most;
    canvas.area("band", area, "");
    let mut left = area.left;
    for node in &load.nodes {
        let over = f64::from(node.requests) / mean.max(1.0);
        let height = (over * unit).max(1.0);
        let place = Area {
            left: left + bar * 0.1,
            top: bottom - height,
            width: bar * 0.8,
            height,
        };
        let said = format!("{}: {} requests", node.node, count(node.requests));
        canvas.area(&format!("bar {}", super::colour(index)), place, &said);
        left += bar;
    }
    let mut line = Path::default();
    line.move_to(area.left, bottom - unit);
    line.line_to(area.left + area.width, bottom - unit);
    canvas.path("mean", &line, "the mean of all nodes");
    if let Some(imbalance) = load.imbalance() {
        let text = format!("{}×", ratio(imbalance));
        canvas.text("number", (area.left + 3.0, area.top + 13.0), &text);
    }
}
