//! Agent classes as TypeScript interfaces.

use std::collections::{BTreeMap, BTreeSet};

use super::{Signature, TypeBook, render};
use crate::erased::{Class, MethodInfo};

/// The declarations of one class; see [`declarations`].
pub fn declaration(class: &dyn Class) -> String {
    declarations([class])
}

/// TypeScript for several classes: for each an interface with its callable methods and its state, before them the named
/// types they mention. Save it as `agents.ts` and write `useAgent<Counter, CounterState>({ agent: "counter" })`, or
/// `new AgentClient<Counter>({ agent: "counter", .. })`.
///
/// A type prints as `unknown` until it derives `JsonSchema`; a comment says so.
pub fn declarations<'a>(classes: impl IntoIterator<Item = &'a dyn Class>) -> String {
    let classes: Vec<&dyn Class> = classes.into_iter().collect();
    let mut book = TypeBook::default();
    let states: Vec<String> = classes.iter().map(|class| class.state_type(&mut book)).collect();
    for class in &classes {
        interface(*class, &mut book);
    }
    // The struct that is an agent shares its name with the class; as a type it is the state.
    let named_alike = classes.iter().zip(&states).filter(|(class, state)| *class.info().class == **state);
    let wished: BTreeMap<String, String> =
        named_alike.map(|(class, state)| (state.clone(), state_name(*class))).collect();
    let taken: BTreeSet<String> =
        classes.iter().flat_map(|class| [class.info().class.to_string(), state_name(*class)]).collect();
    book.settle(&wished, &taken);
    let mut interfaces = String::new();
    for class in &classes {
        interfaces += &state_alias(*class, &mut book);
        interfaces += &interface(*class, &mut book);
    }
    let types = book.declarations();
    format!("{types}{}{interfaces}", if types.is_empty() { "" } else { "\n" })
}

fn state_name(class: &dyn Class) -> String {
    format!("{}State", class.info().class)
}

/// The state's type under its name, unless it is declared under that name anyway.
fn state_alias(class: &dyn Class, book: &mut TypeBook) -> String {
    let (name, ty) = (state_name(class), class.state_type(book));
    if ty == name { String::new() } else { format!("export type {name} = {ty};\n\n") }
}

fn interface(class: &dyn Class, book: &mut TypeBook) -> String {
    let info = class.info();
    let callable = info.methods.iter().enumerate().filter(|(_, method)| method.callable);
    let methods: String = callable.map(|(index, method)| declare(method, &class.signature(index, book))).collect();
    let doc = render::doc(&info.doc, "");
    format!("{doc}export interface {} {{\n  state: {};\n{methods}}}\n", info.class, state_name(class))
}

fn declare(method: &MethodInfo, signature: &Signature) -> String {
    let mut doc = method.doc.to_owned();
    if let Some(chunks) = &signature.chunks {
        let sends = format!("Streams `{chunks}`: pass `{{ stream: {{ onChunk(chunk) {{ .. }} }} }}` to `call`.");
        doc = if doc.is_empty() { sends } else { format!("{doc}\n\n{sends}") };
    }
    let (name, params) = (render::key(method.name), parameters(signature));
    format!("{}  {name}({params}): Promise<{}>;\n", render::doc(&doc, "  "), signature.returns)
}

/// The parameters; those at the end that take `null` may be left out.
fn parameters(signature: &Signature) -> String {
    let takes_null = |ty: &str| ty == "null" || ty.ends_with("| null");
    let trailing = signature.params.iter().rev().take_while(|param| takes_null(&param.ty.text)).count();
    let required = signature.params.len() - trailing;
    let params = signature.params.iter().enumerate().map(|(at, param)| {
        let mark = if at < required { "" } else { "?" };
        format!("{}{mark}: {}", parameter_name(param.name), param.ty)
    });
    params.collect::<Vec<_>>().join(", ")
}

/// A word that TypeScript keeps for itself gets an underscore.
fn parameter_name(name: &str) -> String {
    const RESERVED: [&str; 36] = [
        "break",
        "case",
        "catch",
        "class",
        "const",
        "continue",
        "debugger",
        "default",
        "delete",
        "do",
        "else",
        "enum",
        "export",
        "extends",
        "false",
        "finally",
        "for",
        "function",
        "if",
        "import",
        "in",
        "instanceof",
        "new",
        "null",
        "return",
        "super",
        "switch",
        "this",
        "throw",
        "true",
        "try",
        "typeof",
        "var",
        "void",
        "while",
        "with",
    ];
    let name = render::identifier(name);
    if RESERVED.contains(&name.as_str()) { name + "_" } else { name }
}
