//! A table of a configuration, read key by key: what is wrong is noted, and reading goes on.
//!
//! Deserialising would end at the first mistake, and a file with three would have to be mended three times.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::source::{Findings, Source};

/// What was noted while a file was read.
#[derive(Debug)]
pub(super) struct Report<'s> {
    source: &'s Source,
    findings: RefCell<Vec<(usize, String, String)>>,
    known: RefCell<BTreeSet<String>>,
    reading: Cell<Reading>,
}

/// Whether what is found still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Noting,
    /// The file is no TOML: what else seems wrong with it may follow from that.
    Spoilt,
}

/// A table, or what stands for one that is missing.
#[derive(Debug)]
pub(super) struct Section<'t> {
    path: String,
    offset: usize,
    table: Option<&'t DeTable<'t>>,
    asked: BTreeSet<&'static str>,
    report: &'t Report<'t>,
}

// === impl Report ===

impl<'s> Report<'s> {
    pub(super) fn new(source: &'s Source) -> Self {
        Self {
            source,
            findings: RefCell::default(),
            known: RefCell::default(),
            reading: Cell::new(Reading::Noting),
        }
    }

    /// Reads the file's tables; if it is no TOML, that alone is noted.
    pub(super) fn parse(&self) -> Spanned<DeTable<'s>> {
        let (table, errors) = DeTable::parse_recoverable(&self.source.text);
        let is_toml = errors.is_empty();
        for error in errors {
            let offset = error.span().map_or(0, |span| span.start);
            // The error's own text would show the line, and with it perhaps a key.
            self.note(offset, String::new(), error.message().to_owned());
        }
        if !is_toml {
            self.reading.set(Reading::Spoilt);
        }
        table
    }

    /// What is wrong, or nothing.
    pub(super) fn findings(self) -> Result<(), Findings> {
        let mut findings = self.findings.into_inner();
        if findings.is_empty() {
            return Ok(());
        }
        findings.sort();
        findings.dedup();
        let located = findings
            .iter()
            .map(|(offset, key, message)| self.source.finding(*offset, key, message));
        Err(Findings(located.collect()))
    }

    /// The keys that were asked for, as `health.period`; items of lists as `backend.name`.
    #[cfg(test)]
    pub(super) fn known(&self) -> BTreeSet<String> {
        self.known.borrow().clone()
    }

    fn note(&self, offset: usize, key: String, message: String) {
        if self.reading.get() == Reading::Noting {
            self.findings.borrow_mut().push((offset, key, message));
        }
    }

    fn learn(&self, key: &str) {
        let mut plain = String::new();
        let mut is_number = false;
        for character in key.chars() {
            is_number = (is_number || character == '[') && character != ']';
            if !is_number && character != ']' {
                plain.push(character);
            }
        }
        self.known.borrow_mut().insert(plain);
    }
}

// === impl Section ===

impl<'t> Section<'t> {
    pub(super) fn root(table: &'t DeTable<'t>, report: &'t Report<'t>) -> Self {
        Self {
            path: String::new(),
            offset: 0,
            table: Some(table),
            asked: BTreeSet::new(),
            report,
        }
    }

    /// The value of a key, if it is there and can be used.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.ask(key)?;
        match parse(value.get_ref()) {
            Ok(value) => Some(value),
            Err(message) => {
                self.report
                    .note(value.span().start, self.path_of(key), message);
                None
            }
        }
    }

    /// Puts the value of a key in the place of its default.
    pub(super) fn set<T>(
        &mut self,
        key: &'static str,
        field: &mut T,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, String>,
    ) {
        if let Some(value) = self.optional(key, parse) {
            *field = value;
        }
    }

    /// The value of a key that has no default.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, String>,
    ) -> Option<T> {
        if self.ask(key).is_none() {
            let message = format!("this key is missing; write it as {example}");
            self.report.note(self.offset, self.path_of(key), message);
        }
        self.optional(key, parse)
    }

    /// The values of a list, each of which is noted where it stands if it cannot be used.
    pub(super) fn each<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&DeValue<'_>) -> Result<T, String>,
    ) -> Vec<T> {
        let mut values = Vec::new();
        for (number, item) in self.items(key).into_iter().enumerate() {
            match parse(item.get_ref()) {
                Ok(value) => values.push(value),
                Err(message) => {
                    let path = format!("{}[{number}]", self.path_of(key));
                    self.report.note(item.span().start, path, message);
                }
            }
        }
        values
    }

    /// The table under a key; one that is missing has no keys.
    pub(super) fn table(&mut self, key: &'static str) -> Self {
        let value = self.ask(key);
        let table = value.and_then(|value| value.get_ref().as_table());
        if value.is_some() && table.is_none() {
            self.refuse(key, &format!("this has to be a table, [{key}]"));
        }
        Self {
            path: self.path_of(key),
            offset: value.map_or(self.offset, |value| value.span().start),
            table,
            asked: BTreeSet::new(),
            report: self.report,
        }
    }

    /// The tables of a list.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Self> {
        let mut tables = Vec::new();
        for (number, item) in self.items(key).into_iter().enumerate() {
            let path = format!("{}[{number}]", self.path_of(key));
            let offset = item.span().start;
            let table = item.get_ref().as_table();
            if table.is_none() {
                let message = "this has to be a table, with keys and values".to_owned();
                self.report.note(offset, path, message);
                continue;
            }
            tables.push(Self {
                path,
                offset,
                table,
                asked: BTreeSet::new(),
                report: self.report,
            });
        }
        tables
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// How many items a list has; `None` if there is no list.
    pub(super) fn length(&self, key: &str) -> Option<usize> {
        let value = self.table?.get(key)?;
        Some(value.get_ref().as_array()?.len())
    }

    /// Notes what is wrong with the value of a key, or with the table if there is none.
    pub(super) fn refuse(&self, key: &str, message: &str) {
        let value = self.table.and_then(|table| table.get(key));
        let offset = value.map_or(self.offset, |value| value.span().start);
        self.report
            .note(offset, self.path_of(key), message.to_owned());
    }

    /// Refuses keys that mean nothing beside what was chosen.
    pub(super) fn only_for(&mut self, chosen: &str, keys: &[&'static str]) {
        for &key in keys {
            if self.ask(key).is_some() {
                self.refuse(key, &format!("this key is used with {chosen} only"));
            }
        }
    }

    /// Refuses every key that nobody asked for.
    pub(super) fn finish(self) {
        let Some(table) = self.table else { return };
        let known: Vec<&str> = self.asked.iter().copied().collect();
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !self.asked.contains(name) {
                let message = format!("unknown key; known here are {}", known.join(", "));
                let path = self.path_of(name);
                self.report.note(key.span().start, path, message);
            }
        }
    }

    fn ask(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.asked.insert(key);
        self.report.learn(&self.path_of(key));
        self.table.and_then(|table| table.get(key))
    }

    fn items(&mut self, key: &'static str) -> Vec<&'t Spanned<DeValue<'t>>> {
        let Some(value) = self.ask(key) else {
            return Vec::new();
        };
        let Some(items) = value.get_ref().as_array() else {
            self.refuse(key, "this has to be a list, in square brackets");
            return Vec::new();
        };
        items.iter().collect()
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}
