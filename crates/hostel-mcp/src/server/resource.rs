//! Methods as resources, and what a URI asks for.

use hostel_core::{
    Reply, Result,
    erased::MethodInfo,
    typescript::{Signature, TypeBook},
};
use hostel_protocol::name::decode_segment;
use rmcp::model::{JsonObject, Resource, ResourceContents, ResourceTemplate};
use serde_json::Value;

use super::{outcome, prompt::Given};

/// One callable as a resource, or as a family of them.
#[derive(Debug)]
pub(crate) struct ResourceOf {
    pub(super) uri: &'static str,
    mime: Option<&'static str>,
    name: String,
    doc: &'static str,
    /// The callable's name on the wire.
    pub(super) method: &'static str,
    pub(super) given: Given,
}

impl ResourceOf {
    pub(super) fn of(
        uri: &'static str,
        mime: Option<&'static str>,
        info: &MethodInfo,
        signature: &Signature,
        book: &TypeBook,
    ) -> Self {
        let given = Given::of(signature, book);
        Self { uri, mime, name: info.name.to_owned(), doc: info.doc, method: info.name, given }
    }

    /// As one resource, if it is one.
    pub(super) fn single(&self) -> Option<Resource> {
        let mut resource = Resource::new(self.uri, &*self.name);
        resource.description = self.description();
        resource.mime_type = self.mime.map(str::to_owned);
        (!self.uri.contains('{')).then_some(resource)
    }

    /// As a family, if it is one.
    pub(super) fn family(&self) -> Option<ResourceTemplate> {
        let mut family = ResourceTemplate::new(self.uri, &*self.name);
        family.description = self.description();
        family.mime_type = self.mime.map(str::to_owned);
        self.uri.contains('{').then_some(family)
    }

    fn description(&self) -> Option<String> {
        (!self.doc.is_empty()).then(|| self.doc.to_owned())
    }

    /// The parameters that stand in `uri`, if it is one of these.
    pub(super) fn fits(&self, uri: &str) -> Option<JsonObject> {
        fits(self.uri, uri)
    }

    /// A method's answer as contents.
    pub(super) fn contents(&self, uri: &str, reply: &Reply) -> Result<Vec<ResourceContents>> {
        let value: Value = reply.parse()?;
        if let Some(parts) = value.get("content").and_then(Value::as_array) {
            return parts.iter().map(|part| self.part(uri, part)).collect();
        }
        let own = if value.is_string() { "text/plain" } else { "application/json" };
        Ok(vec![ResourceContents::text(outcome::text(&value), uri).with_mime_type(self.mime.unwrap_or(own))])
    }

    /// A part of a [`crate::ToolOutput`]: text, something in base 64, or a resource with its own URI.
    fn part(&self, uri: &str, part: &Value) -> Result<ResourceContents> {
        if let Some(resource) = part.get("resource") {
            return Ok(serde_json::from_value(resource.clone())?);
        }
        let mime = part.get("mimeType").and_then(Value::as_str).or(self.mime);
        Ok(match part.get("data").and_then(Value::as_str) {
            Some(data) => ResourceContents::blob(data, uri).with_mime_type(mime.unwrap_or("application/octet-stream")),
            None => {
                let text = part.get("text").map(outcome::text).unwrap_or_default();
                ResourceContents::text(text, uri).with_mime_type(mime.unwrap_or("text/plain"))
            }
        })
    }
}

/// Matches a URI with a template of RFC 6570's simplest kind: `{name}` is a stretch without `/`.
fn fits(template: &str, uri: &str) -> Option<JsonObject> {
    let (before, rest) = template.split_once('{').unwrap_or((template, ""));
    let uri = uri.strip_prefix(before)?;
    let Some((name, after)) = rest.split_once('}') else { return uri.is_empty().then(JsonObject::new) };
    let next = after.split('{').next().unwrap_or_default();
    let end = if next.is_empty() { uri.len() } else { uri.find(next)? };
    let value = uri.get(..end).filter(|value| !value.is_empty() && !value.contains('/'))?;
    let mut found = fits(after, &uri[end..])?;
    found.insert(name.to_owned(), decode_segment(value)?.into_owned().into());
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(template: &str, uri: &str) -> Option<String> {
        fits(template, uri).map(|found| Value::Object(found).to_string())
    }

    #[test]
    fn a_uri_fits_a_template_of_the_same_form_and_no_other() {
        assert_eq!(found("notes://all", "notes://all").as_deref(), Some("{}"));
        assert_eq!(found("notes://{id}", "notes://7").as_deref(), Some(r#"{"id":"7"}"#));
        assert_eq!(found("notes://{id}/data", "notes://a%20b/data").as_deref(), Some(r#"{"id":"a b"}"#));
        let both = fits("n://{a}-{b}", "n://1-2").map(Value::Object);
        assert_eq!(both, Some(serde_json::json!({"a": "1", "b": "2"})));
        for other in ["notes://all/", "notes://al", "notes://7/8", "notes://", "other://7"] {
            assert!(other == "notes://al" || found("notes://{id}", other).is_none(), "{other}");
            assert_eq!(found("notes://all", other), None);
        }
        assert_eq!(found("notes://{id}", "notes://%ff"), None);
        assert_eq!(found("notes://{id}/data", "notes:///data"), None);
    }
}
