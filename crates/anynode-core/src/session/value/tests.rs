//! A type written to a value is read back from it, and errors never quote the content.

use std::collections::BTreeMap;
use std::fmt::Debug;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::*;

fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(typed: T, expected: Value) {
    let value = to_value(&typed).unwrap();
    assert!(value == expected, "{typed:?} became {value:?}");
    assert_eq!(from_value::<T>(&value).unwrap(), typed);
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.map(|(key, value)| (key.to_owned(), value)).into())
}

fn list<const N: usize>(items: [Value; N]) -> Value {
    Value::List(items.into())
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |inner, _| Value::List(vec![inner]))
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f64),
    Line(i8, i8),
    Box { width: u8, height: u8 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Newtype(u16);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Cart {
    owner: Option<String>,
    items: Vec<(String, u32)>,
    #[serde(with = "serde_bytes")]
    seal: Vec<u8>,
}

#[test]
fn integers_have_one_form() {
    check(u64::MAX, Value::U64(u64::MAX));
    check(i64::MIN, Value::I64(i64::MIN));
    check(i64::MAX, Value::U64(i64::MAX as u64));
    check((1_u64 << 53) + 1, Value::U64((1 << 53) + 1));
    check(-1_i8, Value::I64(-1));
    check(0_i32, Value::U64(0));
    assert_eq!(Value::from(5_i16), Value::from(5_u8));
    assert_eq!(Value::from(-5_i64), Value::I64(-5));
}

#[test]
fn wide_integers_survive_as_far_as_they_fit_64_bits() {
    check(i128::from(i64::MIN), Value::I64(i64::MIN));
    check(u128::from(u64::MAX), Value::U64(u64::MAX));
    for refused in [
        to_value(&(u128::from(u64::MAX) + 1)),
        to_value(&(i128::from(i64::MIN) - 1)),
    ] {
        assert_eq!(refused, Err(ValueError::IntegerRange));
    }
}

#[test]
fn floats_stay_floats_and_compare_bit_by_bit() {
    check(3.0_f64, Value::F64(3.0));
    check(f32::MIN_POSITIVE, Value::F64(f64::from(f32::MIN_POSITIVE)));
    assert_eq!(to_value(&f64::NAN).unwrap(), Value::F64(f64::NAN));
    assert_ne!(Value::F64(0.0), Value::F64(-0.0));
    assert_ne!(Value::F64(3.0), Value::U64(3));
    assert_eq!(from_value::<f64>(&Value::U64(3)).unwrap(), 3.0);
    assert!(from_value::<u8>(&Value::F64(3.0)).is_err());
}

#[test]
fn options_are_flat_as_in_json() {
    check(None::<u8>, Value::Null);
    check(Some(1_u8), Value::U64(1));
    check(Some(Some(1_u8)), Value::U64(1));
    check((), Value::Null);
    check(Unit, Value::Null);
    let inner_none = to_value(&Some(None::<u8>)).unwrap();
    assert_eq!(from_value::<Option<Option<u8>>>(&inner_none).unwrap(), None);
    assert_eq!(Value::from(Some("a")), Value::from("a"));
    assert_eq!(Value::from(None::<u8>), Value::Null);
}

#[test]
fn enums_carry_the_name_of_their_variant() {
    let (one, two) = (Value::U64(1), Value::U64(2));
    check(Shape::Point, "Point".into());
    check(Shape::Circle(0.5), map([("Circle", Value::F64(0.5))]));
    let line = list([one.clone(), two.clone()]);
    check(Shape::Line(1, 2), map([("Line", line)]));
    let (width, height) = (1, 2);
    let sides = map([("width", one), ("height", two)]);
    check(Shape::Box { width, height }, map([("Box", sides)]));
    let unit_with_content = map([("Point", Value::Null)]);
    assert_eq!(
        from_value::<Shape>(&unit_with_content).unwrap(),
        Shape::Point
    );
}

#[test]
fn structs_are_maps_and_tuples_are_lists() {
    let cart = Cart {
        owner: None,
        items: vec![("tea".into(), 2)],
        seal: vec![0, 255],
    };
    let item = list(["tea".into(), 2_u8.into()]);
    let expected = [
        ("owner", Value::Null),
        ("items", list([item])),
        ("seal", Value::Bytes(vec![0, 255])),
    ];
    check(cart, map(expected));
    check(Newtype(7), Value::U64(7));
    check('ß', "ß".into());
}

#[test]
fn keys_of_maps_are_text() {
    check(BTreeMap::from([(-1_i8, 0_u8)]), map([("-1", 0_u8.into())]));
    check(BTreeMap::from([(true, 0_u8)]), map([("true", 0_u8.into())]));
    check(BTreeMap::from([('x', 0_u8)]), map([("x", 0_u8.into())]));
    check(
        BTreeMap::from([(Newtype(7), 0_u8)]),
        map([("7", 0_u8.into())]),
    );
    check(
        BTreeMap::from([(u128::MAX, 0_u8)]),
        map([(&u128::MAX.to_string(), 0_u8.into())]),
    );
    let refused = to_value(&BTreeMap::from([([1_u8], 0_u8)]));
    assert_eq!(refused, Err(ValueError::Key));
    let wrong = map([("one", 0_u8.into())]);
    assert!(from_value::<BTreeMap<u8, u8>>(&wrong).is_err());
}

#[test]
fn text_and_bytes_are_borrowed() {
    let value = list(["a".into(), Value::Bytes(vec![1])]);
    let (text, bytes): (&str, &[u8]) = from_value(&value).unwrap();
    assert_eq!((text, bytes), ("a", &[1_u8][..]));
}

#[test]
fn bytes_may_be_read_as_a_sequence_and_a_sequence_as_bytes() {
    let bytes = Value::from(vec![1_u8, 2]);
    assert_eq!(from_value::<Vec<u8>>(&bytes).unwrap(), [1, 2]);
    assert_eq!(from_value::<[u8; 2]>(&bytes).unwrap(), [1, 2]);
    assert!(from_value::<[u8; 1]>(&bytes).is_err());
    let numbers = to_value(&[1_u8, 2]).unwrap();
    assert_eq!(from_value::<ByteBuf>(&numbers).unwrap(), [1, 2]);
}

#[test]
fn a_longer_list_than_the_type_reads_is_refused() {
    let value = list([1_u8.into(), 2_u8.into(), 3_u8.into()]);
    let refused = from_value::<(u8, u8)>(&value).unwrap_err();
    assert!(matches!(refused, ValueError::Length { found: 3, .. }));
}

#[test]
fn deeper_than_the_limit_is_an_error_both_ways() {
    let most = nested(DEPTH_MAX.into());
    assert!(most.fits_depth(DEPTH_MAX));
    assert!(to_value(&most).unwrap() == most);
    assert!(from_value::<Value>(&most).unwrap() == most);

    let too_deep = nested(usize::from(DEPTH_MAX) + 1);
    assert!(!too_deep.fits_depth(DEPTH_MAX));
    assert_eq!(to_value(&too_deep), Err(ValueError::TooDeep));
    assert_eq!(from_value::<Value>(&too_deep), Err(ValueError::TooDeep));
    assert!(serde_json::to_string(&too_deep).is_err());
    let json = |depth| "[".repeat(depth) + &"]".repeat(depth);
    assert!(serde_json::from_str::<Value>(&json(DEPTH_MAX.into())).is_ok());
    assert!(serde_json::from_str::<Value>(&json(usize::from(DEPTH_MAX) + 1)).is_err());
}

#[derive(Serialize, Deserialize, Debug)]
enum Endless {
    Deeper(Box<Endless>),
    End,
}

#[test]
fn a_type_that_nests_enums_meets_the_limit_too() {
    let deep = (0..1_000).fold(Endless::End, |inner, _| Endless::Deeper(inner.into()));
    assert_eq!(to_value(&deep), Err(ValueError::TooDeep));
    let deep = (0..1_000).fold("End".into(), |inner, _| map([("Deeper", inner)]));
    assert_eq!(
        from_value::<Endless>(&deep).unwrap_err(),
        ValueError::TooDeep
    );
}

#[test]
fn errors_and_debug_never_quote_the_content() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        #[serde(rename = "n")]
        _n: std::num::NonZeroU8,
    }
    let secret = || Value::from("hunter2");
    let refusals = [
        from_value::<u8>(&secret()).unwrap_err(),
        from_value::<Shape>(&secret()).unwrap_err(),
        from_value::<std::net::IpAddr>(&secret()).unwrap_err(),
        from_value::<char>(&secret()).unwrap_err(),
        from_value::<Strict>(&map([("hunter2", Value::Null)])).unwrap_err(),
        from_value::<Strict>(&map([("n", Value::U64(0))])).unwrap_err(),
        from_value::<BTreeMap<bool, ()>>(&map([("hunter2", Value::Null)])).unwrap_err(),
    ];
    for refusal in refusals {
        let shown = format!("{refusal} {refusal:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("`0`"),
            "{shown}"
        );
    }
    let missing = from_value::<Strict>(&map([])).unwrap_err();
    assert_eq!(missing.to_string(), "field `n` is missing");
    let mismatch = from_value::<u8>(&secret()).unwrap_err();
    assert_eq!(mismatch.to_string(), "expected u8, found text");

    let value = list([secret(), map([("hunter2", secret())])]);
    assert_eq!(format!("{value:?}"), "list(2)");
    assert_eq!(format!("{:?}", secret()), "text(7)");
    assert_eq!(format!("{:?}", Value::U64(4111)), "integer");
}

fn any_shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Point),
        any::<f64>().prop_map(Shape::Circle),
        any::<(i8, i8)>().prop_map(|(x, y)| Shape::Line(x, y)),
        any::<(u8, u8)>().prop_map(|(width, height)| Shape::Box { width, height }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        integers in any::<(u64, i64, i8, u8)>(),
        nested in btree_map(any::<i32>(), vec(any::<Option<(String, bool, char)>>(), 0..8), 0..8),
        bytes in any::<Vec<u8>>(),
        shapes in vec(any_shape(), 0..4),
    ) {
        let typed = (integers, nested, ByteBuf::from(bytes), shapes);
        let value = to_value(&typed).unwrap();
        let read = from_value(&value);
        prop_assert_eq!(read.as_ref(), Ok(&typed));
        prop_assert!(to_value(&value).unwrap() == value);
        prop_assert!(from_value::<Value>(&value).unwrap() == value);
    }

    #[test]
    fn json_sees_the_same_shape(
        nested in btree_map(any::<u8>(), vec(any::<Option<(String, i64)>>(), 0..8), 0..8),
        shapes in vec(any_shape(), 0..4),
    ) {
        let typed = (nested, shapes);
        let ours = serde_json::to_value(to_value(&typed).unwrap()).unwrap();
        prop_assert_eq!(ours, serde_json::to_value(&typed).unwrap());
    }
}
