//! The options of `#[agent(..)]` and `#[callable(..)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Ident, LitBool, LitStr, Path, meta::ParseNestedMeta, parse::Parser, spanned::Spanned};

use crate::allow::Rules;

/// Options of a class.
#[derive(Default)]
pub(crate) struct AgentOptions {
    /// Class name.
    pub(crate) name: Option<LitStr>,
    /// Whether a connection is told whom it reached.
    pub(crate) send_identity_on_connect: Option<bool>,
    /// Who may reach its agents.
    pub(crate) allow: Option<Rules>,
    /// Which clients may write the state.
    pub(crate) state_write: Option<Rules>,
    /// What a library adds to it.
    pub(crate) extend: Option<Path>,
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

    /// The constant `OPTIONS`, where something is not as it is by default.
    pub(crate) fn write(&self, home: &Path) -> Option<TokenStream> {
        let identity = self.send_identity_on_connect.map(|on| quote!(.send_identity_on_connect(#on)));
        let rules = |rules: &Option<Rules>| rules.as_ref().map(|rules| rules.write(home));
        let allow = rules(&self.allow).map(|rules| quote!(.allow(#rules)));
        let state_write = rules(&self.state_write).map(|rules| quote!(.state_write(#rules)));
        let set: Vec<_> = [identity, allow, state_write].into_iter().flatten().collect();
        (!set.is_empty()).then(|| quote!(const OPTIONS: #home::ClassOptions = #home::ClassOptions::DEFAULT #(#set)*;))
    }

    /// The constant `EXTENSION`, where there is one.
    pub(crate) fn write_extension(&self, home: &Path) -> Option<TokenStream> {
        let extend = self.extend.as_ref()?;
        let constant = quote_spanned!(extend.span()=> <#extend as #home::Extends<Self>>::EXTENSION);
        Some(quote!(const EXTENSION: &'static #home::Extension<Self> = &#constant;))
    }

    fn set(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if meta.path.is_ident("name") {
            self.name = Some(class_name(meta.value()?.parse()?)?);
        } else if meta.path.is_ident("send_identity_on_connect") {
            self.send_identity_on_connect = Some(meta.value()?.parse::<LitBool>()?.value);
        } else if meta.path.is_ident("allow") {
            self.allow = Some(Rules::read(&meta.value()?.parse()?)?);
        } else if meta.path.is_ident("state_write") {
            self.state_write = Some(Rules::read(&meta.value()?.parse()?)?);
        } else if meta.path.is_ident("extend") {
            self.extend = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("crate") {
            self.home = Some(meta.value()?.parse::<LitStr>()?.parse()?);
        } else {
            return Err(meta.error(
                "unknown option of `#[agent]`; it takes `name = \"ClassName\"`, `send_identity_on_connect = false`, \
                 `allow = \"user\"`, `state_write = \"owner\"`, `extend = path::to::Extension` and `crate = \"path::to::hostel\"`",
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
    /// Who may call it.
    pub(crate) allow: Option<Rules>,
    /// Whether it is a prompt.
    pub(crate) prompt: bool,
    /// The URI of the resource that it is.
    pub(crate) resource: Option<LitStr>,
    /// What the text of that resource is.
    pub(crate) mime: Option<LitStr>,
}

impl CallableOptions {
    /// Reads a `#[callable]` or `#[callable(..)]` attribute.
    pub(crate) fn parse(attr: &syn::Attribute) -> syn::Result<Self> {
        let mut options = Self::default();
        if !matches!(attr.meta, syn::Meta::Path(_)) {
            attr.parse_nested_meta(|meta| options.set(&meta))?;
        }
        options.check(attr)?;
        Ok(options)
    }

    fn check(&self, attr: &syn::Attribute) -> syn::Result<()> {
        let fault = match self {
            Self { prompt: true, resource: Some(_), .. } => "a method is a `prompt` or a `resource`, not both",
            Self { mime: Some(_), resource: None, .. } => "`mime` says what a `resource` is; there is none here",
            Self { streaming: true, prompt: true, .. } | Self { streaming: true, resource: Some(_), .. } => {
                "a prompt or a resource has one answer; leave `streaming` out"
            }
            _ => return Ok(()),
        };
        Err(syn::Error::new_spanned(attr, fault))
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
        } else if meta.path.is_ident("allow") {
            self.allow = Some(Rules::read(&meta.value()?.parse()?)?);
        } else if meta.path.is_ident("prompt") {
            self.prompt = true;
        } else if meta.path.is_ident("resource") {
            self.resource = Some(resource(meta.value()?.parse()?)?);
        } else if meta.path.is_ident("mime") {
            self.mime = Some(meta.value()?.parse()?);
        } else {
            return Err(meta.error(
                "unknown option of `#[callable]`; it takes `name = \"wireName\"`, `streaming`, \
                 `cancel_on_disconnect`, `allow = \"role:editor\"`, and for MCP `prompt`, or `resource = \"notes://{id}\"` \
                 and `mime = \"text/plain\"`",
            ));
        }
        Ok(())
    }
}

/// A URI has a scheme; parameters stand in braces.
fn resource(uri: LitStr) -> syn::Result<LitStr> {
    let text = uri.value();
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let has_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if has_scheme {
        return Ok(uri);
    }
    let message = format!("`{text}` is no URI; write a scheme first, as in `notes://all` or `notes://{{id}}`");
    Err(syn::Error::new(uri.span(), message))
}

/// Options of a task.
#[derive(Default)]
pub(crate) struct TaskOptions {
    /// Its class has it run again and again.
    pub(crate) every: Option<Period>,
    /// Its class has it run by a cron expression.
    pub(crate) cron: Option<LitStr>,
    /// The time zone of that.
    pub(crate) zone: Option<LitStr>,
    /// The variant of `Missed`.
    pub(crate) missed: Option<Ident>,
    /// How long a run may take.
    pub(crate) timeout: Option<Period>,
}

/// A stretch of time, as in `"90s"`.
#[derive(Clone, Copy)]
pub(crate) struct Period {
    /// Its length.
    pub(crate) millis: u64,
}

impl TaskOptions {
    /// Reads a `#[task]` or `#[task(..)]` attribute.
    pub(crate) fn parse(attr: &syn::Attribute) -> syn::Result<Self> {
        let mut options = Self::default();
        if !matches!(attr.meta, syn::Meta::Path(_)) {
            attr.parse_nested_meta(|meta| options.set(&meta))?;
        }
        options.check(attr)?;
        Ok(options)
    }

    /// Whether the class has it run without anybody asking.
    pub(crate) fn is_declared(&self) -> bool {
        self.every.is_some() || self.cron.is_some()
    }

    fn set(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if meta.path.is_ident("every") {
            self.every = Some(Period::read(&meta.value()?.parse()?)?);
        } else if meta.path.is_ident("cron") {
            self.cron = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("zone") {
            self.zone = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("missed") {
            self.missed = Some(missed(&meta.value()?.parse()?)?);
        } else if meta.path.is_ident("timeout") {
            self.timeout = Some(Period::read(&meta.value()?.parse()?)?);
        } else {
            return Err(meta.error(
                "unknown option of `#[task]`; it takes `every = \"5m\"`, or `cron = \"0 9 * * *\"` and \
                 `zone = \"Europe/Berlin\"`, and `missed = \"skip\"` and `timeout = \"10m\"`",
            ));
        }
        Ok(())
    }

    fn check(&self, attr: &syn::Attribute) -> syn::Result<()> {
        let fault = match self {
            Self { every: Some(_), cron: Some(_), .. } => "a task runs `every` so often or by `cron`, not both",
            Self { zone: Some(_), cron: None, .. } => "`zone` is the time zone of `cron`; there is none here",
            Self { missed: Some(_), every: None, cron: None, .. } => {
                "`missed` goes with `every` or `cron`; for a single run say it where that is ordered: `.missed(..)`"
            }
            _ => return Ok(()),
        };
        Err(syn::Error::new_spanned(attr, fault))
    }
}

impl Period {
    fn read(text: &LitStr) -> syn::Result<Self> {
        let value = text.value();
        let digits = value.len() - value.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let unit = match value[digits..].trim() {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => 0_u64,
        };
        let millis = value[..digits].parse::<u64>().ok().and_then(|count| count.checked_mul(unit));
        match millis {
            Some(millis @ 1..) => Ok(Self { millis }),
            _ => Err(syn::Error::new(text.span(), "a stretch of time is a number and ms, s, m, h or d, as in \"90s\"")),
        }
    }
}

fn missed(text: &LitStr) -> syn::Result<Ident> {
    let variant = match text.value().as_str() {
        "skip" => "Skip",
        "once" => "Once",
        "all" => "All",
        _ => return Err(syn::Error::new(text.span(), "missed runs are \"skip\", \"once\" or \"all\"")),
    };
    Ok(Ident::new(variant, text.span()))
}
