//! What serde calls a field in JSON, from its attributes.

use syn::{Attribute, Error, Field, LitStr, Token, ext::IdentExt, meta::ParseNestedMeta, parenthesized};

/// What the attributes of a struct say about the names of its fields.
#[derive(Default)]
pub(crate) struct Container {
    rename_all: Option<LitStr>,
}

/// Under which names a field is read and written.
pub(crate) struct Names {
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
}

impl Container {
    pub(crate) fn read(attrs: &[Attribute]) -> syn::Result<Self> {
        let mut container = Self::default();
        each(attrs, |meta| {
            if meta.path.is_ident("rename_all") {
                container.rename_all = Some(one_name(meta)?);
            } else if ["transparent", "into", "from", "try_from", "remote"].iter().any(|word| meta.path.is_ident(word))
            {
                let message = "with this attribute the JSON is that of another type; declare the fields there";
                return Err(meta.error(message));
            } else {
                skip(meta)?;
            }
            Ok(())
        })?;
        Ok(container)
    }

    pub(crate) fn names_of(&self, field: &Field) -> syn::Result<Names> {
        let ident = field.ident.as_ref().ok_or_else(|| Error::new_spanned(field, "this field has no name in JSON"))?;
        let (mut name, mut aliases) = (None, Vec::new());
        each(&field.attrs, |meta| {
            if meta.path.is_ident("rename") {
                name = Some(one_name(meta)?.value());
            } else if meta.path.is_ident("alias") {
                aliases.push(meta.value()?.parse::<LitStr>()?.value());
            } else if meta.path.is_ident("flatten") {
                let message = "a flattened field has no name of its own in JSON; declare the fields of its type one by one \
                               in this struct, or do without `flatten`";
                return Err(meta.error(message));
            } else if ["skip", "skip_serializing", "skip_deserializing"].iter().any(|word| meta.path.is_ident(word)) {
                let message = "a skipped field is not stored, so clients neither see nor write it; remove `#[state(..)]`, or \
                               this attribute if it is to be stored";
                return Err(meta.error(message));
            } else {
                skip(meta)?;
            }
            Ok(())
        })?;
        let own = || self.renamed(&ident.unraw().to_string());
        Ok(Names { name: name.map_or_else(own, Ok)?, aliases })
    }

    fn renamed(&self, field: &str) -> syn::Result<String> {
        let Some(rule) = &self.rename_all else { return Ok(field.to_owned()) };
        apply(&rule.value(), field).ok_or_else(|| Error::new(rule.span(), "serde knows no such rule"))
    }
}

/// serde's rules for the snake case names of fields.
fn apply(rule: &str, field: &str) -> Option<String> {
    Some(match rule {
        "lowercase" | "snake_case" => field.to_owned(),
        "UPPERCASE" | "SCREAMING_SNAKE_CASE" => field.to_ascii_uppercase(),
        "PascalCase" => pascal(field),
        "camelCase" => {
            let pascal = pascal(field);
            let (first, rest) = pascal.split_at_checked(1).unwrap_or((&pascal, ""));
            first.to_ascii_lowercase() + rest
        }
        "kebab-case" => field.replace('_', "-"),
        "SCREAMING-KEBAB-CASE" => field.to_ascii_uppercase().replace('_', "-"),
        _ => return None,
    })
}

fn pascal(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    let mut raise = true;
    for c in field.chars() {
        if c == '_' {
            raise = true;
        } else if raise {
            out.push(c.to_ascii_uppercase());
            raise = false;
        } else {
            out.push(c);
        }
    }
    out
}

fn each(attrs: &[Attribute], mut see: impl FnMut(&ParseNestedMeta<'_>) -> syn::Result<()>) -> syn::Result<()> {
    let mut ours = attrs.iter().filter(|attr| attr.path().is_ident("serde"));
    ours.try_for_each(|attr| attr.parse_nested_meta(|meta| see(&meta)))
}

/// `rename = ".."`, or the same name both ways: a field that is read under another name than it is written cannot be put
/// back into a client's state.
fn one_name(meta: &ParseNestedMeta<'_>) -> syn::Result<LitStr> {
    if meta.input.peek(Token![=]) {
        return meta.value()?.parse();
    }
    let mut names: Vec<LitStr> = Vec::new();
    meta.parse_nested_meta(|way| {
        names.push(way.value()?.parse()?);
        Ok(())
    })?;
    match &names[..] {
        [first, second] if first.value() == second.value() => Ok(first.clone()),
        _ => {
            Err(meta
                .error("a declared field is read and written under one name; use `alias` for further names to read"))
        }
    }
}

/// Reads past an attribute that does not concern us.
fn skip(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<syn::Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        let content;
        parenthesized!(content in meta.input);
        content.parse::<proc_macro2::TokenStream>()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_those_of_serde() {
        for (rule, expected) in [
            ("lowercase", "last_move"),
            ("UPPERCASE", "LAST_MOVE"),
            ("PascalCase", "LastMove"),
            ("camelCase", "lastMove"),
            ("snake_case", "last_move"),
            ("SCREAMING_SNAKE_CASE", "LAST_MOVE"),
            ("kebab-case", "last-move"),
            ("SCREAMING-KEBAB-CASE", "LAST-MOVE"),
        ] {
            assert_eq!(apply(rule, "last_move").as_deref(), Some(expected));
        }
        assert_eq!(apply("Title Case", "last_move"), None);
    }
}
