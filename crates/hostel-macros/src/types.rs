//! Looking at types as far as tokens tell: what to parse into, what a `Result` holds, what a stream carries.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{GenericArgument, Path, PathArguments, ReturnType, Type, spanned::Spanned};

/// The last segment's name of a path type, looking through references and parentheses: `Cx` for `&hostel::Cx<Self>`.
pub(crate) fn last_name(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| &segment.ident),
        Type::Reference(reference) => last_name(&reference.elem),
        Type::Paren(inner) => last_name(&inner.elem),
        Type::Group(inner) => last_name(&inner.elem),
        _ => None,
    }
}

/// Whether a type is named so, by value or by reference.
pub(crate) fn is_named(ty: &Type, name: &str) -> bool {
    last_name(ty).is_some_and(|last| last == name)
}

/// The type to own in place of a parameter or a result: `&str` → `String`, `&[T]` → `Vec<T>`, `&T` → `T`.
pub(crate) fn owned(ty: &Type) -> TokenStream {
    let Type::Reference(reference) = ty else { return ty.to_token_stream() };
    match &*reference.elem {
        Type::Path(path) if path.path.is_ident("str") => quote_spanned!(ty.span()=> ::std::string::String),
        Type::Slice(slice) => {
            let item = &slice.elem;
            quote_spanned!(ty.span()=> ::std::vec::Vec<#item>)
        }
        other => other.to_token_stream(),
    }
}

/// Whether a type borrows anything, or hides behind `impl`: neither can be read from the wire.
pub(crate) fn has_borrow_or_impl(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Punct(punct) => punct.as_char() == '&' || punct.as_char() == '\'',
        TokenTree::Ident(ident) => ident == "impl",
        TokenTree::Group(group) => has_borrow_or_impl(group.stream()),
        TokenTree::Literal(_) => false,
    })
}

/// What a method gives its caller: the return type without its `Result`, owned. `None` is `()`.
pub(crate) fn success(output: &ReturnType) -> Option<&Type> {
    let ReturnType::Type(_, ty) = output else { return None };
    let ty = if is_named(ty, "Result") { first_argument(ty).unwrap_or(ty) } else { ty };
    let unit = matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty());
    (!unit).then_some(ty)
}

/// `T` of `Name<T, ..>`.
pub(crate) fn first_argument(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    })
}

/// The type a stub returns for a method's success type: owned, or any JSON when tokens do not say.
pub(crate) fn answer(success: Option<&Type>, home: &Path) -> TokenStream {
    let Some(ty) = success else { return quote!(()) };
    let owned = owned(ty);
    if is_named(ty, "Reply") || has_borrow_or_impl(owned.clone()) {
        return quote!(#home::__private::Value);
    }
    owned
}

/// Writes the class where its block says `Self`, for code that stands outside the block.
pub(crate) fn without_self(tokens: TokenStream, class: &TokenStream) -> TokenStream {
    let replace = |token| match token {
        TokenTree::Ident(ident) if ident == "Self" => {
            let mut group = Group::new(Delimiter::None, class.clone());
            group.set_span(ident.span());
            TokenTree::Group(group)
        }
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), without_self(group.stream(), class));
            inner.set_span(group.span());
            TokenTree::Group(inner)
        }
        other => other,
    };
    tokens.into_iter().map(replace).collect()
}
