//! What the store adapter adds to a record that it hands out, to know it again.

use anynode_core::{Binding, Epoch, Handle, Record, UserId, Version, WriteId};
use serde_json::{Value as Json, json};

use super::json::JsonData;

/// The key of the mark. No key of an application begins with NUL, and the mark is never stored.
pub(super) const KEY: &str = "\u{0}anynode";

/// Which session, in which version and bound to whom, a record was loaded from.
///
/// tower-sessions hands a store the new record and nothing else. The mark travels with the
/// data through the request, even when the request gives the record another id.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mark {
    pub(super) handle: Handle,
    pub(super) version: Version,
    pub(super) binding: Option<Binding>,
}

// === impl Mark ===

impl Mark {
    pub(super) fn new(record: &Record) -> Self {
        Self {
            handle: record.handle,
            version: record.version,
            binding: record.binding.clone(),
        }
    }

    pub(super) fn put(&self, data: &mut JsonData) {
        let binding = self.binding.as_ref();
        let mark = json!({
            "handle": self.handle.to_string(),
            "counter": self.version.counter,
            "write": u64::from_be_bytes(*self.version.write.as_bytes()),
            "user": binding.map(|binding| binding.user.as_str()),
            "stamp": binding.map(|binding| binding.stamp.as_micros()),
        });
        data.insert(KEY.to_owned(), mark);
    }

    /// The mark in `data`; `None` when the request did not load what it saves.
    pub(super) fn of(data: &JsonData) -> Option<Self> {
        let mark = data.get(KEY)?;
        let text = |field: &str| mark.get(field).and_then(Json::as_str);
        let number = |field: &str| mark.get(field).and_then(Json::as_u64);
        let binding = text("user").zip(number("stamp"));
        Some(Self {
            handle: text("handle")?.parse().ok()?,
            version: Version {
                counter: number("counter")?,
                write: WriteId::from_bytes(number("write")?.to_be_bytes()),
            },
            binding: match binding {
                None => None,
                Some((user, stamp)) => Some(Binding {
                    user: UserId::new(user).ok()?,
                    stamp: Epoch::from_micros(stamp),
                }),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back() {
        for binding in [
            None,
            Some(Binding {
                user: UserId::new("ada").expect("a name"),
                stamp: Epoch::from_micros(u64::MAX),
            }),
        ] {
            let mark = Mark {
                handle: Handle::from_bytes([7; 16]),
                version: Version {
                    counter: 3,
                    write: WriteId::from_bytes([255; 8]),
                },
                binding,
            };
            let mut data = JsonData::new();
            mark.put(&mut data);
            assert_eq!(Mark::of(&data), Some(mark));
        }
    }
}
