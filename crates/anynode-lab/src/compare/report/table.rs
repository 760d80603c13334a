//! The table that follows from what was measured; the terminal and the page show it as it is.

use serde::{Deserialize, Serialize};

use super::{Report, definitions, verdicts};

/// Verdicts and numbers, one column for each strategy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The strategies, in the order of all cells.
    pub strategies: Vec<String>,
    /// Yes or no, with the number that says why.
    pub verdicts: Vec<VerdictLine>,
    /// The numbers.
    pub lines: Vec<Line>,
}

/// One question to every strategy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictLine {
    /// What a program finds it by.
    pub id: String,
    /// The question, in a few words.
    pub title: String,
    /// What has to be measured for which answer.
    pub definition: String,
    /// The answers.
    pub answers: Vec<Answer>,
}

/// What a strategy's numbers say to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// In a word or three.
    pub text: String,
    /// The number it follows from.
    pub evidence: String,
    /// Whether a user would want it so.
    pub mark: Mark,
}

/// Whether a user would want it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// Yes.
    Good,
    /// No.
    Bad,
    /// Nothing was measured that could say so.
    Unknown,
}

/// One number of every strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What a program finds it by.
    pub id: String,
    /// What the number is, in a few words.
    pub title: String,
    /// How it is counted.
    pub definition: String,
    /// The numbers.
    pub values: Vec<Value>,
}

/// A number and how it is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Value {
    /// The number, in the unit of the definition; absent when there is none.
    pub number: Option<f64>,
    /// How it is shown.
    pub text: String,
}

// === impl Table ===

impl Table {
    /// The table of a report's rows.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let strategies = report.rows.iter().map(|row| row.strategy.clone());
        Self {
            strategies: strategies.collect(),
            verdicts: verdicts::lines(report),
            lines: definitions::lines(report),
        }
    }
}

// === impl Value ===

impl Value {
    /// A number that was not measured, or that there cannot be, and why.
    pub(super) fn absent(why: &str) -> Self {
        Self {
            number: None,
            text: why.to_owned(),
        }
    }
}
