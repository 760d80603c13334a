//! What a session remembers: string keys with values.

use std::collections::BTreeMap;
use std::collections::btree_map::{IntoIter, Iter};
use std::fmt;

use super::value::Value;

/// The data of one session: string keys mapped to [`Value`]s, in the order of the keys.
///
/// `Debug` shows how many keys there are and neither keys nor values, because session
/// data must never reach a log.
///
/// ```
/// use anynode_core::session::data::Data;
///
/// let mut data = Data::new();
/// data.insert("visits", 3_u32);
/// assert_eq!(data.get("visits"), Some(&3_u32.into()));
/// assert_eq!(data.get("cart"), None);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Data(BTreeMap<String, Value>);

// === impl Data ===

impl Data {
    /// Data without a key.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The value of `key`, or `None` if there is no such key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Sets `key` to `value` and returns the value it replaces, if there was one.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        self.0.insert(key.into(), value.into())
    }

    /// Removes `key` and returns its value; an absent key changes nothing.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key)
    }

    /// The keys and values in the order of the keys.
    pub fn iter(&self) -> Iter<'_, String, Value> {
        self.0.iter()
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Data")
            .field("keys", &self.len())
            .finish_non_exhaustive()
    }
}

/// Of a key that comes twice, the last value stays.
impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Data {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self(
            entries
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

impl IntoIterator for Data {
    type Item = (String, Value);
    type IntoIter = IntoIter<String, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Data {
    type Item = (&'a String, &'a Value);
    type IntoIter = Iter<'a, String, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_gives_back_what_was_inserted_until_it_is_removed() {
        let mut data = Data::new();
        assert_eq!(data.insert("n", 1_u8), None);
        assert_eq!(data.insert("n", 2_u8), Some(Value::U64(1)));
        assert_eq!(data.len(), 1);
        assert_eq!(data.remove("n"), Some(Value::U64(2)));
        assert_eq!(data.remove("n"), None);
        assert!(data.is_empty());
    }

    #[test]
    fn data_iterates_in_the_order_of_its_keys() {
        let data: Data = [("b", 2_u8), ("a", 1)].into_iter().collect();
        let keys: Vec<_> = data.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["a", "b"]);
        let values: Vec<_> = data.into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, [Value::U64(1), Value::U64(2)]);
    }

    #[test]
    fn debug_shows_neither_keys_nor_values() {
        let data: Data = [("card-number", "4111")].into_iter().collect();
        assert_eq!(format!("{data:?}"), "Data { keys: 1, .. }");
    }
}
