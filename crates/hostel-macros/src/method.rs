//! One callable: from its function to its entry in the methods table.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Error, ImplItemFn, LitStr, Path, ext::IdentExt, spanned::Spanned};

use crate::{
    allow::Rules,
    expand,
    function::{Form, Function, Param, Role},
    naming,
    options::CallableOptions,
    types,
};

/// A method open to clients and other agents.
pub(crate) struct Method {
    /// Its signature.
    pub(crate) function: Function,
    /// Its name on the wire.
    pub(crate) wire: String,
    /// Where that name was written.
    pub(crate) name_span: Span,
    /// The parameter that takes the stream, when it sends chunks.
    stream: Option<Param>,
    cancel_on_disconnect: bool,
    allow: Option<Rules>,
    prompt: bool,
    /// Its URI and what its text is.
    resource: Option<(LitStr, Option<LitStr>)>,
}

impl Method {
    /// Reads a function marked `#[callable]`.
    pub(crate) fn read(function: &ImplItemFn, options: &CallableOptions) -> syn::Result<Self> {
        let mut function = Function::read(function, &Role { what: "a callable method".into(), usage: String::new() })?;
        let stream = take_stream(&mut function, options.streaming)?;
        function.params.iter().try_for_each(check_argument)?;
        let wire = options.name.as_ref().map_or_else(|| wire_name(&function.ident), syn::LitStr::value);
        let name_span = options.name.as_ref().map_or_else(|| function.ident.span(), Spanned::span);
        refuse_taken(&wire, name_span)?;
        Ok(Self {
            wire,
            name_span,
            stream,
            cancel_on_disconnect: options.cancel_on_disconnect,
            allow: options.allow.clone(),
            prompt: options.prompt,
            resource: resource(options, &function)?,
            function,
        })
    }

    /// Whether it sends chunks.
    pub(crate) fn is_streaming(&self) -> bool {
        self.stream.is_some()
    }

    /// The entry in `Agent::METHODS`.
    pub(crate) fn entry(&self, home: &Path) -> TokenStream {
        let Self { function, wire, cancel_on_disconnect, .. } = self;
        let Function { doc, cfgs, .. } = function;
        let (kind, signature) = (self.kind(home), self.signature(home));
        let allow = self.allow.as_ref().map_or_else(|| quote!(&[]), |rules| rules.write(home));
        let offer = self.offer(home);
        quote! {
            #(#cfgs)*
            #home::Method {
                name: #wire,
                doc: #doc,
                kind: #kind,
                cancel_on_disconnect: #cancel_on_disconnect,
                allow: #allow,
                offer: #offer,
                signature: |book| #signature,
            }
        }
    }

    fn offer(&self, home: &Path) -> TokenStream {
        match &self.resource {
            Some((uri, mime)) => {
                let mime = mime.as_ref().map_or_else(|| quote!(None), |mime| quote!(Some(#mime)));
                quote!(#home::Offer::Resource { uri: #uri, mime: #mime })
            }
            None if self.prompt => quote!(#home::Offer::Prompt),
            None => quote!(#home::Offer::Tool),
        }
    }

    fn kind(&self, home: &Path) -> TokenStream {
        let Self { function, stream, .. } = self;
        let parse = expand::parse(function, &self.wire);
        let mut arguments: Vec<TokenStream> = function.params.iter().map(|param| param.pass(&param.ident)).collect();
        let args = if function.params.is_empty() { quote!(_) } else { quote!(__args) };
        let Some(stream) = stream else {
            let call = expand::call(function, arguments, home);
            let reply = quote_spanned!(function.output_span()=> #call?.into_reply());
            let handler = expand::handler(function, &args, &quote!(#parse #reply), home);
            return quote!(#home::MethodKind::Plain(#handler));
        };
        let ty = types::owned(&stream.ty);
        arguments.insert(0, stream.pass(&Ident::new("__stream", Span::call_site())));
        let value = expand::value(function, &expand::call(function, arguments, home));
        let body = quote!(#parse let __stream = <#ty>::from(__stream); #value);
        let handler = expand::handler(function, &quote!((__stream, #args)), &body, home);
        quote!(#home::MethodKind::Streaming(#handler))
    }

    fn signature(&self, home: &Path) -> TokenStream {
        let params = self.function.params.iter().map(|param| {
            let (ty, name) = (types::owned(&param.ty), &param.wire);
            quote!(.param(#name, #home::__private::TypeProbe::<#ty>::new().ts_input(book)))
        });
        let answer = types::answer(types::success(&self.function.output), home);
        let chunks = self.stream.as_ref().and_then(|stream| types::first_argument(stream_type(&stream.ty)));
        let chunks = chunks.map(|ty| quote!(.chunks(#home::__private::TypeProbe::<#ty>::new().ts(book))));
        let only_looks = self.function.only_looks().then(|| quote!(.only_looks()));
        quote! {
            #home::__private::Signature::new()
                #(#params)*
                #chunks
                #only_looks
                .returns(#home::__private::TypeProbe::<#answer>::new().ts(book))
        }
    }
}

/// The resource that a method is: what stands in braces in its URI are its parameters, all of them and no others.
fn resource(options: &CallableOptions, function: &Function) -> syn::Result<Option<(LitStr, Option<LitStr>)>> {
    let Some(uri) = &options.resource else { return Ok(None) };
    let text = uri.value();
    let named: Vec<&str> = text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect();
    for name in &named {
        if !function.params.iter().any(|param| param.wire == **name) {
            let message = format!("the URI has a parameter `{{{name}}}`, and the method has none of that name");
            return Err(Error::new(uri.span(), message));
        }
    }
    match function.params.iter().find(|param| !named.contains(&param.wire.as_str())) {
        Some(param) => {
            let message = format!("a resource has its parameters from its URI; write `{{{}}}` there", param.wire);
            Err(Error::new(uri.span(), message))
        }
        None => Ok(Some((uri.clone(), options.mime.clone()))),
    }
}

/// The entry of a method that exists but is not open to clients.
pub(crate) fn closed(function: &ImplItemFn, home: &Path) -> TokenStream {
    let name = wire_name(&function.sig.ident);
    let cfgs = function.attrs.iter().filter(|attr| attr.path().is_ident("cfg"));
    quote!(#(#cfgs)* #home::Method::closed(#name))
}

/// The name on the wire of a function that chose no other.
pub(crate) fn wire_name(ident: &Ident) -> String {
    naming::camel(&ident.unraw().to_string())
}

/// Refuses names that the clients keep for themselves: `agent.stub.then` would make a promise of the stub.
fn refuse_taken(wire: &str, span: Span) -> syn::Result<()> {
    const TAKEN: [&str; 7] = ["state", "then", "catch", "finally", "constructor", "toJSON", "toString"];
    if !TAKEN.contains(&wire) {
        return Ok(());
    }
    let message = format!(
        "JavaScript clients cannot call a method named `{wire}`: the name is taken there; choose another, or another \
         wire name with `#[callable(name = \"..\")]`"
    );
    Err(Error::new(span, message))
}

fn take_stream(function: &mut Function, streaming: bool) -> syn::Result<Option<Param>> {
    let first_is_stream = function.params.first().is_some_and(|first| types::is_named(&first.ty, "Stream"));
    if !streaming {
        return match function.params.iter().find(|param| types::is_named(&param.ty, "Stream")) {
            None => Ok(None),
            Some(stream) => Err(Error::new_spanned(
                &stream.ty,
                "only a streaming method gets a stream; say so: `#[callable(streaming)]`",
            )),
        };
    }
    if function.form != Form::Task {
        return Err(Error::new(
            function.ident.span(),
            "a streaming method is async: `async fn(cx: &Cx<Self>, stream: Stream<Chunk>, ..)`; \
             a turn has one answer and cannot wait",
        ));
    }
    if !first_is_stream {
        return Err(Error::new(
            function.ident.span(),
            "a streaming method takes its stream after the context: \
             `async fn(cx: &Cx<Self>, stream: Stream<Chunk>, ..)`, where `Chunk` is what it sends",
        ));
    }
    if let Some(ty) = types::success(&function.output) {
        return Err(Error::new_spanned(
            ty,
            "a streaming method returns `()` or `Result<()>`; give a final value to `stream.end_with(..)`",
        ));
    }
    Ok(Some(function.params.remove(0)))
}

fn stream_type(ty: &syn::Type) -> &syn::Type {
    match ty {
        syn::Type::Reference(reference) => &reference.elem,
        other => other,
    }
}

pub(crate) fn check_argument(param: &Param) -> syn::Result<()> {
    if let Some(pattern) = &param.pattern {
        return Err(Error::new_spanned(
            pattern,
            "a parameter needs a plain name, which clients read in errors and types; take the value apart in the body",
        ));
    }
    if types::has_borrow_or_impl(types::owned(&param.ty)) {
        return Err(Error::new_spanned(
            &param.ty,
            "an argument is read from JSON and owned by the call: `String`, `Option<String>`, `Vec<T>`, or a plain \
             reference to one of them",
        ));
    }
    Ok(())
}
