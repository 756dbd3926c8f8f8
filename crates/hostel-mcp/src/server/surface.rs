//! What a class offers: its callables as tools.

use std::sync::Arc;

use hostel_core::{
    Error, Result,
    erased::{Class, MethodInfo},
    typescript::{Signature, TypeBook},
};
use hostel_protocol::{name::nearest, refusal::Code};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::Value;

use super::schema::{self, Shape};

/// The tools of a class, made once.
#[derive(Debug)]
pub(crate) struct Surface {
    pub(super) class: Arc<dyn Class>,
    pub(super) tools: Vec<Offered>,
}

/// One callable as a tool.
#[derive(Debug)]
pub(crate) struct Offered {
    pub(super) tool: Tool,
    /// The callable's name on the wire.
    pub(super) method: &'static str,
    pub(super) params: Vec<&'static str>,
    pub(super) shape: Shape,
}

impl Surface {
    pub(crate) fn of(class: Arc<dyn Class>) -> Self {
        let mut tools: Vec<Offered> = Vec::new();
        let methods = Arc::clone(&class.info().methods);
        for (index, info) in methods.iter().enumerate().filter(|(_, info)| info.callable) {
            let mut book = TypeBook::default();
            let signature = class.signature(index, &mut book);
            let name = free(tool_name(info.name), &tools);
            tools.push(offer(name, info, &signature, &book));
        }
        Self { class, tools }
    }

    pub(super) fn tool(&self, name: &str) -> Option<&Offered> {
        self.tools.iter().find(|offered| offered.tool.name == name)
    }
}

fn offer(name: String, info: &MethodInfo, signature: &Signature, book: &TypeBook) -> Offered {
    let (shape, output) = schema::output(signature, book.sent());
    let description = (!info.doc.is_empty()).then(|| info.doc.to_owned().into());
    let mut tool = Tool::new_with_raw(name, description, schema::input(signature, book.received()));
    tool.output_schema = output.map(Arc::new);
    if signature.only_looks {
        tool = tool.annotate(ToolAnnotations::new().read_only(true).open_world(false));
    }
    let params = signature.params.iter().map(|param| param.name).collect();
    Offered { tool, method: info.name, params, shape }
}

impl Offered {
    /// The arguments by position, as calls take them.
    ///
    /// # Errors
    /// `invalid_arguments` for a name that is no parameter's.
    pub(super) fn positional(&self, arguments: Option<JsonObject>) -> Result<String> {
        let mut arguments = arguments.unwrap_or_default();
        let values: Vec<Value> =
            self.params.iter().map(|name| arguments.remove(*name).unwrap_or(Value::Null)).collect();
        match arguments.keys().next() {
            None => Ok(Value::Array(values).to_string()),
            Some(unknown) => Err(self.no_parameter(unknown)),
        }
    }

    fn no_parameter(&self, unknown: &str) -> Error {
        let shown: String = unknown.chars().filter(|c| !c.is_control()).take(80).collect();
        let message = format!("{} has no parameter `{shown}`.", self.tool.name);
        let fix = match nearest(unknown, self.params.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.params.is_empty() => "it takes no arguments".to_owned(),
            None => format!("its parameters are {}", self.params.join(", ")),
        };
        Error::coded(Code::InvalidArguments, message).with_fix(fix)
    }
}

/// A name as MCP wants it: 1 to 128 letters, digits, `_`, `-` and `.`.
fn tool_name(method: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '_' };
    method.chars().map(fits).take(128).collect()
}

/// The name, or the first numbered one that is not taken.
fn free(name: String, taken: &[Offered]) -> String {
    let is_free = |name: &String| taken.iter().all(|other| other.tool.name != **name);
    let numbered = (2..).map(|number| format!("{name}_{number}"));
    std::iter::once(name.clone()).chain(numbered).find(is_free).unwrap_or(name)
}
