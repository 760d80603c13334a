//! Every value comes back exactly from every codec, and no payload makes a reader panic.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

const CODECS: &[Codec] = &[
    Codec::Json,
    #[cfg(feature = "protobuf")]
    Codec::Protobuf,
];

/// A value of each kind, with the extremes that codecs like to lose.
fn sample() -> Data {
    let map = Value::Map([("$bytes".to_owned(), Value::from("mine"))].into());
    let entries: [(&str, Value); 18] = [
        ("", Value::Null),
        ("$", true.into()),
        ("$$", false.into()),
        ("$bytes", "not bytes".into()),
        ("bytes", vec![0_u8, 255, 254].into()),
        ("-0.0", (-0.0).into()),
        ("3.0", 3.0.into()),
        ("inf", f64::INFINITY.into()),
        ("-inf", f64::NEG_INFINITY.into()),
        ("nan", f64::NAN.into()),
        ("third", (1.0 / 3.0).into()),
        ("2^53+1", ((1_u64 << 53) + 1).into()),
        ("u64::MAX", u64::MAX.into()),
        ("i64::MIN", i64::MIN.into()),
        (
            "list",
            vec![Value::from("ä\"\\\n\0"), Value::List(vec![])].into(),
        ),
        ("map", map),
        ("empty", Value::Map([].into())),
        ("quote\"d", Value::Bytes(vec![])),
    ];
    entries.into_iter().collect()
}

fn nested_lists(depth: u8) -> Value {
    (0..depth).fold(Value::Null, |inner, _| Value::List(vec![inner]))
}

fn nested_maps(depth: u8) -> Value {
    let wrap = |inner| Value::Map([("k".to_owned(), inner)].into());
    (0..depth).fold(vec![1_u8].into(), |inner, _| wrap(inner))
}

fn check_exact(data: &Data) {
    for codec in CODECS {
        let payload = codec.encode(data).unwrap();
        assert!(decode(&payload).unwrap() == *data, "{codec:?}");
        for (key, value) in data {
            let found = decode_key(&payload, key).unwrap();
            assert!(found.as_ref() == Some(value), "{codec:?}");
        }
        assert_eq!(decode_key(&payload, "no such key"), Ok(None));
    }
}

#[test]
fn every_kind_of_value_comes_back_exactly() {
    check_exact(&sample());
    check_exact(&Data::new());
}

#[test]
fn json_is_plain_for_plain_data() {
    let entries: [(&str, Value); 4] = [
        ("cart", vec![Value::from("a")].into()),
        ("f", 3.0.into()),
        ("n", 3_u8.into()),
        ("z", Value::Null),
    ];
    let payload = Codec::default().encode(&entries.into_iter().collect());
    let expected = r#"j{"cart":["a"],"f":3.0,"n":3,"z":null}"#;
    assert_eq!(String::from_utf8(payload.unwrap()).unwrap(), expected);
}

/// What version 1 of the format wrote, which must be read for ever.
#[test]
fn json_of_format_version_1_is_read_and_written() {
    let golden = concat!(
        r#"j{"":null,"$$":true,"$$$":false,"$$bytes":"not bytes","-0.0":-0.0,"#,
        r#""-inf":{"$f64":"fff0000000000000"},"2^53+1":9007199254740993,"3.0":3.0,"#,
        r#""bytes":{"$bytes":"AP_-"},"empty":{},"i64::MIN":-9223372036854775808,"#,
        r#""inf":{"$f64":"7ff0000000000000"},"list":["ä\"\\\n\u0000",[]],"#,
        r#""map":{"$$bytes":"mine"},"nan":{"$f64":"7ff8000000000000"},"#,
        r#""quote\"d":{"$bytes":""},"third":0.3333333333333333,"#,
        r#""u64::MAX":18446744073709551615}"#,
    );
    let written = Codec::Json.encode(&sample()).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), golden);
    assert!(decode(golden.as_bytes()).unwrap() == sample());
}

#[test]
fn what_was_not_encoded_is_an_error() {
    let malformed = [
        "",
        "j",
        "j{",
        "j[]",
        "jnull",
        "j{} ,",
        r#"j{"a":1}{}"#,
        r#"j{"a":1,"a":2}"#,
        r#"j{"a":{"b":1,"b":2}}"#,
        r#"j{"$a":1}"#,
        r#"j{"$bytes":""}"#,
        r#"j{"a":{"$other":1}}"#,
        r#"j{"a":{"b":1,"$bytes":""}}"#,
        r#"j{"a":{"$bytes":"AA=="}}"#,
        r#"j{"a":{"$bytes":"AB"}}"#,
        r#"j{"a":{"$bytes":1}}"#,
        r#"j{"a":{"$bytes":"","b":1}}"#,
        r#"j{"a":{"$f64":"+ff0000000000000"}}"#,
        r#"j{"a":{"$f64":"1"}}"#,
    ];
    for payload in malformed {
        let refused = decode(payload.as_bytes()).unwrap_err();
        assert!(matches!(refused, CodecError::Malformed(_)), "{payload}");
    }
    assert!(decode_key(br#"j{"a":1,"a":2}"#, "a").is_err());
    assert!(decode_key(br#"j{"a":1}{}"#, "a").is_err());
    assert!(decode_key(br#"j{"a":1"#, "a").is_err());
}

/// A crate elsewhere in the build may turn on `arbitrary_precision` of `serde_json`, which
/// then shows every number as such an object. `cargo test` with
/// `--features serde_json/arbitrary_precision` runs all tests so.
#[test]
fn numbers_are_read_in_whichever_form_the_json_library_shows_them() {
    for (text, expected) in [
        ("7", Value::U64(7)),
        ("-7", Value::I64(-7)),
        ("18446744073709551615", u64::MAX.into()),
        ("7.0", 7.0.into()),
        ("-0.0", (-0.0).into()),
        ("1e300", 1e300.into()),
    ] {
        let payload = format!(r#"j{{"a":{{"$serde_json::private::Number":"{text}"}}}}"#);
        let read = decode_key(payload.as_bytes(), "a").unwrap();
        assert!(read == Some(expected), "{text}");
    }
}

#[test]
fn an_unknown_tag_and_a_feature_that_is_off_are_told_apart() {
    assert_eq!(decode(b"x{}"), Err(CodecError::UnknownTag(b'x')));
    assert_eq!(decode_key(b"x{}", "a"), Err(CodecError::UnknownTag(b'x')));
    let shown = decode(&[7]).unwrap_err().to_string();
    assert_eq!(shown, "payload has the unknown tag 0x07");
    #[cfg(not(feature = "protobuf"))]
    assert_eq!(decode(b"p"), Err(CodecError::FeatureOff("protobuf")));
    #[cfg(feature = "protobuf")]
    assert_eq!(decode(b"p"), Ok(Data::new()));
    #[cfg(not(feature = "encryption"))]
    assert_eq!(decode(b"s"), Err(CodecError::FeatureOff("encryption")));
    #[cfg(feature = "encryption")]
    assert_eq!(decode(b"s"), Err(CodecError::Sealed));
}

#[test]
fn the_depth_limit_holds_in_both_directions() {
    let most = [nested_lists(DEPTH_MAX), nested_maps(DEPTH_MAX)];
    check_exact(
        &[("a", most[0].clone()), ("b", most[1].clone())]
            .into_iter()
            .collect(),
    );
    for too_deep in [nested_lists(DEPTH_MAX + 1), nested_maps(DEPTH_MAX + 1)] {
        let data = [("a", too_deep)].into_iter().collect();
        for codec in CODECS {
            assert_eq!(codec.encode(&data), Err(CodecError::TooDeep));
        }
    }
    for depth in [usize::from(DEPTH_MAX) + 1, 100_000] {
        let lists = format!(r#"j{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(decode(lists.as_bytes()), Err(CodecError::TooDeep));
        assert_eq!(decode_key(lists.as_bytes(), "a"), Err(CodecError::TooDeep));
        assert_eq!(decode_key(lists.as_bytes(), "b"), Ok(None));
        let maps = format!(
            r#"j{{"a":{}1{}}}"#,
            r#"{"k":"#.repeat(depth),
            "}".repeat(depth)
        );
        assert_eq!(decode(maps.as_bytes()), Err(CodecError::TooDeep));
    }
}

#[test]
fn no_altered_payload_makes_a_reader_panic() {
    for codec in CODECS {
        let payload = codec.encode(&sample()).unwrap();
        let read = |payload: &[u8]| {
            let whole = decode(payload);
            let keys = ["", "map", "nan"].map(|key| decode_key(payload, key));
            whole.is_ok() && keys.iter().all(Result::is_ok)
        };
        assert!(read(&payload));
        for bit in 0..payload.len() * 8 {
            let mut altered = payload.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            // Without a key ring an altered payload may well be another valid one.
            let _value_or_error = read(&altered);
        }
        for length in 0..payload.len() {
            let _value_or_error = read(&payload[..length]);
        }
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(|bits| f64::from_bits(bits).into()),
        (-1_000_000_i32..1_000_000).prop_map(|whole| f64::from(whole).into()),
        any_text().prop_map(Value::from),
        vec(any::<u8>(), 0..40).prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(any_text(), inner, 0..6).prop_map(Value::from),
        ]
    })
}

/// Also of the keys that JSON escapes.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,12}",
        r#"\$?\$?(bytes|f64|[a"\\\n]|serde_json::private::Number)?"#
    ]
}

proptest! {
    #[test]
    fn all_data_comes_back_exactly(data in btree_map(any_text(), any_value(), 0..8)) {
        check_exact(&data.into_iter().collect());
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in vec(any::<u8>(), 0..64), key in any_text()) {
        for tag in [JSON_TAG, PROTOBUF_TAG, SEALED_TAG] {
            let payload = [&[tag], &bytes[..]].concat();
            if let Ok(data) = decode(&payload) {
                prop_assert_eq!(decode_key(&payload, &key), Ok(data.get(&key).cloned()));
            }
        }
    }
}
