//! The named types that signatures mention, and under which name each is printed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::Value;

use super::{
    Shown,
    render::{self, Names},
};
use crate::state::{Access, StateField};

/// Collects the named types that signatures mention.
///
/// A type has two faces: what is written (`Option` fields always there) and what is read (they may be left out). A type
/// that is used both ways and differs is printed twice, the second time as `NameInput`.
pub struct TypeBook {
    output: Face,
    input: Face,
}

impl TypeBook {
    /// The type of `T` where an agent sends it.
    pub fn ts<T: JsonSchema>(&mut self) -> Shown {
        // Both faces see every type in the same order, so that namesakes are numbered alike.
        self.input.schema::<T>();
        self.output.ts::<T>()
    }

    /// The type of `T` where an agent receives it.
    pub fn ts_input<T: JsonSchema>(&mut self) -> Shown {
        self.output.schema::<T>();
        self.input.ts::<T>()
    }

    /// The TypeScript type of a state: without its private fields, and with those that only the server writes as
    /// `readonly`.
    pub fn state<T: JsonSchema>(&mut self, fields: &[StateField]) -> String {
        self.input.restricted::<T>(fields);
        let schema = self.output.restricted::<T>(fields);
        self.output.print(schema).text
    }

    /// The definitions that schemas of what an agent sends refer to as `#/$defs/NAME`: all seen so far.
    pub fn sent(&self) -> &serde_json::Map<String, Value> {
        self.output.generator.definitions()
    }

    /// The definitions that schemas of what an agent receives refer to as `#/$defs/NAME`: all seen so far.
    pub fn received(&self) -> &serde_json::Map<String, Value> {
        self.input.generator.definitions()
    }

    /// Chooses names for all types seen so far: `wished` for some of them, none of `taken` for the others. Ask for every
    /// type once more afterwards.
    pub(super) fn settle(&mut self, wished: &BTreeMap<String, String>, taken: &BTreeSet<String>) {
        let (sent, received) = (self.output.reachable(), self.input.reachable());
        let differing = self.differing();
        let mut taken = taken.clone();
        taken.extend(wished.values().cloned());
        for name in &sent {
            let chosen = wished.get(name).cloned().unwrap_or_else(|| free(render::identifier(name), &mut taken));
            self.output.names.insert(name.clone(), chosen);
        }
        for name in &received {
            let chosen = match self.output.names.get(name) {
                Some(same) if !differing.contains(name) => same.clone(),
                Some(other) => free(format!("{other}Input"), &mut taken),
                None => free(render::identifier(name), &mut taken),
            };
            self.input.names.insert(name.clone(), chosen);
        }
    }

    /// The definitions whose two faces differ, directly or through another definition.
    fn differing(&self) -> BTreeSet<String> {
        let (output, input) = (self.output.generator.definitions(), self.input.generator.definitions());
        let mut differing: BTreeSet<String> = output
            .iter()
            .filter(|(name, schema)| input.get(*name) != Some(schema))
            .map(|(name, _)| name.clone())
            .collect();
        loop {
            let infected = |schema: &Value| render::references(schema).iter().any(|name| differing.contains(name));
            let more: Vec<String> = output
                .iter()
                .filter(|(name, schema)| !differing.contains(*name) && infected(schema))
                .map(|(name, _)| name.clone())
                .collect();
            if more.is_empty() {
                return differing;
            }
            differing.extend(more);
        }
    }

    /// Every named type in use, once, in alphabetical order.
    pub fn declarations(&self) -> String {
        let mut all = BTreeMap::new();
        for face in [&self.output, &self.input] {
            for name in face.reachable() {
                let printed = face.names.get(&name).cloned().unwrap_or_else(|| render::identifier(&name));
                if let Some(schema) = face.generator.definitions().get(&name) {
                    all.entry(printed.clone()).or_insert_with(|| render::definition(&printed, schema, &face.names));
                }
            }
        }
        all.into_values().collect::<Vec<_>>().join("\n")
    }
}

/// One face of all types.
struct Face {
    generator: SchemaGenerator,
    roots: Vec<Value>,
    names: Names,
}

impl Face {
    fn new(settings: SchemaSettings) -> Self {
        Self { generator: settings.into_generator(), roots: Vec::new(), names: Names::new() }
    }

    fn schema<T: JsonSchema>(&mut self) -> Schema {
        self.generator.subschema_for::<T>()
    }

    fn ts<T: JsonSchema>(&mut self) -> Shown {
        let schema = self.schema::<T>().to_value();
        self.print(schema)
    }

    fn print(&mut self, schema: Value) -> Shown {
        let text = render::ty(&schema, &self.names);
        self.roots.push(schema.clone());
        Shown { text, schema: Some(schema) }
    }

    /// The schema of a state. Its definition is changed for whoever mentions it.
    fn restricted<T: JsonSchema>(&mut self, fields: &[StateField]) -> Value {
        let mut schema = self.schema::<T>().to_value();
        let definition = schema.get("$ref").and_then(Value::as_str).and_then(render::target);
        let definition = definition.and_then(|name| self.generator.definitions_mut().get_mut(&name));
        restrict(definition.unwrap_or(&mut schema), fields);
        schema
    }

    /// The names of the definitions in use.
    fn reachable(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open: Vec<String> = self.roots.iter().flat_map(render::references).collect();
        while let Some(name) = open.pop() {
            let definition = self.generator.definitions().get(&name);
            if found.insert(name) {
                open.extend(definition.iter().flat_map(|schema| render::references(schema)));
            }
        }
        found
    }
}

impl Default for TypeBook {
    fn default() -> Self {
        let settings = SchemaSettings::default;
        Self { output: Face::new(settings().for_serialize()), input: Face::new(settings().for_deserialize()) }
    }
}

impl fmt::Debug for TypeBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.output.reachable().union(&self.input.reachable())).finish()
    }
}

/// What clients may not see goes; what they may not write is `readonly`.
fn restrict(schema: &mut Value, fields: &[StateField]) {
    let access = |name: &str| fields.iter().find(|field| field.name() == name).map(StateField::access);
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|name| name.as_str().and_then(access) != Some(Access::Private));
    }
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    properties.retain(|name, _| access(name) != Some(Access::Private));
    for (_, property) in properties.iter_mut().filter(|(name, _)| access(name) == Some(Access::Server)) {
        match property {
            Value::Object(property) => drop(property.insert("readOnly".to_owned(), true.into())),
            anything => *anything = serde_json::json!({"readOnly": true}),
        }
    }
}

/// `name`, or `name` with the first number that makes it new.
fn free(name: String, taken: &mut BTreeSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{name}{number}"));
    let chosen = std::iter::once(name.clone()).chain(numbered).find(|candidate| !taken.contains(candidate));
    let chosen = chosen.unwrap_or(name);
    taken.insert(chosen.clone());
    chosen
}

/// The type of something without a schema.
pub(super) fn unknown<T>() -> String {
    format!("unknown /* derive hostel::JsonSchema for {} */", short_name(std::any::type_name::<T>()))
}

/// `Option<Point>` for `core::option::Option<my_app::Point>`.
fn short_name(full: &str) -> String {
    let mut short = String::with_capacity(full.len());
    for part in full.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_' && c != ':') {
        short.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    short
}
