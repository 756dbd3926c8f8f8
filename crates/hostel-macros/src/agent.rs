//! The road of an `#[agent]` block: options, functions, errors collected along the way, and what is written at the end.

use std::collections::HashMap;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{Attribute, Error, Ident, ImplItem, ImplItemFn, Item, ItemImpl, Path, Type, parse_quote};

use crate::{
    doc,
    faults::Faults,
    function,
    hook::{self, Hook},
    method::{self, Method},
    options::{AgentOptions, CallableOptions, TaskOptions},
    stub,
    task::{self, Task},
};

/// `#[agent(options)] item`.
pub(crate) fn expand(options: TokenStream, item: &TokenStream) -> TokenStream {
    let (class, mut block) = match read_block(item.clone()) {
        Ok(read) => read,
        Err(error) => return with_error(item, &error),
    };
    let mut faults = Faults::default();
    let options = faults.keep(AgentOptions::parse(options)).unwrap_or_default();
    let home = options.home.clone().unwrap_or_else(|| parse_quote!(::hostel));
    let members = Members::read(&mut block, &home, &mut faults);
    let written = members.write(&class, &block, &options, &home);
    let errors = faults.into_compile_error();
    quote!(#block #written #errors)
}

/// `#[callable] fn ..` or `#[task] fn ..` that no `#[agent]` block has taken off.
pub(crate) fn mark_alone(word: &str, item: &TokenStream) -> TokenStream {
    let message = format!("`#[{word}]` marks a method of an `impl` block that has `#[agent]` above it");
    let place = syn::parse2::<ImplItemFn>(item.clone()).map(|function| function.sig.ident.into_token_stream());
    with_error(item, &Error::new_spanned(place.unwrap_or_else(|_| item.clone()), message))
}

/// The block, and the name of its class.
fn read_block(item: TokenStream) -> syn::Result<(Ident, ItemImpl)> {
    const WHERE: &str = "put `#[agent]` on the type's own `impl` block: `#[agent] impl Counter { .. }`";
    let Item::Impl(block) = syn::parse2(item)? else {
        return Err(Error::new(proc_macro2::Span::call_site(), WHERE));
    };
    if let Some((path, _)) = &block.trait_ {
        return Err(Error::new_spanned(path, format!("hooks are functions of the type itself; {WHERE}")));
    }
    if !block.generics.params.is_empty() {
        let message = "an agent class cannot be generic: its name in URLs stands for one type";
        return Err(Error::new_spanned(&block.generics, message));
    }
    match &*block.self_ty {
        Type::Path(path) if path.qself.is_none() => match path.path.segments.last() {
            Some(last) if last.arguments.is_none() => Ok((last.ident.clone(), block)),
            _ => Err(Error::new_spanned(path, "an agent class has no type arguments: its name stands for one type")),
        },
        other => Err(Error::new_spanned(other, WHERE)),
    }
}

/// What a block holds for us.
#[derive(Default)]
struct Members {
    methods: Vec<Method>,
    tasks: Vec<Task>,
    hooks: Vec<TokenStream>,
    closed: Vec<ImplItemFn>,
}

impl Members {
    fn read(block: &mut ItemImpl, home: &Path, faults: &mut Faults) -> Self {
        let mut members = Self::default();
        for item in &mut block.items {
            if let ImplItem::Fn(function) = item {
                let marks = take_marks(function);
                faults.keep(members.add(function, &marks, home));
            }
        }
        faults.keep(members.refuse_duplicates());
        members
    }

    fn add(&mut self, function: &ImplItemFn, marks: &[Attribute], home: &Path) -> syn::Result<()> {
        let known = hook::find(&function.sig.ident.to_string());
        match (marks, known) {
            ([], Some(hook)) => self.hooks.push(hook.expand(function, home)?),
            ([], None) => {
                hook::refuse_near_miss(function)?;
                if function::is_method(function) {
                    self.closed.push(function.clone());
                }
            }
            ([mark, ..], Some(hook)) => return Err(marked_hook(mark, hook)),
            (marks, None) => self.add_marked(function, marks)?,
        }
        Ok(())
    }

    /// A function may be open to clients and be a task: two words, two doors.
    fn add_marked(&mut self, function: &ImplItemFn, marks: &[Attribute]) -> syn::Result<()> {
        let mut seen = Vec::new();
        for mark in marks {
            let word = word(mark);
            if seen.contains(&word) {
                return Err(Error::new_spanned(mark, format!("one `#[{word}]` is enough")));
            }
            match word {
                "task" => self.tasks.push(Task::read(function, TaskOptions::parse(mark)?)?),
                _ => self.methods.push(Method::read(function, &CallableOptions::parse(mark)?)?),
            }
            seen.push(word);
        }
        if !seen.contains(&"callable") {
            self.closed.push(function.clone());
        }
        Ok(())
    }

    fn refuse_duplicates(&self) -> syn::Result<()> {
        let mut seen: HashMap<&str, &Method> = HashMap::new();
        for method in self.methods.iter().filter(|method| method.function.cfgs.is_empty()) {
            if let Some(first) = seen.insert(&method.wire, method) {
                let message = format!(
                    "`{}` is called `{}` on the wire, like `{}`; choose another name with `#[callable(name = \"..\")]`",
                    method.function.ident, method.wire, first.function.ident,
                );
                return Err(Error::new(method.name_span, message));
            }
        }
        Ok(())
    }

    fn write(&self, class: &Ident, block: &ItemImpl, options: &AgentOptions, home: &Path) -> TokenStream {
        let class_path = block.self_ty.to_token_stream();
        let name = options.name.as_ref().map_or_else(|| class.to_string(), syn::LitStr::value);
        let doc = doc::text(&block.attrs);
        let extension = options.write_extension(home);
        let options = options.write(home);
        let methods = self.methods.iter().map(|method| method.entry(home)).chain(self.closed_entries(home));
        let hooks = hook::table(&self.hooks, home);
        let stub_name = stub::name(class);
        let stub = stub::expand(class, &class_path, &self.methods, home);
        let tasks_name = task::name(class);
        let tasks = task::expand(class, &class_path, &self.tasks, home);
        let task_entries = self.tasks.iter().map(|task| task.entry(home));
        let head = quote_spanned!(class.span()=> impl #home::Agent for #class_path);
        quote! {
            #stub

            #tasks

            const _: () = {
                #[allow(unused_imports, reason = "not every class needs every fallback")]
                use #home::__private::{Infallible as _, IntoReply as _, NoDeclaredFields as _, WithoutSchema as _};

                #[allow(deprecated, clippy::needless_update,
                    reason = "callers of a deprecated method are told, not its table; a class may have every hook")]
                #head {
                    const CLASS: &'static str = #name;
                    const DOC: &'static str = #doc;
                    #options
                    const FIELDS: &'static [#home::StateField] = #home::__private::FieldsProbe::<Self>::DECLARED;
                    const METHODS: &'static [#home::Method<Self>] = &[#(#methods),*];
                    const TASKS: &'static [#home::Task<Self>] = &[#(#task_entries),*];
                    const HOOKS: #home::Hooks<Self> = #hooks;
                    #extension

                    type Stub = #stub_name;
                    type Tasks = #tasks_name;

                    fn state_type(book: &mut #home::__private::TypeBook) -> ::std::string::String {
                        #home::__private::TypeProbe::<Self>::new().ts_state(book, #home::__private::FieldsProbe::<Self>::DECLARED)
                    }
                }
            };
        }
    }

    /// Helpers, unless a callable already has the name.
    fn closed_entries(&self, home: &Path) -> impl Iterator<Item = TokenStream> {
        let taken = |function: &&ImplItemFn| {
            let name = method::wire_name(&function.sig.ident);
            !self.methods.iter().any(|method| method.wire == name)
        };
        self.closed.iter().filter(taken).map(|function| method::closed(function, home))
    }
}

fn marked_hook(mark: &Attribute, hook: &Hook) -> Error {
    let message =
        format!("`{}` is a hook: the host calls it, nobody else can; remove `#[{}]`", hook.name(), word(mark));
    Error::new_spanned(mark, message)
}

/// Which of our attributes it is.
fn word(attr: &Attribute) -> &'static str {
    match attr.path().segments.last() {
        Some(last) if last.ident == "callable" => "callable",
        Some(last) if last.ident == "task" => "task",
        _ => "",
    }
}

/// Takes our attributes off a function.
fn take_marks(function: &mut ImplItemFn) -> Vec<Attribute> {
    let ours = |attr: &Attribute| !word(attr).is_empty();
    let (marks, rest) = std::mem::take(&mut function.attrs).into_iter().partition(ours);
    function.attrs = rest;
    marks
}

fn with_error(item: &TokenStream, error: &Error) -> TokenStream {
    let error = error.to_compile_error();
    quote!(#item #error)
}
