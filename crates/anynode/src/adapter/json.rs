//! Between the JSON data of tower-sessions and ours.

use std::collections::HashMap;

use anynode_core::{
    Data, Delta,
    session::value::{from_value, to_value},
};
use serde_json::Value as Json;

use super::mark;
use crate::error::SessionError;

/// The data of a tower-sessions record.
pub(super) type JsonData = HashMap<String, Json>;

/// Their data as ours, without the mark that the adapter put there.
pub(super) fn read(theirs: &JsonData) -> Result<Data, SessionError> {
    theirs
        .iter()
        .filter(|(key, _)| *key != mark::KEY)
        .map(|(key, value)| Ok((key.clone(), to_value(value)?)))
        .collect()
}

/// Our data as theirs.
pub(super) fn write(ours: &Data) -> Result<JsonData, SessionError> {
    ours.iter()
        .map(|(key, value)| Ok((key.clone(), from_value(value)?)))
        .collect()
}

/// What leads from `base` to `wanted`, key by key: what a request changed, whoever else has
/// written meanwhile.
pub(super) fn difference(base: &Data, wanted: &Data) -> Delta {
    let mut delta = Delta::default();
    for (key, _) in base {
        if wanted.get(key).is_none() {
            delta.remove(key);
        }
    }
    for (key, value) in wanted {
        if base.get(key) != Some(value) {
            delta.insert(key, value.clone());
        }
    }
    delta
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::{Codec, decode};

    fn json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<u64>().prop_map(Json::from),
            any::<f64>().prop_map(Json::from),
            ".*".prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::hash_map(".*", inner, 0..4)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn data_comes_back_from_a_store_as_it_was(
            theirs in prop::collection::hash_map(".*", json(), 0..6)
        ) {
            let ours = read(&theirs).expect("at most four levels deep");
            let payload = Codec::Json.encode(&ours).expect("encodes");
            let kept = decode(&payload).expect("decodes");
            prop_assert_eq!(write(&kept).expect("is JSON"), theirs);
        }

        #[test]
        fn a_difference_leads_from_one_to_the_other(
            a in prop::collection::hash_map("[a-d]", 0_u8..3, 0..4),
            b in prop::collection::hash_map("[a-d]", 0_u8..3, 0..4),
        ) {
            let (a, b): (Data, Data) = (a.into_iter().collect(), b.into_iter().collect());
            prop_assert_eq!(difference(&a, &b).apply(&a), Ok(b));
        }
    }

    #[test]
    fn integers_beyond_the_reach_of_a_float_stay_whole() {
        let theirs: JsonData = [
            ("most".to_owned(), Json::from(u64::MAX)),
            ("least".to_owned(), Json::from(i64::MIN)),
            ("odd".to_owned(), Json::from(9_007_199_254_740_993_u64)),
        ]
        .into();
        assert_eq!(
            write(&read(&theirs).expect("reads")).expect("writes"),
            theirs
        );
    }
}
