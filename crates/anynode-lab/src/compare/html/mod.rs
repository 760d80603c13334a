//! The report as one page: no network, no script, light and dark, on paper, a phone and a desk.

mod plot;
mod sentence;
mod svg;
mod tables;

use self::svg::escape;
use super::report::{Report, Run, count, seconds};

/// The page's only style. It has the colours of the plots too, so that they follow light and dark.
const STYLE: &str = include_str!("page.css");

/// Every plot of the page by the id of its figure.
pub const PLOTS: [&str; 4] = ["plot-logged-out", "plot-latency", "plot-added", "plot-load"];

/// The report as the text of `report.html`.
#[must_use]
pub fn page(report: &Report) -> String {
    let run = &report.run;
    let lead = escape(&sentence::lead(report));
    let verdicts = tables::verdicts(&report.table);
    let numbers = tables::numbers(&report.table);
    let definitions = tables::definitions(&report.table);
    let plots = plot::figures(report);
    let how = how(run);
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>anynode: what each strategy costs</title>
<style>
{STYLE}</style>
</head>
<body>
<header>
<p class="kicker">anynode-lab compare</p>
<h1>What each session strategy costs its users</h1>
<p class="lead">{lead}</p>
</header>
<main>
<section>
<h2>The verdicts</h2>
{verdicts}</section>
{plots}<section>
<h2>The numbers</h2>
{numbers}</section>
<section>
<h2>What each number is</h2>
{definitions}</section>
<section>
<h2>How it was measured</h2>
{how}</section>
</main>
</body>
</html>
"#
    )
}

fn how(run: &Run) -> String {
    let story = format!(
        "Each strategy had a gateway, three nodes and {users} users of its own, all as processes \
         of one machine. The users' requests were due at fixed times, {rate} in a second, whether \
         or not earlier ones had been answered, and a request's time counts from the moment it \
         was due; of a hundred, {writes} write. All strategies went through the same steps with the same seed.",
        users = count(run.users),
        rate = count(run.rate_per_second),
        writes = run.writes_percent,
    );
    let machine = &run.machine;
    let facts = [
        ("command", run.command.clone()),
        ("seed", run.seed.to_string()),
        ("took", seconds(run.took_ms)),
        (
            "version",
            format!("anynode {} ({} build)", run.version, run.build),
        ),
        ("store", run.store.clone()),
        (
            "machine",
            format!("{} cores, {}", machine.cores, machine.processor),
        ),
        ("kernel", machine.kernel.clone()),
    ];
    let mut text = format!("<p>{}</p>\n<dl class=\"facts\">\n", escape(&story));
    for (name, value) in facts {
        text.push_str(&format!("<dt>{name}</dt><dd>{}</dd>\n", escape(&value)));
    }
    text.push_str("</dl>\n");
    text
}
