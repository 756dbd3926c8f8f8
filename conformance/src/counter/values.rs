//! What JavaScript's operators and `JSON.stringify` make of values, as far as the recording shows it.

use hostel::{Error, Reply, Result};
use serde_json::{Value, json};

/// `a + b` for numbers; anything else is `NaN`, which JSON writes as `null`.
pub(super) fn sum(a: &Value, b: &Value) -> Value {
    match (a.as_i64().zip(b.as_i64()), a.as_f64().zip(b.as_f64())) {
        (Some((a, b)), _) => a.checked_add(b).map_or(Value::Null, Value::from),
        (None, Some((a, b))) => Value::from(a + b),
        _ => Value::Null,
    }
}

/// `value ?? fallback`.
pub(super) fn number_or(value: Option<&Value>, fallback: i64) -> Value {
    value.filter(|value| !value.is_null()).cloned().unwrap_or_else(|| fallback.into())
}

/// The answers of `ret`. A function and a missing value are absent on the wire; maps and responses have no own fields.
pub(super) fn of_kind(kind: &str) -> Result<Reply> {
    let value = match kind {
        "null" | "nan" => Value::Null,
        "bigint" => return Err(Error::msg("Do not know how to serialize a BigInt")),
        "date" => json!("1970-01-01T00:00:00.000Z"),
        "map" | "resp" => json!({}),
        "obj" => json!({"a": 1}),
        "u8" => json!({"0": 1, "1": 2, "2": 3}),
        _ => return Ok(Reply::undefined()),
    };
    Reply::json(&value)
}

/// The errors of `fail`. What is thrown and is no `Error` has no message.
pub(super) fn failure(kind: Option<&str>) -> Result<()> {
    Err(Error::msg(match kind {
        Some("string" | "obj") => "Unknown error occurred",
        _ => "typed boom",
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_keeps_integers_whole_and_is_null_without_two_numbers() {
        assert_eq!(sum(&json!(1), &json!(2)).to_string(), "3");
        assert_eq!(sum(&json!(1.5), &json!(2)).to_string(), "3.5");
        assert_eq!(sum(&json!(1), &Value::Null), Value::Null);
        assert_eq!(sum(&json!(i64::MAX), &json!(1)), Value::Null);
    }
}
