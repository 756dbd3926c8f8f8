//! One task: from its function to its entry in the table of tasks, and the methods that order runs of it.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Error, ImplItemFn, Path};

use crate::{
    expand,
    function::{Function, Param, Role},
    method::{check_argument, wire_name},
    options::{Period, TaskOptions},
    stub, types,
};

/// A method that the agent itself, and its clock, may have run later.
pub(crate) struct Task {
    function: Function,
    name: String,
    options: TaskOptions,
}

impl Task {
    /// Reads a function marked `#[task]`.
    pub(crate) fn read(function: &ImplItemFn, options: TaskOptions) -> syn::Result<Self> {
        let function = Function::read(function, &Role { what: "a task".into(), usage: String::new() })?;
        function.params.iter().try_for_each(check_argument)?;
        if let (true, Some(param)) = (options.is_declared(), function.params.first()) {
            let message = "a task that its class schedules is run without arguments; leave them out, or order its runs \
                           with `cx.tasks()`";
            return Err(Error::new_spanned(&param.ty, message));
        }
        let name = wire_name(&function.ident);
        Ok(Self { function, name, options })
    }

    /// The entry in `Agent::TASKS`.
    pub(crate) fn entry(&self, home: &Path) -> TokenStream {
        let Self { function, name, options } = self;
        let Function { doc, cfgs, .. } = function;
        let arguments = function.params.iter().map(|param| param.pass(&param.ident)).collect();
        let parse = expand::parse(function, name);
        let call = expand::call(function, arguments, home);
        let args = if function.params.is_empty() { quote!(_) } else { quote!(__args) };
        let reply = quote_spanned!(function.output_span()=> #call?.into_reply());
        let handler = expand::handler(function, &args, &quote!(#parse #reply), home);
        let declared = declared(options, home);
        let timeout = match options.timeout {
            Some(period) => duration(period),
            None => quote!(#home::Task::<Self>::TIMEOUT),
        };
        quote! {
            #(#cfgs)*
            #home::Task { name: #name, doc: #doc, handler: #handler, declared: &[#declared], timeout: #timeout }
        }
    }

    /// The method of `cx.tasks()` that orders a run.
    fn order(&self, home: &Path) -> TokenStream {
        let Self { function, name, .. } = self;
        let (ident, cfgs, lifetimes) = (&function.ident, &function.cfgs, &function.generics);
        let doc = if function.doc.is_empty() { format!("Orders a run of `{name}`.") } else { function.doc.clone() };
        let params = function.params.iter().map(|Param { ident, ty, .. }| quote!(#ident: #ty));
        let names: Vec<&Ident> = function.params.iter().map(|param| &param.ident).collect();
        let args = if names.is_empty() { quote!([(); 0]) } else { quote!((#(#names,)*)) };
        let bounds = stub::bounds(&function.params, home);
        quote! {
            #(#cfgs)*
            #[doc = #doc]
            pub fn #ident #lifetimes (&self, #(#params),*) -> #home::Run #bounds {
                self.0.order(#name, &#args)
            }
        }
    }
}

/// The name of what `cx.tasks()` gives.
pub(crate) fn name(class: &Ident) -> Ident {
    format_ident!("{}Tasks", class, span = class.span())
}

/// What `cx.tasks()` gives: one method a task.
pub(crate) fn expand(class: &Ident, class_path: &TokenStream, tasks: &[Task], home: &Path) -> TokenStream {
    let name = name(class);
    let doc = format!("Runs of the tasks of [`{class}`], to be given a time.");
    let methods = tasks.iter().map(|task| types::without_self(task.order(home), class_path));
    quote! {
        #[doc = #doc]
        #[derive(Clone, Debug)]
        #[allow(dead_code, unreachable_pub, reason = "the class itself decides what is used")]
        pub struct #name(#home::TaskOrders);

        #[allow(dead_code, private_interfaces, unreachable_pub, clippy::extra_unused_lifetimes, clippy::needless_lifetimes, clippy::too_many_arguments,
            reason = "the class's own signatures, repeated")]
        impl #name {
            #(#methods)*
        }

        impl ::core::convert::From<#home::TaskOrders> for #name {
            fn from(orders: #home::TaskOrders) -> Self {
                Self(orders)
            }
        }
    }
}

fn declared(options: &TaskOptions, home: &Path) -> Option<TokenStream> {
    let missed = options.missed.as_ref().map_or_else(|| quote!(Once), |missed| quote!(#missed));
    let missed = quote!(#home::Missed::#missed);
    if let Some(period) = options.every {
        let period = duration(period);
        return Some(quote!(#home::Declared::Every { period: #period, missed: #missed }));
    }
    let text = options.cron.as_ref()?;
    let zone = match &options.zone {
        Some(zone) => quote!(::core::option::Option::Some(#zone)),
        None => quote!(::core::option::Option::None),
    };
    Some(quote!(#home::Declared::Cron { text: #text, zone: #zone, missed: #missed }))
}

fn duration(Period { millis }: Period) -> TokenStream {
    quote!(::core::time::Duration::from_millis(#millis))
}
