//! Reading one function of an agent's block: how it runs, whether it wants the context, which parameters follow.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::{
    Attribute, Error, FnArg, GenericParam, Generics, Ident, ImplItemFn, Pat, PatType, Receiver, ReceiverKind,
    ReturnType, Type, ext::IdentExt, spanned::Spanned,
};

use crate::{doc, naming, types};

/// How a function runs; named like the variants of `hostel::Handler`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `fn(&self, ..)`
    Read,
    /// `fn(&mut self, ..)`
    Turn,
    /// `async fn(cx, ..)`
    Task,
}

/// Whether a function takes the context.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    /// No.
    None,
    /// `cx: &Cx<Self>`
    Borrowed,
    /// `cx: Cx<Self>`
    Owned,
}

/// A parameter after `self` and the context.
pub(crate) struct Param {
    /// Its name in Rust.
    pub(crate) ident: Ident,
    /// Its name for clients.
    pub(crate) wire: String,
    /// The pattern that stands in place of a plain name.
    pub(crate) pattern: Option<Pat>,
    /// Its type as written.
    pub(crate) ty: Type,
}

impl Param {
    /// Whether it is taken by reference.
    pub(crate) fn by_ref(&self) -> bool {
        matches!(self.ty, Type::Reference(_))
    }

    /// What to hand over: the value, or a reference to it. Spanned so that a mismatch points at the parameter's type.
    pub(crate) fn pass(&self, value: &Ident) -> TokenStream {
        let mut value = value.clone();
        value.set_span(value.span().located_at(self.ty.span()));
        if self.by_ref() {
            quote::quote_spanned!(self.ty.span()=> &#value)
        } else {
            quote::quote_spanned!(self.ty.span()=> #value)
        }
    }
}

/// In which role a function is read, for the errors.
pub(crate) struct Role {
    /// E.g. "a callable method".
    pub(crate) what: String,
    /// How such a function may be written, if that helps.
    pub(crate) usage: String,
}

impl Role {
    /// An error at `place`, with the usage.
    pub(crate) fn error(&self, place: impl ToTokens, message: &str) -> Error {
        let gap = if self.usage.is_empty() { "" } else { "\n\n" };
        Error::new_spanned(place, format!("{message}{gap}{}", self.usage))
    }
}

/// A callable or a hook.
pub(crate) struct Function {
    /// Its name.
    pub(crate) ident: Ident,
    /// Its doc comment.
    pub(crate) doc: String,
    /// Its `#[cfg(..)]` attributes, which what we write about it must share.
    pub(crate) cfgs: Vec<Attribute>,
    /// How it runs.
    pub(crate) form: Form,
    /// Whether it takes the context.
    pub(crate) context: Context,
    /// The parameters after `self` and the context.
    pub(crate) params: Vec<Param>,
    /// What it returns.
    pub(crate) output: ReturnType,
    /// Its own lifetimes, if it names any.
    pub(crate) generics: Generics,
}

impl Function {
    /// Reads a function.
    pub(crate) fn read(function: &ImplItemFn, role: &Role) -> syn::Result<Self> {
        let sig = &function.sig;
        refuse_generics(function, role)?;
        let form = form(function, role)?;
        let mut rest = sig.inputs.iter().filter_map(typed).peekable();
        let context = rest.peek().map_or(Context::None, |first| context(&first.ty));
        if context != Context::None {
            rest.next();
        } else if form == Form::Task {
            let message = format!("{} that is async takes `cx: &Cx<Self>` first", role.what);
            return Err(match rest.peek() {
                Some(first) => role.error(first, &message),
                None => role.error(&sig.ident, &message),
            });
        }
        Ok(Self {
            ident: sig.ident.clone(),
            doc: doc::text(&function.attrs),
            cfgs: function.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect(),
            form,
            context,
            params: rest.map(param).collect::<syn::Result<_>>()?,
            output: sig.output.clone(),
            generics: sig.generics.clone(),
        })
    }

    /// Whether it can change nothing: neither the state nor, by the context, anything else.
    pub(crate) fn only_looks(&self) -> bool {
        self.form == Form::Read && self.context == Context::None
    }

    /// Where a complaint about the result belongs.
    pub(crate) fn output_span(&self) -> Span {
        match &self.output {
            ReturnType::Default => self.ident.span(),
            ReturnType::Type(_, ty) => ty.span(),
        }
    }
}

/// Whether a function belongs to an instance: it takes `self`, or the context first.
pub(crate) fn is_method(function: &ImplItemFn) -> bool {
    function.sig.inputs.first().is_some_and(|first| match first {
        FnArg::Receiver(_) => true,
        FnArg::Typed(typed) => context(&typed.ty) != Context::None,
    })
}

fn refuse_generics(function: &ImplItemFn, role: &Role) -> syn::Result<()> {
    let in_brackets = function.sig.generics.params.iter().find(|param| !matches!(param, GenericParam::Lifetime(_)));
    let in_arguments = function.sig.inputs.iter().filter_map(typed).find(|arg| matches!(*arg.ty, Type::ImplTrait(_)));
    let message = format!("{} cannot be generic: nobody on the wire could choose the type; name a type", role.what);
    match (in_brackets, in_arguments) {
        (Some(param), _) => Err(role.error(param, &message)),
        (None, Some(argument)) => Err(role.error(&argument.ty, &message)),
        (None, None) => Ok(()),
    }
}

fn form(function: &ImplItemFn, role: &Role) -> syn::Result<Form> {
    let sig = &function.sig;
    let Some(receiver) = sig.receiver() else {
        return match sig.asyncness {
            Some(_) => Ok(Form::Task),
            None => Err(role.error(
                &sig.ident,
                &format!("{} takes `&self` or `&mut self`, or is `async` and takes `cx: &Cx<Self>`", role.what),
            )),
        };
    };
    if sig.asyncness.is_some() {
        return Err(role.error(
            receiver,
            "an async method takes `cx: &Cx<Self>` instead of `self`: the state may change while it waits; \
             look at it with `cx.read(|me| ..)` and change it with `cx.update(|me| ..)`",
        ));
    }
    turn_form(receiver, role)
}

fn turn_form(receiver: &Receiver, role: &Role) -> syn::Result<Form> {
    match &receiver.kind {
        ReceiverKind::Reference(_, _, None) => Ok(Form::Read),
        ReceiverKind::Reference(_, _, Some(_)) => Ok(Form::Turn),
        _ => Err(role.error(
            receiver,
            &format!("{} takes `&self` to look at the state, or `&mut self` to change it", role.what),
        )),
    }
}

fn typed(argument: &FnArg) -> Option<&PatType> {
    match argument {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    }
}

fn context(ty: &Type) -> Context {
    match (types::is_named(ty, "Cx"), ty) {
        (false, _) => Context::None,
        (true, Type::Reference(_)) => Context::Borrowed,
        (true, _) => Context::Owned,
    }
}

fn param(argument: &PatType) -> syn::Result<Param> {
    if context(&argument.ty) != Context::None {
        return Err(Error::new_spanned(argument, "the context comes first, right after `self`"));
    }
    if let Type::Reference(reference) = &*argument.ty
        && reference.mutability.is_some()
    {
        return Err(Error::new_spanned(&argument.ty, "a parameter is handed over by value or by `&`; drop the `mut`"));
    }
    let ty = (*argument.ty).clone();
    Ok(match &*argument.pat {
        Pat::Ident(name) if name.subpat.is_none() && name.by_ref.is_none() => {
            Param { wire: wire_name(&name.ident), ident: name.ident.clone(), pattern: None, ty }
        }
        pattern => {
            Param { ident: Ident::new("_", pattern.span()), wire: String::new(), pattern: Some(pattern.clone()), ty }
        }
    })
}

fn wire_name(ident: &Ident) -> String {
    let text = ident.unraw().to_string();
    match text.trim_start_matches('_') {
        "" => text,
        name => naming::camel(name),
    }
}
