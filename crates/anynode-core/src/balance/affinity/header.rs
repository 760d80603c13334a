//! Cookie fields, byte by byte: finding the cookies of one name, and taking them out.

/// Tells whether these bytes are a cookie's name (a token of RFC 9110, 5.6.2).
pub(super) fn is_name(name: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(is_allowed)
}

/// Returns the values of the cookies of this name in a `Cookie` field, in their order.
pub(super) fn values<'a>(field: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    parts(field).filter_map(move |part| value_if(part, name))
}

/// Returns a `Cookie` field without the cookies of this name, `None` if it holds none.
///
/// All other cookies stay as they were written, byte for byte, and in their order.
/// The result is empty if nothing is left.
#[must_use]
pub fn without_cookie(field: &[u8], name: &str) -> Option<Vec<u8>> {
    let is_ours = |part: &&[u8]| value_if(part, name.as_bytes()).is_some();
    parts(field).find(is_ours)?;
    let mut rest = Vec::with_capacity(field.len());
    for part in parts(field).filter(|part| !is_ours(part)) {
        // Blanks before the first cookie were between it and what is gone.
        if rest.is_empty() {
            rest.extend_from_slice(part.trim_ascii_start());
        } else {
            rest.push(b';');
            rest.extend_from_slice(part);
        }
    }
    Some(rest)
}

fn parts(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    field.split(|byte| *byte == b';')
}

/// Returns what follows the `=` if what precedes it is this name, give or take blanks.
fn value_if<'a>(part: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let part = part.trim_ascii();
    let rest = part.strip_prefix(name)?;
    rest.trim_ascii_start()
        .strip_prefix(b"=")
        .map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn without(field: &str) -> Option<String> {
        let rest = without_cookie(field.as_bytes(), "aff")?;
        Some(String::from_utf8(rest).unwrap())
    }

    #[test]
    fn our_cookie_goes_and_the_others_stay_byte_for_byte() {
        for (field, rest) in [
            ("aff=1", ""),
            ("aff=1; sid=2", "sid=2"),
            ("sid=2; aff=1", "sid=2"),
            ("a=1; aff=x; b=\"2 \"", "a=1; b=\"2 \""),
            ("a=1;aff=x;b=2", "a=1;b=2"),
            ("aff=1; a=b; aff=2;c", "a=b;c"),
            ("a= ; aff=1;;", "a= ;;"),
            ("aff = 1; a=\u{e4}", "a=\u{e4}"),
        ] {
            assert_eq!(without(field).as_deref(), Some(rest), "{field}");
        }
    }

    #[test]
    fn a_field_without_our_cookie_is_left_alone() {
        for field in [
            "", "a=1", "affe=1", "xaff=1", "aff", "AFF=1", "a=aff=1", ";",
        ] {
            assert_eq!(without(field), None, "{field}");
        }
    }

    #[test]
    fn values_are_found_in_their_order() {
        let found: Vec<_> = values(b"aff=1; x=2;aff=; aff = 3 ", b"aff").collect();
        assert_eq!(found, [&b"1"[..], b"", b"3"]);
    }

    proptest! {
        #[test]
        fn what_is_left_holds_no_cookie_of_ours_and_every_other(
            parts in proptest::collection::vec("[ -:<-~]{0,6}|aff=[a-c ]{0,3}| ?aff ?=", 0..6)
        ) {
            let field = parts.join(";");
            let rest = without_cookie(field.as_bytes(), "aff").unwrap_or_else(|| field.clone().into_bytes());
            prop_assert_eq!(values(&rest, b"aff").count(), 0);
            let kept = |bytes: &[u8]| -> Vec<Vec<u8>> {
                let pairs = super::parts(bytes).filter(|part| value_if(part, b"aff").is_none());
                let pairs = pairs.map(|part| part.trim_ascii().to_vec());
                pairs.filter(|part| !part.is_empty()).collect()
            };
            prop_assert_eq!(kept(&rest), kept(field.as_bytes()));
        }
    }
}
