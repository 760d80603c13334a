//! What one request changed, key by key, so that it can be applied to whatever is newest.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use crate::session::{
    data::Data,
    value::{Value, ValueError},
};

/// A side-effect-free function from the stored value of a key to its next one.
///
/// It runs again whenever the delta is applied to a newer record, so it must not count on
/// being called once.
pub type Update = Arc<dyn Fn(Option<&Value>) -> Result<Value, ValueError> + Send + Sync>;

/// The changes of one request, by key.
///
/// ```
/// # use anynode_core::{Data, Delta, Value};
/// let mut delta = Delta::default();
/// delta.insert("cart", Value::from("apple"));
/// let newest: Data = [("theme".to_owned(), Value::from("dark"))].into_iter().collect();
/// let merged = delta.apply(&newest).unwrap();
/// assert_eq!(merged.len(), 2, "different keys written at once all survive");
/// ```
#[derive(Clone, Default)]
pub struct Delta {
    changes: BTreeMap<String, Change>,
}

#[derive(Clone)]
enum Change {
    /// The key gets this value, or none, whatever it was.
    Put(Option<Value>),
    /// The key's value runs through these, in order.
    Update(Vec<Update>),
}

// === impl Delta ===

impl Delta {
    /// How many updates of one key a request may record; a handler that needs more holds the
    /// value itself and inserts it once.
    pub const UPDATES_MAX: usize = 256;

    /// Whether nothing was recorded. A recorded change may still turn out to change nothing:
    /// see [`Delta::apply`].
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Records that `key` gets `value`. The same key in two requests: the last one
    /// acknowledged wins.
    pub fn insert(&mut self, key: impl Into<String>, value: Value) {
        self.changes.insert(key.into(), Change::Put(Some(value)));
    }

    /// Records that `key` goes.
    pub fn remove(&mut self, key: impl Into<String>) {
        self.changes.insert(key.into(), Change::Put(None));
    }

    /// Records that every key of `base` goes, and drops what was recorded before. A key that
    /// another request adds at the same time is not among them and stays.
    pub fn clear(&mut self, base: &Data) {
        self.changes = base
            .iter()
            .map(|(key, _)| (key.to_owned(), Change::Put(None)))
            .collect();
    }

    /// Records that `key` runs through `update`.
    ///
    /// # Errors
    /// What `update` answers for a value that this very request inserted, and
    /// [`ValueError`] when the key has more than [`Self::UPDATES_MAX`] updates.
    pub fn update(&mut self, key: impl Into<String>, update: Update) -> Result<(), ValueError> {
        let change = self
            .changes
            .entry(key.into())
            .or_insert_with(|| Change::Update(Vec::new()));
        match change {
            Change::Put(value) => *value = Some(update(value.as_ref())?),
            Change::Update(updates) if updates.len() < Self::UPDATES_MAX => updates.push(update),
            Change::Update(_) => {
                return Err(ValueError::TooManyUpdates);
            }
        }
        Ok(())
    }

    /// Takes back the last update of `key` that waits for a base: one whose base refused it.
    pub fn take_back_update(&mut self, key: &str) {
        let Some(Change::Update(updates)) = self.changes.get_mut(key) else {
            return;
        };
        updates.pop();
        if updates.is_empty() {
            self.changes.remove(key);
        }
    }

    /// These changes followed by `later`.
    #[must_use]
    pub fn then(mut self, later: Self) -> Self {
        for (key, change) in later.changes {
            match (self.changes.get_mut(&key), change) {
                (Some(Change::Update(before)), Change::Update(after)) => before.extend(after),
                (Some(Change::Put(value)), Change::Update(updates)) => {
                    // A value that an update refuses stays as it is: the update was accepted
                    // on a value that is now superseded.
                    if let Ok(Some(next)) = run(&updates, value.as_ref()) {
                        *value = Some(next);
                    }
                }
                (_, change) => {
                    self.changes.insert(key, change);
                }
            }
        }
        self
    }

    /// The value of `key` as this request sees it on top of `base`.
    ///
    /// # Errors
    /// What a recorded update answers for the value in `base`.
    pub fn value<'a>(
        &'a self,
        key: &str,
        base: &'a Data,
    ) -> Result<Option<Cow<'a, Value>>, ValueError> {
        self.value_over(key, base.get(key))
    }

    /// The value of `key` as this request sees it when the base holds `stored` for it.
    ///
    /// # Errors
    /// What a recorded update answers for `stored`.
    pub fn value_over<'a>(
        &'a self,
        key: &str,
        stored: Option<&'a Value>,
    ) -> Result<Option<Cow<'a, Value>>, ValueError> {
        match self.changes.get(key) {
            None => Ok(stored.map(Cow::Borrowed)),
            Some(Change::Put(value)) => Ok(value.as_ref().map(Cow::Borrowed)),
            Some(Change::Update(updates)) => Ok(run(updates, stored)?.map(Cow::Owned)),
        }
    }

    /// The data that results from these changes on top of `base`. Equal to `base` when they
    /// change nothing, and then there is nothing to write.
    ///
    /// # Errors
    /// What a recorded update answers for the value in `base`.
    pub fn apply(&self, base: &Data) -> Result<Data, ValueError> {
        let mut data = base.clone();
        for (key, change) in &self.changes {
            let value = match change {
                Change::Put(value) => value.clone(),
                Change::Update(updates) => run(updates, base.get(key))?,
            };
            match value {
                Some(value) => data.insert(key.clone(), value),
                None => data.remove(key),
            };
        }
        Ok(data)
    }
}

impl fmt::Debug for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Delta({} keys)", self.changes.len())
    }
}

fn run(updates: &[Update], stored: Option<&Value>) -> Result<Option<Value>, ValueError> {
    let mut current = stored.map(Cow::Borrowed);
    for update in updates {
        current = Some(Cow::Owned(update(current.as_deref())?));
    }
    Ok(current.map(Cow::into_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(pairs: &[(&str, u64)]) -> Data {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Value::from(*value)))
            .collect()
    }

    fn add(by: u64) -> Update {
        Arc::new(move |stored| match stored {
            None => Ok(Value::from(by)),
            Some(Value::U64(value)) => Ok(Value::from(value + by)),
            Some(_) => Err(ValueError::Refused),
        })
    }

    #[test]
    fn an_update_runs_again_on_the_newer_value() {
        let mut delta = Delta::default();
        delta.update("n", add(1)).expect("recorded");
        assert_eq!(delta.apply(&data(&[("n", 4)])), Ok(data(&[("n", 5)])));
        assert_eq!(delta.apply(&data(&[("n", 9)])), Ok(data(&[("n", 10)])));
    }

    #[test]
    fn changes_of_one_key_compose_in_their_order() {
        let mut delta = Delta::default();
        delta.insert("n", Value::from(1_u64));
        delta.update("n", add(2)).expect("recorded");
        delta.update("m", add(3)).expect("recorded");
        delta.update("m", add(4)).expect("recorded");
        let merged = delta.apply(&data(&[("n", 100), ("m", 1)]));
        assert_eq!(merged, Ok(data(&[("n", 3), ("m", 8)])));
    }

    #[test]
    fn clear_removes_the_keys_it_saw_and_no_others() {
        let mut delta = Delta::default();
        delta.insert("late", Value::from(1_u64));
        delta.clear(&data(&[("a", 1), ("b", 2)]));
        let newest = data(&[("a", 1), ("b", 2), ("c", 3)]);
        assert_eq!(delta.apply(&newest), Ok(data(&[("c", 3)])));
    }

    #[test]
    fn a_change_to_the_same_value_leaves_the_data_equal() {
        let mut delta = Delta::default();
        delta.insert("a", Value::from(1_u64));
        delta.remove("absent");
        let base = data(&[("a", 1)]);
        assert_eq!(delta.apply(&base), Ok(base));
    }

    #[test]
    fn an_update_that_is_taken_back_leaves_the_ones_before_it() {
        let mut delta = Delta::default();
        delta.update("n", add(1)).expect("recorded");
        delta.update("n", add(2)).expect("recorded");
        delta.take_back_update("n");
        assert_eq!(delta.apply(&data(&[("n", 4)])), Ok(data(&[("n", 5)])));
        delta.take_back_update("n");
        assert!(delta.is_empty());
    }

    #[test]
    fn updates_of_one_key_are_bounded() {
        let mut delta = Delta::default();
        for _ in 0..Delta::UPDATES_MAX {
            delta.update("n", add(1)).expect("within the bound");
        }
        assert!(delta.update("n", add(1)).is_err());
    }

    #[test]
    fn a_failing_update_fails_the_whole_delta() {
        let mut delta = Delta::default();
        delta.insert("a", Value::from(1_u64));
        delta.update("n", add(1)).expect("recorded");
        let base: Data = [("n".to_owned(), Value::from("text"))]
            .into_iter()
            .collect();
        assert!(delta.apply(&base).is_err());
    }
}
