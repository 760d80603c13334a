//! Numbers as people read them.

/// A count with thousands apart: `12,345`.
#[must_use]
pub fn count(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A ratio with as many digits as mean something.
#[must_use]
pub fn ratio(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    if number.abs() < 10.0 {
        return format!("{number:.2}");
    }
    if number.abs() < 100.0 {
        return format!("{number:.1}");
    }
    format!("{number:.0}")
}

/// A time that was counted in microseconds, in milliseconds.
#[must_use]
pub fn milliseconds(us: f64) -> String {
    format!("{} ms", ratio(us / 1_000.0))
}

/// A time that was counted in milliseconds, in seconds.
#[must_use]
pub fn seconds(ms: u32) -> String {
    let seconds = f64::from(ms) / 1_000.0;
    if seconds < 10.0 {
        return format!("{seconds:.1} s");
    }
    format!("{seconds:.0} s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let texts = [0, 999, 1_000, 12_345, 1_234_567].map(count);
        assert_eq!(texts, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn a_number_has_three_digits_that_mean_something() {
        let texts = [0.0, 0.046, 1.5, 43.21, 160.4, -0.25].map(ratio);
        assert_eq!(texts, ["0", "0.05", "1.50", "43.2", "160", "-0.25"]);
    }
}
