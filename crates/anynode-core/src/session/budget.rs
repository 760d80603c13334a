//! How large a session may grow, and which keys to blame.

use std::fmt;

use crate::session::{data::Data, value::Value};

/// The largest payload of a session, in encoded bytes.
///
/// The default is 16 KiB: a session travels to a node with a request that missed its cache,
/// and what is larger belongs into a table of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    bytes_max: usize,
}

/// What a budget says of a payload that it accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Less than half of it is used.
    Ample,
    /// Half of it is used: time to warn.
    Scarce,
}

/// A session outgrew its budget; nothing of the request was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverBudget {
    /// Encoded size of the session, in bytes.
    pub bytes: usize,
    /// The budget, in bytes.
    pub bytes_max: usize,
    /// The largest keys with the rough size of their values, the largest first.
    pub largest: Vec<(String, usize)>,
}

// === impl Budget ===

impl Budget {
    /// How many keys an error names.
    pub const KEYS_NAMED: usize = 3;

    /// A budget of `bytes_max` encoded bytes, and at least one.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max: bytes_max.max(1),
        }
    }

    /// Whether a session whose data encodes to `bytes` bytes may be written.
    ///
    /// # Errors
    /// [`OverBudget`] when it exceeds the budget; it names the largest keys, never a value.
    pub fn check(&self, bytes: usize, data: &Data) -> Result<Room, OverBudget> {
        if bytes > self.bytes_max {
            return Err(OverBudget {
                bytes,
                bytes_max: self.bytes_max,
                largest: largest(data),
            });
        }
        if bytes >= self.bytes_max.div_ceil(2) {
            return Ok(Room::Scarce);
        }
        Ok(Room::Ample)
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(16 * 1024)
    }
}

// === impl OverBudget ===

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the session needs {} bytes and its budget is {}; its largest keys are",
            self.bytes, self.bytes_max
        )?;
        for (key, bytes) in &self.largest {
            write!(f, " {key:?} (about {bytes} bytes)")?;
        }
        Ok(())
    }
}

impl std::error::Error for OverBudget {}

fn largest(data: &Data) -> Vec<(String, usize)> {
    let mut keys: Vec<_> = data
        .iter()
        .map(|(key, value)| (key.to_owned(), key.len() + size(value)))
        .collect();
    keys.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    keys.truncate(Budget::KEYS_NAMED);
    keys
}

fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::I64(_) | Value::U64(_) | Value::F64(_) => 8,
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(items) => items
            .iter()
            .map(|(key, value)| key.len() + size(value))
            .sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_warns_at_half_and_refuses_above_the_whole() {
        let budget = Budget::new(100);
        let data = Data::default();
        assert_eq!(budget.check(49, &data), Ok(Room::Ample));
        assert_eq!(budget.check(50, &data), Ok(Room::Scarce));
        assert_eq!(budget.check(100, &data), Ok(Room::Scarce));
        assert!(budget.check(101, &data).is_err());
    }

    #[test]
    fn the_error_names_the_largest_keys_and_no_value() {
        let text = |bytes: usize| Value::from("x".repeat(bytes).as_str());
        let data: Data = [("small", 1), ("big", 900), ("biggest", 990), ("mid", 400)]
            .into_iter()
            .map(|(key, bytes)| (key.to_owned(), text(bytes)))
            .collect();
        let error = Budget::new(100).check(2_000, &data).expect_err("too large");
        let keys: Vec<_> = error.largest.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["biggest", "big", "mid"]);
        assert!(!error.to_string().contains("xxx"));
    }
}
