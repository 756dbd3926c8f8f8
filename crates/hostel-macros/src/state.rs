//! `#[derive(State)]`: which fields of the state clients may not see, or not write.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Error, Field, Fields, LitStr, Path, meta::ParseNestedMeta, parse_quote};

use crate::{faults::Faults, naming, serde_names};

const USAGE: &str = "`private` (stored, never sent to clients) or `server` (clients see it, only the server writes it)";

/// The declared fields of a struct, as `DeclaredFields`.
pub(crate) fn expand(item: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let mut faults = Faults::default();
    let home = faults.keep(home(&input.attrs)).flatten().unwrap_or_else(|| parse_quote!(::hostel));
    let declared = faults.keep(declared(&input, &home)).unwrap_or_default();
    let errors = faults.into_compile_error();
    let (name, (generics, arguments, bounds)) = (&input.ident, input.generics.split_for_impl());
    let count = declared.len();
    // Whoever writes `impl Agent` by hand has to pass them on.
    let heeded = (count > 0 && input.generics.params.is_empty()).then(|| {
        quote! {
            const _: () = assert!(
                <#name as #home::__private::OwnStruct>::KNOWN >= #count,
                "`#[state(..)]` has no effect: add `const FIELDS` with these fields to the hand-written `impl Agent`"
            );
        }
    });
    quote! {
        #errors
        #[automatically_derived]
        impl #generics #home::__private::DeclaredFields for #name #arguments #bounds {
            const DECLARED: &'static [#home::StateField] = &[#(#declared),*];
        }
        #heeded
    }
}

/// `#[state(crate = "..")]` on the type.
fn home(attrs: &[Attribute]) -> syn::Result<Option<Path>> {
    let mut home = None;
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("state")) {
        attr.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                let message = "on the type itself `#[state(..)]` takes `crate = \"path::to::hostel\"` alone; write \
                               `private` or `server` above a field";
                return Err(meta.error(message));
            }
            home = Some(meta.value()?.parse::<LitStr>()?.parse()?);
            Ok(())
        })?;
    }
    Ok(home)
}

fn declared(input: &DeriveInput, home: &Path) -> syn::Result<Vec<TokenStream>> {
    let mut faults = Faults::default();
    let declared = match &input.data {
        Data::Struct(data) => {
            let marked: Vec<(&Field, Access)> =
                data.fields.iter().filter_map(|field| Some((field, faults.keep(Access::of(field))??))).collect();
            faults.keep(refuse_unnamed(&data.fields, &marked));
            match marked.is_empty() || matches!(data.fields, Fields::Unnamed(_)) {
                true => Vec::new(),
                false => faults.keep(rows(input, &marked, home)).unwrap_or_default(),
            }
        }
        Data::Enum(data) => {
            let fields = data.variants.iter().flat_map(|variant| &variant.fields);
            let marked = fields.flat_map(|field| &field.attrs).find(|attr| attr.path().is_ident("state"));
            return Err(match marked {
                Some(mark) => Error::new_spanned(mark, ENUM),
                None => Error::new_spanned(&input.ident, ENUM),
            });
        }
        Data::Union(_) => return Err(Error::new_spanned(&input.ident, ENUM)),
    };
    faults.into_result().map(|()| declared)
}

const ENUM: &str = "the fields of a struct can be declared, not those of an enum: which ones there are changes with the \
                    value. Make the state a struct that holds the enum: `struct Room { phase: Phase, .. }`";

fn refuse_unnamed(fields: &Fields, marked: &[(&Field, Access)]) -> syn::Result<()> {
    match (fields, marked) {
        (Fields::Unnamed(_), [(field, _), ..]) => {
            let message =
                "this field has no name in JSON, so clients see the whole value; give the struct named fields";
            Err(Error::new_spanned(field, message))
        }
        _ => Ok(()),
    }
}

fn rows(input: &DeriveInput, marked: &[(&Field, Access)], home: &Path) -> syn::Result<Vec<TokenStream>> {
    let container = serde_names::Container::read(&input.attrs)?;
    let mut faults = Faults::default();
    let rows = marked.iter().filter_map(|(field, access)| faults.keep(row(&container, field, *access, home)));
    let rows = rows.collect();
    faults.into_result().map(|()| rows)
}

fn row(container: &serde_names::Container, field: &Field, access: Access, home: &Path) -> syn::Result<TokenStream> {
    let names = container.names_of(field)?;
    let constructor = access.constructor();
    let (name, aliases) = (names.name, names.aliases);
    let aliases = (!aliases.is_empty()).then(|| quote!(.aliases(&[#(#aliases),*])));
    Ok(quote!(#home::StateField::#constructor(#name)#aliases))
}

#[derive(Clone, Copy, PartialEq)]
enum Access {
    Private,
    Server,
}

impl Access {
    /// What the attributes of a field say, if anything.
    fn of(field: &Field) -> syn::Result<Option<Self>> {
        let mut access = None;
        for attr in field.attrs.iter().filter(|attr| attr.path().is_ident("state")) {
            if !matches!(attr.meta, syn::Meta::List(_)) {
                return Err(Error::new_spanned(attr, format!("say what clients may do: {USAGE}")));
            }
            let mut said = false;
            attr.parse_nested_meta(|meta| {
                said = true;
                access = Some(Self::read(&meta, access)?);
                Ok(())
            })?;
            if !said {
                return Err(Error::new_spanned(attr, format!("say what clients may do: {USAGE}")));
            }
        }
        Ok(access)
    }

    fn read(meta: &ParseNestedMeta<'_>, before: Option<Self>) -> syn::Result<Self> {
        let word = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        let access = match word.as_str() {
            "private" => Self::Private,
            "server" => Self::Server,
            _ => return Err(meta.error(unknown(&word))),
        };
        match before {
            None => Ok(access),
            Some(same) if same == access => Err(meta.error(format!("one `{word}` is enough"))),
            Some(_) => Err(meta.error(
                "a field is `private` or `server`, not both: clients do not see a private field, so they cannot write it \
                 either; `private` is enough",
            )),
        }
    }

    fn constructor(self) -> TokenStream {
        match self {
            Self::Private => quote!(private),
            Self::Server => quote!(server),
        }
    }
}

fn unknown(word: &str) -> String {
    if matches!(word, "client" | "public") {
        return format!("`{word}` is what every field is that says nothing: remove the attribute");
    }
    let hint = match naming::nearest(word, ["private", "server"].into_iter()) {
        Some((nearest, 1..=3)) => format!("; did you mean `{nearest}`?"),
        _ => String::new(),
    };
    format!("a field of the state is {USAGE}{hint}")
}
