//! The stub: what other agents and the application hold to call this class, one method a callable.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, Path, Type, spanned::Spanned};

use crate::{function::Param, method::Method, types};

/// The name of a class's stub.
pub(crate) fn name(class: &Ident) -> Ident {
    format_ident!("{}Stub", class, span = class.span())
}

/// The stub's type with its methods. What it has of the untyped stub (`id`, `call`, `fetch`) comes by `Deref`, so that
/// a callable of the same name wins.
pub(crate) fn expand(class: &Ident, class_path: &TokenStream, methods: &[Method], home: &Path) -> TokenStream {
    let stub = name(class);
    let doc = format!("Calls to an agent of the class [`{class}`]: values that do nothing until awaited.");
    // A stream needs a connection to flow to; between agents there is none.
    let methods = methods
        .iter()
        .filter(|method| !method.is_streaming())
        .map(|method| types::without_self(expand_method(method, home), class_path));
    quote! {
        #[doc = #doc]
        #[derive(Clone, Debug)]
        #[allow(dead_code, unreachable_pub, reason = "callers elsewhere decide what is used")]
        pub struct #stub(#home::Stub);

        #[allow(dead_code, private_interfaces, unreachable_pub, clippy::extra_unused_lifetimes, clippy::needless_lifetimes, clippy::too_many_arguments,
            reason = "the class's own signatures, repeated")]
        impl #stub {
            #(#methods)*
        }

        impl ::core::ops::Deref for #stub {
            type Target = #home::Stub;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }

        impl ::core::convert::From<#home::Stub> for #stub {
            fn from(stub: #home::Stub) -> Self {
                Self(stub)
            }
        }
    }
}

fn expand_method(method: &Method, home: &Path) -> TokenStream {
    let function = &method.function;
    let (ident, cfgs, wire) = (&function.ident, &function.cfgs, &method.wire);
    let doc = if function.doc.is_empty() { format!("Calls `{wire}`.") } else { function.doc.clone() };
    let params = function.params.iter().map(|Param { ident, ty, .. }| quote!(#ident: #ty));
    let names: Vec<&Ident> = function.params.iter().map(|param| &param.ident).collect();
    let args = if names.is_empty() { quote!([(); 0]) } else { quote!((#(#names,)*)) };
    let answer = types::answer(types::success(&function.output), home);
    let bounds = bounds(&function.params, home);
    let lifetimes = &function.generics;
    quote! {
        #(#cfgs)*
        #[doc = #doc]
        pub fn #ident #lifetimes (&self, #(#params),*) -> #home::Call<#answer> #bounds {
            self.0.call(#wire, &#args)
        }
    }
}

/// `Serialize` for the arguments, asked of whoever calls and not of the class: a type that only clients send needs none.
/// (A bound without a lifetime would be checked here; `for<'a>` postpones it.)
pub(crate) fn bounds(params: &[Param], home: &Path) -> Option<TokenStream> {
    let own: Vec<TokenStream> = params
        .iter()
        .filter(|param| !is_known(&param.ty))
        .map(|param| {
            let ty = types::owned(&param.ty);
            quote_spanned!(param.ty.span()=> for<'call> #ty: #home::__private::Serialize)
        })
        .collect();
    (!own.is_empty()).then(|| quote!(where #(#own),*))
}

fn is_known(ty: &Type) -> bool {
    const KNOWN: [&str; 17] = [
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "isize", "str", "u8", "u16", "u32", "u64", "usize",
        "String", "Value",
    ];
    types::last_name(ty).is_some_and(|name| KNOWN.iter().any(|known| name == known))
}
