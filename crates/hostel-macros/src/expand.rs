//! The pieces that callables and hooks share: calling the user's function, and wrapping the call as a handler.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Path, spanned::Spanned};

use crate::{
    function::{Context, Form, Function},
    types,
};

/// The call of the user's own function, as a `Returned`.
pub(crate) fn call(function: &Function, arguments: Vec<TokenStream>, home: &Path) -> TokenStream {
    let ident = &function.ident;
    let me = (function.form != Form::Task).then(|| quote!(__me));
    let cx = match (function.context, function.form) {
        (Context::None, _) => None,
        (Context::Borrowed, Form::Task) => Some(quote!(&__cx)),
        (Context::Owned, Form::Read | Form::Turn) => Some(quote!(__cx.clone())),
        _ => Some(quote!(__cx)),
    };
    let arguments = me.into_iter().chain(cx).chain(arguments);
    let home = at(home, function.output_span());
    let wait = (function.form == Form::Task).then(|| quote!(.await));
    quote_spanned!(function.output_span()=> #home::__private::Returned(Self::#ident(#(#arguments),*)#wait).outcome())
}

/// Reads the arguments of `name`. Without parameters nothing is parsed, so that extra arguments do no harm, as in
/// JavaScript.
pub(crate) fn parse(function: &Function, name: &str) -> Option<TokenStream> {
    let names = function.params.iter().map(|param| &param.ident);
    let reads = function.params.iter().map(|param| {
        let (ty, name) = (types::owned(&param.ty), &param.wire);
        quote_spanned!(param.ty.span()=> __args.next::<#ty>(#name)?)
    });
    (!function.params.is_empty()).then(|| {
        quote! {
            let (#(#names,)*) = {
                let mut __args = __args.reader(#name)?;
                (#(#reads,)*)
            };
        }
    })
}

/// The value of a call, for hooks and streaming methods.
pub(crate) fn value(function: &Function, call: &TokenStream) -> TokenStream {
    quote_spanned!(function.output_span()=> #call.map(|returned| returned.0))
}

/// A `Handler` that runs `body` with `me`, `cx` and what `input` binds.
pub(crate) fn handler(function: &Function, input: &TokenStream, body: &TokenStream, home: &Path) -> TokenStream {
    let cx = if function.context == Context::None { quote!(_) } else { quote!(__cx) };
    let span = function.ident.span();
    match function.form {
        Form::Read => quote!(#home::Handler::Read(|__me, #cx, #input| { #body })),
        Form::Turn => quote!(#home::Handler::Turn(|__me, #cx, #input| { #body })),
        Form::Task => quote_spanned!(span=>
            #home::Handler::Task(|#cx, #input| ::std::boxed::Box::pin(async move { #body }))
        ),
    }
}

/// A path whose errors are reported at `span`; an expression is as wide as its tokens.
fn at(path: &Path, span: Span) -> TokenStream {
    let locate = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    path.to_token_stream().into_iter().map(locate).collect()
}
