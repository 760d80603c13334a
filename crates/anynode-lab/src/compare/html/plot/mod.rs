//! The plots: each a figure with a sentence that says what it shows.

mod added;
mod latency;
mod load;
mod logged_out;
mod panels;

use super::PLOTS;
use super::sentence;
use super::svg::{Caption, Layout, escape};
use crate::compare::report::Report;

/// A plot before it has a place on the page.
struct Figure<'a> {
    id: &'a str,
    heading: String,
    /// How to read it.
    note: &'a str,
    draw: fn(&Report, &Caption<'_>, Layout) -> String,
    legend: &'a str,
}

/// What the marks below a panel stand for; drawn in text, since a reader of a black and white
/// print has no colours.
const EVENTS: &str = r#"<p class="legend"><span><b class="mark crash">×</b> killed with kill -9</span> <span><b class="mark">▼</b> taken out of service</span> <span><b class="mark">▲</b> put into service</span> <span><b class="mark">♦</b> users change address</span> <span><b class="mark">●</b> users revoked</span></p>"#;

/// All plots of the page.
pub(super) fn figures(report: &Report) -> String {
    let [out, latency, added, load] = PLOTS;
    let figures = [
        Figure {
            id: out,
            heading: sentence::logged_out(report),
            note: "Users logged out since the step began: those who were answered as not logged \
                   in though nobody had logged them out. The count starts anew with each step, \
                   because whoever is logged out logs in again.",
            draw: logged_out::draw,
            legend: EVENTS,
        },
        Figure {
            id: latency,
            heading: sentence::latency(report),
            note: "Time from the moment a request was due to the end of its answer, on a scale \
                   by powers of ten. A broken line means that nothing was answered.",
            draw: latency::draw,
            legend: EVENTS,
        },
        Figure {
            id: added,
            heading: sentence::added(report),
            note: "Latency in steady load, less that of the same requests straight to one node \
                   that keeps sessions in its memory.",
            draw: added::draw,
            legend: "",
        },
        Figure {
            id: load,
            heading: sentence::load(report),
            note: "Requests of each node over the mean of all nodes at that moment, one bar for \
                   each node; the dashed line is the mean.",
            draw: load::draw,
            legend: "",
        },
    ];
    figures.iter().map(|figure| figure.html(report)).collect()
}

/// The class that gives a strategy its colour.
fn colour(index: usize) -> String {
    /// As many as there are strategies in all, those still to come included.
    const COLOURS: usize = 7;
    format!("s{}", index % COLOURS)
}

// === impl Figure ===

impl Figure<'_> {
    fn html(&self, report: &Report) -> String {
        let caption = Caption {
            id: self.id,
            title: &self.heading,
            description: self.note,
        };
        let drawings = Layout::ALL.map(|layout| (self.draw)(report, &caption, layout));
        format!(
            "<figure id=\"{}\">\n<h2>{}</h2>\n<figcaption>{}</figcaption>\n{}{}</figure>\n",
            self.id,
            escape(&self.heading),
            escape(self.note),
            drawings.concat(),
            self.legend,
        )
    }
}
