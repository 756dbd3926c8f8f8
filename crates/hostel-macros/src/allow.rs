//! `allow = ".."`: the rules of who may, read while compiling, so that a slip is an error and no open door.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, LitStr, Path};

/// The rules that a text has, with `|` between them.
#[derive(Clone)]
pub(crate) struct Rules(Vec<Rule>);

#[derive(Clone)]
enum Rule {
    /// The variant of the same name.
    Plain(&'static str),
    /// A variant with a name in it.
    Named(&'static str, String),
}

const PLAIN: [(&str, &str); 5] =
    [("public", "Public"), ("user", "User"), ("owner", "Owner"), ("operator", "Operator"), ("internal", "Internal")];

impl Rules {
    /// Reads the text.
    pub(crate) fn read(text: &LitStr) -> syn::Result<Self> {
        text.value().split('|').map(|part| read(part.trim(), text)).collect::<syn::Result<_>>().map(Self)
    }

    /// A `&'static [Rule]`.
    pub(crate) fn write(&self, home: &Path) -> TokenStream {
        let rules = self.0.iter().map(|rule| match rule {
            Rule::Plain(variant) => {
                let variant = ident(variant);
                quote!(#home::allow::Rule::#variant)
            }
            Rule::Named(variant, name) => {
                let variant = ident(variant);
                quote!(#home::allow::Rule::#variant(::std::borrow::Cow::Borrowed(#name)))
            }
        });
        quote!({
            const RULES: &'static [#home::allow::Rule] = &[#(#rules),*];
            RULES
        })
    }
}

fn ident(name: &str) -> proc_macro2::Ident {
    proc_macro2::Ident::new(name, proc_macro2::Span::call_site())
}

fn read(part: &str, text: &LitStr) -> syn::Result<Rule> {
    if let Some((_, variant)) = PLAIN.iter().find(|(name, _)| *name == part) {
        return Ok(Rule::Plain(variant));
    }
    match part.split_once(':').map(|(kind, name)| (kind, name.trim())) {
        Some(("role", name)) if !name.is_empty() => Ok(Rule::Named("Role", name.to_owned())),
        Some(("subject", name)) if !name.is_empty() => Ok(Rule::Named("Subject", name.to_owned())),
        _ => Err(Error::new(
            text.span(),
            format!(
                "`{part}` is no rule; there are `public`, `user`, `owner`, `role:NAME`, `subject:NAME`, `operator` and \
                 `internal`, with `|` between them, as in `allow = \"role:editor | owner\"`"
            ),
        )),
    }
}
