//! What a class offers: its callables as tools, prompts and resources.

use std::sync::Arc;

use hostel_core::{
    Error, Offer, Result,
    erased::{Class, MethodInfo},
    typescript::{Signature, TypeBook},
};
use hostel_protocol::{name::nearest, refusal::Code};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::Value;

use super::{
    prompt::PromptOf,
    resource::ResourceOf,
    schema::{self, Shape},
};

/// What a class offers, made once.
#[derive(Debug)]
pub(crate) struct Surface {
    pub(super) class: Arc<dyn Class>,
    pub(super) tools: Vec<Offered>,
    pub(super) prompts: Vec<PromptOf>,
    pub(super) resources: Vec<ResourceOf>,
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
        let (mut tools, mut prompts, mut resources) = (Vec::<Offered>::new(), Vec::<PromptOf>::new(), Vec::new());
        let methods = Arc::clone(&class.info().methods);
        for (index, info) in methods.iter().enumerate().filter(|(_, info)| info.callable) {
            let mut book = TypeBook::default();
            let signature = class.signature(index, &mut book);
            match info.offer {
                Offer::Tool => {
                    let name = free(tool_name(info.name), |name| tools.iter().all(|other| other.tool.name != *name));
                    tools.push(offer(name, info, &signature, &book));
                }
                Offer::Prompt => {
                    let name =
                        free(tool_name(info.name), |name| prompts.iter().all(|other| other.prompt.name != *name));
                    prompts.push(PromptOf::of(name, info, &signature, &book));
                }
                Offer::Resource { uri, mime } => {
                    resources.push(ResourceOf::of(uri, mime, info, &signature, &book));
                }
            }
        }
        Self { class, tools, prompts, resources }
    }

    pub(super) fn prompt(&self, name: &str) -> Option<&PromptOf> {
        self.prompts.iter().find(|offered| offered.prompt.name == name)
    }

    /// The resource at a URI, with the parameters that stand in it. One that is written out goes before a family.
    pub(super) fn resource(&self, uri: &str) -> Option<(&ResourceOf, JsonObject)> {
        let single =
            self.resources.iter().find(|offered| offered.uri == uri).map(|offered| (offered, JsonObject::new()));
        single.or_else(|| self.resources.iter().find_map(|offered| Some((offered, offered.fits(uri)?))))
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
fn free(name: String, is_free: impl Fn(&String) -> bool) -> String {
    let numbered = (2..).map(|number| format!("{name}_{number}"));
    std::iter::once(name.clone()).chain(numbered).find(is_free).unwrap_or(name)
}
