//! Methods as prompts.

use hostel_core::{
    Error, Reply, Result,
    erased::MethodInfo,
    typescript::{Signature, TypeBook},
};
use hostel_protocol::refusal::Code;
use rmcp::model::{ContentBlock, JsonObject, Prompt, PromptArgument, PromptMessage, Role};
use serde_json::{Value, json};

use super::{outcome, schema};

/// One callable as a prompt.
#[derive(Debug)]
pub(crate) struct PromptOf {
    pub(super) prompt: Prompt,
    /// The callable's name on the wire.
    pub(super) method: &'static str,
    pub(super) given: Given,
}

/// What a prompt, or a resource, is given: texts by name.
#[derive(Debug)]
pub(crate) struct Given {
    names: Vec<&'static str>,
    /// The parameters as the schema of a tool.
    schema: JsonObject,
}

impl PromptOf {
    pub(super) fn of(name: String, info: &MethodInfo, signature: &Signature, book: &TypeBook) -> Self {
        let given = Given::of(signature, book);
        let argument = |name: &&'static str| PromptArgument::new(*name).with_required(given.requires(name));
        let arguments: Vec<_> = given.names.iter().map(argument).collect();
        let arguments = (!arguments.is_empty()).then_some(arguments);
        let description = (!info.doc.is_empty()).then_some(info.doc);
        Self { prompt: Prompt::new(name, description, arguments), method: info.name, given }
    }
}

impl Given {
    pub(super) fn of(signature: &Signature, book: &TypeBook) -> Self {
        let names = signature.params.iter().map(|param| param.name).collect();
        Self { names, schema: schema::input(signature, book.received()) }
    }

    fn requires(&self, name: &str) -> bool {
        let required = self.schema.get("required").and_then(Value::as_array);
        required.is_some_and(|required| required.iter().any(|one| one == name))
    }

    /// The arguments by position, as calls take them. Texts become what the parameter is, if they can be read so.
    ///
    /// # Errors
    /// `invalid_arguments` for a name that is no parameter's.
    pub(super) fn positional(&self, mut given: JsonObject) -> Result<String> {
        let values: Vec<Value> = self
            .names
            .iter()
            .map(|name| given.remove(*name).map_or(Value::Null, |value| self.read(name, value)))
            .collect();
        match given.keys().next() {
            None => Ok(Value::Array(values).to_string()),
            Some(unknown) => {
                let shown: String = unknown.chars().filter(|c| !c.is_control()).take(80).collect();
                let fix = match self.names.as_slice() {
                    [] => "it takes no arguments".to_owned(),
                    names => format!("its arguments are {}", names.join(", ")),
                };
                Err(Error::coded(Code::InvalidArguments, format!("There is no argument `{shown}`.")).with_fix(fix))
            }
        }
    }

    fn read(&self, name: &str, value: Value) -> Value {
        match &value {
            Value::String(text) if !schema::takes_text(&self.schema, name) => {
                serde_json::from_str(text).unwrap_or(value)
            }
            _ => value,
        }
    }

    /// What could be meant by the beginning of an argument: the variants of its type, where it has any.
    pub(super) fn completions(&self, name: &str, begun: &str) -> Vec<String> {
        let variants = schema::variants(&self.schema, name);
        variants.into_iter().filter(|variant| variant.starts_with(begun)).collect()
    }
}

/// A method's answer as messages: a text is one of the user, the parts of a [`crate::ToolOutput`] are one each, and objects
/// with `role` and `content` ([`crate::Saying`]) are what they say.
pub(super) fn messages(reply: &Reply) -> Result<Vec<PromptMessage>> {
    let value: Value = reply.parse()?;
    match value {
        Value::Array(values) if values.iter().all(|value| value.get("role").is_some()) => {
            values.into_iter().map(|value| Ok(serde_json::from_value(value)?)).collect()
        }
        value if value.get("role").is_some() => Ok(vec![serde_json::from_value(value)?]),
        value if value.get("content").is_some_and(Value::is_array) => {
            let said = |part: &Value| Ok(serde_json::from_value(json!({"role": "user", "content": part}))?);
            value["content"].as_array().into_iter().flatten().map(said).collect()
        }
        value => Ok(vec![PromptMessage::new(Role::User, ContentBlock::text(outcome::text(&value)))]),
    }
}
