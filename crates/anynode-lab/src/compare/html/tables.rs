//! The tables of the page.

use super::svg::escape;
use crate::compare::report::{Mark, Table};

/// The verdicts, one row for each strategy; on a phone each row is a card.
pub(super) fn verdicts(table: &Table) -> String {
    let mut text = String::from(
        "<table id=\"verdicts\" class=\"verdicts\" role=\"table\">\n<thead role=\"rowgroup\"><tr role=\"row\"><th role=\"columnheader\" scope=\"col\">strategy</th>",
    );
    for line in &table.verdicts {
        let title = escape(&line.title);
        text.push_str(&format!(
            "<th role=\"columnheader\" scope=\"col\"><a href=\"#def-{}\">{title}</a></th>",
            escape(&line.id)
        ));
    }
    text.push_str("</tr></thead>\n<tbody role=\"rowgroup\">\n");
    for (at, strategy) in table.strategies.iter().enumerate() {
        text.push_str(&format!(
            "<tr role=\"row\"><th role=\"rowheader\" scope=\"row\">{}</th>",
            escape(strategy)
        ));
        for line in &table.verdicts {
            let answer = &line.answers[at];
            text.push_str(&format!(
                "<td role=\"cell\" class=\"{}\" data-label=\"{}\"><b>{}</b> <span>{}</span></td>",
                class(answer.mark),
                escape(&line.title),
                escape(&answer.text),
                escape(&answer.evidence),
            ));
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody></table>\n");
    text
}

/// The numbers, one row for each; on a phone the names stay while the columns move.
pub(super) fn numbers(table: &Table) -> String {
    let mut text = String::from(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"The numbers\">\n<table id=\"numbers\" class=\"numbers\">\n<thead><tr><th scope=\"col\"></th>",
    );
    for strategy in &table.strategies {
        text.push_str(&format!("<th scope=\"col\">{}</th>", escape(strategy)));
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    for line in &table.lines {
        let id = escape(&line.id);
        let title = escape(&line.title);
        text.push_str(&format!(
            "<tr data-line=\"{id}\"><th scope=\"row\"><a href=\"#def-{id}\">{title}</a></th>"
        ));
        for value in &line.values {
            let class = if value.number == Some(0.0) {
                " class=\"zero\""
            } else {
                ""
            };
            text.push_str(&format!("<td{class}>{}</td>", escape(&value.text)));
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody></table></div>\n");
    text
}

/// How each verdict and each number comes about.
pub(super) fn definitions(table: &Table) -> String {
    let verdicts = table.verdicts.iter();
    let verdicts = verdicts.map(|line| (&line.id, &line.title, &line.definition));
    let lines = table.lines.iter();
    let lines = lines.map(|line| (&line.id, &line.title, &line.definition));
    let mut text = String::from("<dl class=\"definitions\">\n");
    for (id, title, definition) in verdicts.chain(lines) {
        text.push_str(&format!(
            "<dt id=\"def-{}\">{}</dt><dd>{}</dd>\n",
            escape(id),
            escape(title),
            escape(definition)
        ));
    }
    text.push_str("</dl>\n");
    text
}

fn class(mark: Mark) -> &'static str {
    match mark {
        Mark::Good => "good",
        Mark::Bad => "bad",
        Mark::Unknown => "unknown",
    }
}
