//! The options of `#[agent(..)]` and `#[callable(..)]`.

use proc_macro2::TokenStream;
use syn::{LitBool, LitStr, Path, meta::ParseNestedMeta, parse::Parser};

/// Options of a class.
#[derive(Default)]
pub(crate) struct AgentOptions {
    /// Class name.
    pub(crate) name: Option<LitStr>,
    /// Whether a connection is told whom it reached.
    pub(crate) send_identity_on_connect: Option<bool>,
    /// Where `hostel` is.
    pub(crate) home: Option<Path>,
}

impl AgentOptions {
    /// Reads what stands between the parentheses of `#[agent(..)]`.
    pub(crate) fn parse(tokens: TokenStream) -> syn::Result<Self> {
        let mut options = Self::default();
        syn::meta::parser(|meta| options.set(&meta)).parse2(tokens)?;
        Ok(options)
    }

    fn set(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if meta.path.is_ident("name") {
            self.name = Some(class_name(meta.value()?.parse()?)?);
        } else if meta.path.is_ident("send_identity_on_connect") {
            self.send_identity_on_connect = Some(meta.value()?.parse::<LitBool>()?.value);
        } else if meta.path.is_ident("crate") {
            self.home = Some(meta.value()?.parse::<LitStr>()?.parse()?);
        } else {
            return Err(meta.error(
                "unknown option of `#[agent]`; it takes `name = \"ClassName\"`, `send_identity_on_connect = false` \
                 and `crate = \"path::to::hostel\"`",
            ));
        }
        Ok(())
    }
}

/// A class name is what JavaScript would accept as one, because clients derive URLs from it.
fn class_name(name: LitStr) -> syn::Result<LitStr> {
    let text = name.value();
    let fits = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if fits {
        return Ok(name);
    }
    let message = format!("`{text}` is no class name; use ASCII letters, digits and `_`, as in `CoderAgent`");
    Err(syn::Error::new(name.span(), message))
}

/// Options of a method.
#[derive(Default)]
pub(crate) struct CallableOptions {
    /// Wire name.
    pub(crate) name: Option<LitStr>,
    /// Whether it sends chunks.
    pub(crate) streaming: bool,
    /// Whether the call ends when its caller leaves.
    pub(crate) cancel_on_disconnect: bool,
}

impl CallableOptions {
    /// Reads a `#[callable]` or `#[callable(..)]` attribute.
    pub(crate) fn parse(attr: &syn::Attribute) -> syn::Result<Self> {
        let mut options = Self::default();
        if !matches!(attr.meta, syn::Meta::Path(_)) {
            attr.parse_nested_meta(|meta| options.set(&meta))?;
        }
        Ok(options)
    }

    fn set(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if meta.path.is_ident("name") {
            let name: LitStr = meta.value()?.parse()?;
            if name.value().is_empty() {
                return Err(syn::Error::new(name.span(), "a method needs a name, as in `name = \"setBranch\"`"));
            }
            self.name = Some(name);
        } else if meta.path.is_ident("streaming") {
            self.streaming = true;
        } else if meta.path.is_ident("cancel_on_disconnect") {
            self.cancel_on_disconnect = true;
        } else {
            return Err(meta.error(
                "unknown option of `#[callable]`; it takes `name = \"wireName\"`, `streaming` and \
                 `cancel_on_disconnect`",
            ));
        }
        Ok(())
    }
}
