use super::Value;

/// What a plain word is, by the core schema of YAML 1.2.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).unwrap_or_else(|| Value::Text(text.to_owned())),
    }
}

fn number(text: &str) -> Option<Value> {
    let (negative, unsigned) = match text.as_bytes()[0] {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if let Some(value) = integer(unsigned) {
        return Some(Value::Integer(if negative { -value } else { value }));
    }
    let value = match unsigned {
        ".inf" | ".Inf" | ".INF" => f64::INFINITY,
        ".nan" | ".NaN" | ".NAN" if unsigned == text => f64::NAN,
        _ if is_float(unsigned) => unsigned.parse().ok()?,
        _ => return None,
    };
    Some(Value::Float(if negative { -value } else { value }))
}

/// Without a sign. A number that starts with zeros is text: YAML 1.1 and 1.2 disagree on it.
fn integer(text: &str) -> Option<i128> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x', ..] => (&text[2..], 16),
        [b'0', b'o', ..] => (&text[2..], 8),
        [b'0', b'b', ..] => (&text[2..], 2),
        [b'0', _, ..] => return None,
        _ => (text, 10),
    };
    // The conversion would take another sign.
    digits.starts_with(|c: char| c.is_ascii_alphanumeric()).then(|| i128::from_str_radix(digits, radix).ok())?
}

/// Digits with at most one point among or before them, and an exponent or none.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    let starts_with_zeros = whole.len() > 1 && whole.starts_with('0');
    let exponent_is_number = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    has_digits && !starts_with_zeros && all_digits(whole) && all_digits(fraction) && exponent_is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(format!("{:?}", resolve(text)), expected, "{text}");
    }

    #[test]
    fn numbers_and_words_are_told_from_text() {
        for text in ["", "~", "null"] {
            check(text, "Null");
        }
        check("True", "Bool(true)");
        check("0", "Integer(0)");
        check("-1883", "Integer(-1883)");
        check("+7", "Integer(7)");
        check("0x1F", "Integer(31)");
        check("0o17", "Integer(15)");
        check("0b101", "Integer(5)");
        check("1.5", "Float(1.5)");
        check("-.5e3", "Float(-500.0)");
        check("1.", "Float(1.0)");
        check("1e3", "Float(1000.0)");
        check("-.inf", "Float(-inf)");
        check(".nan", "Float(NaN)");
        // More than 128 bits.
        check(&"9".repeat(40), "Float(1e40)");
    }

    #[test]
    fn all_else_is_text() {
        let texts = [
            "on",
            "yes",
            "007",
            "-007",
            "0755",
            "+-5",
            "--5",
            "0x",
            "0x-1",
            "0xg",
            "1:30",
            "1_000",
            "1e",
            "1e+",
            ".",
            "-",
            "+.nan",
            "1.2.3",
            "127.0.0.1",
            "inf",
            "NaN",
            "e5",
            "é",
            "1883 ",
        ];
        for text in texts {
            check(text, &format!("Text({text:?})"));
        }
    }
}
