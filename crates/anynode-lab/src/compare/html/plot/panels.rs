//! Panels below each other, one for each strategy, with the steps as bands from left to right.
//!
//! Steps take a little longer under one strategy than under another; a band is as wide for all,
//! and as long as the longest, so that what belongs together stands in one column.

use crate::compare::html::svg::{Area, Canvas, Layout, Path};
use crate::compare::report::{Event, EventKind, Report, Row, Step, seconds};

/// Where the steps stand.
#[derive(Debug)]
pub(super) struct Panels {
    layout: Layout,
    bands: Vec<Band>,
}

/// One step's place.
#[derive(Debug)]
struct Band {
    step: Step,
    left: f64,
    width: f64,
    span_ms: u32,
}

/// One strategy's panel.
#[derive(Debug)]
pub(super) struct Panel<'a> {
    pub(super) row: &'a Row,
    pub(super) area: Area,
    panels: &'a Panels,
}

/// A line across a panel and what it stands for; 0 is the bottom and 1 the top.
#[derive(Clone, Debug)]
pub(super) struct Tick {
    pub(super) height: f64,
    pub(super) label: String,
}

const LEFT: f64 = 44.0;
const HEADER: f64 = 34.0;
const NAME: f64 = 22.0;
const MARKS: f64 = 18.0;
const GAP: f64 = 8.0;

// === impl Panels ===

impl Panels {
    pub(super) fn of(report: &Report, layout: Layout) -> Self {
        let count = f64::from(u32::try_from(report.steps.len()).unwrap_or(u32::MAX).max(1));
        let width = (layout.width() - LEFT) / count;
        let mut left = LEFT;
        let mut bands = Vec::new();
        for &step in &report.steps {
            let seen = report.rows.iter().filter_map(|row| row.seen_in(step));
            let spans = seen.map(|seen| seen.end_ms.saturating_sub(seen.begin_ms));
            bands.push(Band {
                step,
                left,
                width,
                span_ms: spans.max().unwrap_or(0).max(1),
            });
            left += width;
        }
        Self { layout, bands }
    }

    /// Draws the frame of all panels and what each has inside; answers how high that is.
    pub(super) fn draw(
        &self,
        canvas: &mut Canvas,
        report: &Report,
        ticks: &[Tick],
        inside: impl Fn(&mut Canvas, usize, &Panel<'_>),
    ) -> f64 {
        self.header(canvas);
        let mut top = HEADER;
        for (index, row) in report.rows.iter().enumerate() {
            let name = format!("name {}", super::colour(index));
            canvas.text(&name, (0.0, top + NAME - 7.0), &row.strategy);
            top += NAME;
            let area = Area {
                left: LEFT,
                top,
                width: self.layout.width() - LEFT,
                height: self.panel_height(),
            };
            let panel = Panel {
                row,
                area,
                panels: self,
            };
            self.frame(canvas, &panel, ticks);
            inside(canvas, index, &panel);
            panel.marks(canvas);
            top += area.height + MARKS + GAP;
        }
        top
    }

    fn panel_height(&self) -> f64 {
        match self.layout {
            Layout::Wide => 84.0,
            Layout::Narrow => 64.0,
        }
    }

    fn header(&self, canvas: &mut Canvas) {
        for band in &self.bands {
            let middle = band.left + band.width / 2.0;
            let name = match self.layout {
                Layout::Wide => band.step.title(),
                Layout::Narrow => band.step.word(),
            };
            canvas.text("label mid", (middle, 12.0), name);
            canvas.text("small mid", (middle, 27.0), &seconds(band.span_ms));
        }
    }

    fn frame(&self, canvas: &mut Canvas, panel: &Panel<'_>, ticks: &[Tick]) {
        let area = panel.area;
        for (at, band) in self.bands.iter().enumerate() {
            let class = if at.is_multiple_of(2) {
                "band"
            } else {
                "band odd"
            };
            let place = Area {
                left: band.left,
                width: band.width,
                ..area
            };
            canvas.area(class, place, "");
        }
        for tick in ticks {
            let y = panel.y(tick.height);
            canvas.line("grid", (area.left, y), (area.left + area.width, y));
            canvas.text("small end", (area.left - 5.0, y + 3.5), &tick.label);
        }
    }
}

// === impl Panel ===

impl Panel<'_> {
    /// Where a time of the row stands; nothing outside of every step.
    pub(super) fn x(&self, step: Step, at_ms: u32) -> Option<f64> {
        let band = self.panels.bands.iter().find(|band| band.step == step)?;
        let begin = self.row.seen_in(step)?.begin_ms;
        let passed = f64::from(at_ms.saturating_sub(begin)) / f64::from(band.span_ms);
        Some(band.left + passed.clamp(0.0, 1.0) * band.width)
    }

    /// Where the band of a step begins and ends.
    pub(super) fn edges(&self, step: Step) -> Option<(f64, f64)> {
        let band = self.panels.bands.iter().find(|band| band.step == step)?;
        Some((band.left, band.left + band.width))
    }

    /// Where a height between 0 and 1 stands.
    pub(super) fn y(&self, height: f64) -> f64 {
        self.area.top + self.area.height * (1.0 - height.clamp(0.0, 1.0))
    }

    fn marks(&self, canvas: &mut Canvas) {
        let middle = self.area.top + self.area.height + MARKS / 2.0;
        for event in &self.row.events {
            let Some(step) = self.step_at(event.at_ms) else {
                continue;
            };
            let Some(x) = self.x(step, event.at_ms) else {
                continue;
            };
            let class = match event.kind {
                EventKind::Crash => "mark crash",
                _ => "mark",
            };
            canvas.path(class, &shape(event.kind, x, middle), &said(event));
        }
    }

    fn step_at(&self, at_ms: u32) -> Option<Step> {
        let mut seen = self.row.seen.iter().rev();
        seen.find(|seen| seen.begin_ms <= at_ms)
            .map(|seen| seen.step)
    }
}

fn said(event: &Event) -> String {
    let what = match event.kind {
        EventKind::Crash => "killed with kill -9:",
        EventKind::Stop => "taken out of service:",
        EventKind::Start => "put into service:",
        EventKind::Move => "changed address:",
        EventKind::Revoke => "logged out everywhere:",
    };
    format!("{} {what} {}", seconds(event.at_ms), event.whom)
}

/// A small shape round a point, another one for each kind.
fn shape(kind: EventKind, x: f64, y: f64) -> Path {
    const R: f64 = 4.0;
    let points: &[(f64, f64)] = match kind {
        EventKind::Crash => return cross(x, y, R),
        EventKind::Stop => &[(-R, -R), (R, -R), (0.0, R)],
        EventKind::Start => &[(-R, R), (R, R), (0.0, -R)],
        EventKind::Move => &[
            (0.0, -R - 1.0),
            (R + 1.0, 0.0),
            (0.0, R + 1.0),
            (-R - 1.0, 0.0),
        ],
        EventKind::Revoke => &[
            (-R, 0.0),
            (-2.8, -2.8),
            (0.0, -R),
            (2.8, -2.8),
            (R, 0.0),
            (2.8, 2.8),
            (0.0, R),
            (-2.8, 2.8),
        ],
    };
    let mut path = Path::default();
    for (right, down) in points {
        path.reach(x + right, y + down);
    }
    path.close();
    path
}

fn cross(x: f64, y: f64, r: f64) -> Path {
    let mut path = Path::default();
    path.move_to(x - r, y - r);
    path.line_to(x + r, y + r);
    path.move_to(x - r, y + r);
    path.line_to(x + r, y - r);
    path
}
