//! Every error of an item, so that one compilation tells them all.

use proc_macro2::TokenStream;
use syn::Error;

#[derive(Default)]
pub(crate) struct Faults(Option<Error>);

impl Faults {
    /// The value, or nothing but a note of the error.
    pub(crate) fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        match result {
            Ok(value) => return Some(value),
            Err(error) => match &mut self.0 {
                Some(first) => first.combine(error),
                None => self.0 = Some(error),
            },
        }
        None
    }

    pub(crate) fn into_result(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }

    pub(crate) fn into_compile_error(self) -> Option<TokenStream> {
        self.0.map(|error| error.to_compile_error())
    }
}
