//! The page and the JSON.

use std::fs;
use std::path::Path;

use anynode_lab::compare::html;
use anynode_lab::compare::report::Report;

use crate::synthetic;

#[test]
fn the_json_is_read_back_as_it_was_written() {
    let report = synthetic::report();
    let text = report.to_json().unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}

#[test]
fn the_page_has_every_plot_and_every_number() {
    let report = synthetic::report();
    let page = html::page(&report);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::write(directory.join("synthetic-report.html"), &page).unwrap();
    for plot in html::PLOTS {
        let (_, figure) = page.split_once(&format!("<figure id=\"{plot}\">")).unwrap();
        let (figure, _) = figure.split_once("</figure>").unwrap();
        assert_eq!(figure.matches("<svg ").count(), 2, "{plot}");
        assert!(figure.contains(" d=\"M"), "{plot}");
    }
    for line in &report.table.lines {
        let (_, row) = page
            .split_once(&format!("<tr data-line=\"{}\">", line.id))
            .unwrap();
        let (row, _) = row.split_once("</tr>").unwrap();
        for value in &line.values {
            assert!(row.contains(&format!(">{}</td>", value.text)), "{row}");
        }
    }
}

#[test]
fn the_page_asks_nothing_of_the_network_and_runs_nothing() {
    let page = html::page(&synthetic::report());
    for outside in [
        "http:", "https:", "src=", "url(", "@import", "<script", "onload",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("a processor &lt;of&gt; some kind"));
}
