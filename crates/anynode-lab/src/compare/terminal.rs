//! The table as plain text, for a terminal of 80 to 120 columns.

use std::env;
use std::io::{self, IsTerminal};

use super::report::{Answer, Line, Mark, Report, Table, VerdictLine};

/// How text is set off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Not at all.
    Plain,
    /// By the colours of a terminal.
    Ansi,
}

const BOLD: &str = "1";
const GREEN: &str = "32";
const RED: &str = "31";

/// Between columns.
const GAP: &str = "  ";

/// The table of a report, with what one has to know to read it.
#[must_use]
pub fn table(report: &Report, paint: Paint) -> String {
    let run = &report.run;
    let mut text = verdicts(&report.table, paint);
    text.push('\n');
    text.push_str(&numbers(&report.table, paint));
    text.push_str(&format!(
        "\n{users} users, {rate} requests/s, {writes} % writes, seed {seed}; {cores} cores, {kernel}; \
         anynode {version} ({build})\n",
        users = run.users,
        rate = run.rate_per_second,
        writes = run.writes_percent,
        seed = run.seed,
        cores = run.machine.cores,
        kernel = run.machine.kernel,
        version = run.version,
        build = run.build,
    ));
    text
}

fn verdicts(table: &Table, paint: Paint) -> String {
    let name_width = widest(table.strategies.iter().map(String::as_str));
    let widths: Vec<usize> = table.verdicts.iter().map(verdict_width).collect();
    let mut text = pad("", name_width);
    for (line, width) in table.verdicts.iter().zip(&widths) {
        text.push_str(GAP);
        text.push_str(&paint.on(BOLD, &pad(&line.title, *width)));
    }
    end_line(&mut text);
    for (at, strategy) in table.strategies.iter().enumerate() {
        text.push_str(&paint.on(BOLD, &pad(strategy, name_width)));
        for (line, width) in table.verdicts.iter().zip(&widths) {
            text.push_str(GAP);
            let answer = &line.answers[at];
            text.push_str(&paint.on(colour(answer.mark), &pad(&answer.text, *width)));
        }
        end_line(&mut text);
        text.push_str(&pad("", name_width));
        for (line, width) in table.verdicts.iter().zip(&widths) {
            text.push_str(GAP);
            text.push_str(&pad(&line.answers[at].evidence, *width));
        }
        end_line(&mut text);
    }
    text
}

fn numbers(table: &Table, paint: Paint) -> String {
    let title_width = widest(table.lines.iter().map(|line| line.title.as_str()));
    let width_of = |(at, name): (usize, &String)| {
        let texts = table.lines.iter().map(|line| line.values[at].text.as_str());
        widest(texts).max(name.chars().count())
    };
    let widths: Vec<usize> = table.strategies.iter().enumerate().map(width_of).collect();
    let mut text = pad("", title_width);
    for (strategy, width) in table.strategies.iter().zip(&widths) {
        text.push_str(GAP);
        text.push_str(&paint.on(BOLD, &pad_left(strategy, *width)));
    }
    end_line(&mut text);
    for line in &table.lines {
        text.push_str(&number_line(line, title_width, &widths));
        end_line(&mut text);
    }
    text
}

fn number_line(line: &Line, title_width: usize, widths: &[usize]) -> String {
    let mut text = pad(&line.title, title_width);
    for (value, width) in line.values.iter().zip(widths) {
        text.push_str(GAP);
        text.push_str(&pad_left(&value.text, *width));
    }
    text
}

fn verdict_width(line: &VerdictLine) -> usize {
    let answers = line.answers.iter();
    let widest_of = |answer: &Answer| widest([answer.text.as_str(), answer.evidence.as_str()]);
    let widest_answer = answers.map(widest_of).max().unwrap_or(0);
    widest_answer.max(line.title.chars().count())
}

fn widest<'a>(texts: impl IntoIterator<Item = &'a str>) -> usize {
    let widths = texts.into_iter().map(|text| text.chars().count());
    widths.max().unwrap_or(0)
}

fn pad(text: &str, width: usize) -> String {
    format!("{text:<width$}")
}

fn pad_left(text: &str, width: usize) -> String {
    format!("{text:>width$}")
}

fn end_line(text: &mut String) {
    let end = text.trim_end_matches(' ').len();
    text.truncate(end);
    text.push('\n');
}

fn colour(mark: Mark) -> &'static str {
    match mark {
        Mark::Good => GREEN,
        Mark::Bad => RED,
        Mark::Unknown => BOLD,
    }
}

// === impl Paint ===

impl Paint {
    /// What suits stdout: colours on a terminal, unless `NO_COLOR` is set to anything.
    #[must_use]
    pub fn of_stdout() -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if unwanted || !io::stdout().is_terminal() {
            return Self::Plain;
        }
        Self::Ansi
    }

    fn on(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Ansi => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}
