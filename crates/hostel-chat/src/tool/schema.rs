//! The JSON schema of a tool's input, and reading an input by its type.

use hostel::{Error, Result};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What a tool without input takes.
pub(super) fn empty() -> Value {
    json!({"type": "object", "properties": {}})
}

/// The schema of `T` with nothing to look up, or `None` if `T` is no object, as `()` is.
pub(super) fn of<T: JsonSchema>() -> Option<Value> {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    let object = schema.as_object_mut()?;
    object.remove("$schema");
    object.remove("title");
    // Providers want the keyword even of an object without fields.
    (object.get("type")? == "object").then(|| object.entry("properties").or_insert_with(|| json!({})))?;
    Some(schema)
}

/// Reads an input; `nothing` says that the type takes none.
pub(super) fn parse<T: DeserializeOwned>(input: Value, nothing: bool) -> Result<T> {
    let input = if nothing { Value::Null } else { input };
    serde_path_to_error::deserialize(input).map_err(|error| {
        let place = error.path().to_string();
        let place = if place == "." { String::new() } else { format!(" at `{place}`") };
        Error::msg(format!("The input does not fit the tool{place}: {}", error.inner()))
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    struct Trip {
        /// Where to.
        to: Place,
    }

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    struct Place {
        town: String,
    }

    #[test]
    fn a_schema_has_its_parts_in_place() {
        let schema = of::<Trip>().unwrap();
        assert_eq!(schema["properties"]["to"]["properties"]["town"]["type"], "string");
        assert_eq!(schema["properties"]["to"]["description"], "Where to.");
        assert!(!schema.to_string().contains("$"), "{schema}");
    }

    #[test]
    fn a_tool_without_input_takes_an_empty_object() {
        assert!(of::<()>().is_none());
        parse::<()>(json!({}), true).unwrap();
    }

    #[test]
    fn an_input_that_does_not_fit_says_where() {
        let fits = parse::<Trip>(json!({"to": {"town": "Rome"}}), false).unwrap();
        assert_eq!(fits, Trip { to: Place { town: "Rome".into() } });
        let error = parse::<Trip>(json!({"to": {"town": 7}}), false).unwrap_err();
        assert!(error.message().contains("at `to.town`: invalid type: integer `7`"), "{}", error.message());
    }
}
