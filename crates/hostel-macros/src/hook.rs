//! The hooks: their names, what they are handed, and the sentences for those that nearly are one.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Error, ImplItemFn, Path, spanned::Spanned};

use crate::{
    expand,
    function::{Form, Function, Role},
    naming, types,
};

/// One hook, as `hostel::Hooks` has it.
pub(crate) struct Hook {
    /// Its name.
    name: &'static str,
    /// What it is handed, in order: a name, and the type's.
    inputs: &'static [(&'static str, &'static str)],
    /// What it returns, for the help text.
    output: &'static str,
    /// Whether it may be async.
    may_wait: bool,
}

const CONNECTION: (&str, &str) = ("connection", "Connection");
const CONNECT: (&str, &str) = ("request", "ConnectRequest");
const SOURCE: (&str, &str) = ("source", "Source");

const HOOKS: [Hook; 15] = [
    hook("on_start", &[], "Result<()>"),
    hook("get_connection_tags", &[CONNECT], "Vec<String>"),
    hook("should_connection_be_readonly", &[CONNECTION, CONNECT], "bool"),
    hook("should_send_protocol_messages", &[CONNECTION, CONNECT], "bool"),
    hook("on_connect", &[CONNECTION, CONNECT], "Result<()>"),
    hook("on_message", &[CONNECTION, ("message", "Message")], "Result<()>"),
    hook("on_close", &[CONNECTION, ("close", "CloseEvent")], "Result<()>"),
    hook("on_error", &[("error", "Error")], "Result<()>"),
    hook("on_request", &[("request", "Request")], "Result<Response>"),
    hook("on_before_sub_agent", &[("request", "Request"), ("child", "SubAgent")], "Result<BeforeSubAgent>"),
    Hook { may_wait: false, ..hook("validate_state_change", &[SOURCE], "Result<()>") },
    hook("on_state_changed", &[SOURCE], "Result<()>"),
    hook("on_alarm", &[], "Result<()>"),
    hook("on_run_ended", &[("run", "RunInfo")], "Result<()>"),
    hook("on_step_uncertain", &[("step", "UncertainStep")], "Result<Verdict>"),
];

const fn hook(name: &'static str, inputs: &'static [(&'static str, &'static str)], output: &'static str) -> Hook {
    Hook { name, inputs, output, may_wait: true }
}

/// The hook with this name.
pub(crate) fn find(name: &str) -> Option<&'static Hook> {
    HOOKS.iter().find(|hook| hook.name == name)
}

/// Refuses a private helper whose name looks like a hook's: it would never be called.
pub(crate) fn refuse_near_miss(function: &ImplItemFn) -> syn::Result<()> {
    let ident = &function.sig.ident;
    let name = naming::snake(&ident.to_string());
    let names = || HOOKS.iter().map(|hook| hook.name);
    let Some((nearest, edits)) = naming::nearest(&name, names()) else { return Ok(()) };
    let hint = match edits {
        0..=2 => format!("did you mean `{nearest}`? If it is a helper, give it another name"),
        _ if name.starts_with("on_") => {
            let all = names().collect::<Vec<_>>().join("`, `");
            format!("the hooks are `{all}`. If it is a helper, give it a name that does not start with `on_`")
        }
        _ => return Ok(()),
    };
    Err(Error::new_spanned(ident, format!("`{ident}` is not a hook, so nothing calls it; {hint}")))
}

impl Hook {
    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The field of `Hooks` for the user's function.
    pub(crate) fn expand(&self, function: &ImplItemFn, home: &Path) -> syn::Result<TokenStream> {
        let role = Role { what: format!("the hook `{}`", self.name), usage: self.usage() };
        let function = Function::read(function, &role)?;
        self.check(&function, &role)?;
        let ident = &function.ident;
        let input = self.input(&function);
        let call = expand::call(&function, self.arguments(&function), home);
        let cfgs = &function.cfgs;
        let handler = expand::handler(&function, &input, &expand::value(&function, &call), home);
        Ok(quote!(#(#cfgs)* #ident: Some(#handler)))
    }

    fn check(&self, function: &Function, role: &Role) -> syn::Result<()> {
        if function.form == Form::Task && !self.may_wait {
            let message = format!("`{}` decides within the turn and cannot wait; take `&self`", self.name);
            return Err(role.error(&function.ident, &message));
        }
        if let Some(extra) = function.params.get(self.inputs.len()) {
            return Err(role.error(&extra.ty, &format!("`{}` is not handed that much", self.name)));
        }
        for (param, (_, expected)) in function.params.iter().zip(self.inputs) {
            let misplaced = types::last_name(&param.ty).filter(|name| *name != expected).is_some_and(is_input);
            if misplaced {
                return Err(role.error(&param.ty, &format!("`{}` is handed `{expected}` here", self.name)));
            }
            if *expected == "Request" && function.form == Form::Task && param.by_ref() {
                return Err(role.error(&param.ty, "a request's body can be read once: take it by value"));
            }
        }
        Ok(())
    }

    /// The pattern for what the host hands over: `_` for what the function leaves out.
    fn input(&self, function: &Function) -> TokenStream {
        let names = self.inputs.iter().enumerate().map(|(at, (name, _))| {
            let ident = Ident::new(name, Span::call_site());
            if at < function.params.len() { quote!(#ident) } else { quote!(_) }
        });
        match self.inputs {
            [] => quote!(()),
            [_] => quote!(#(#names)*),
            _ => quote!((#(#names),*)),
        }
    }

    fn arguments(&self, function: &Function) -> Vec<TokenStream> {
        let names = self.inputs.iter().map(|(name, _)| Ident::new(name, Span::call_site()));
        function.params.iter().zip(names).map(|(param, name)| param.pass(&name)).collect()
    }

    /// How the hook may be written.
    fn usage(&self) -> String {
        let inputs: String = self.inputs.iter().map(|(name, ty)| format!(", {name}: &{ty}")).collect();
        let inputs = inputs.replace("&Request", "Request");
        let Self { name, output, may_wait, .. } = self;
        let mut usage = format!("write `fn {name}(&self, cx: &Cx<Self>{inputs}) -> {output}`");
        if *may_wait {
            usage += &format!("\n   or `async fn {name}(cx: &Cx<Self>{inputs}) -> {output}`");
        }
        usage + "\nwith `&mut self` where it changes the state; parameters may be left out from the right"
    }
}

fn is_input(name: &Ident) -> bool {
    HOOKS.iter().flat_map(|hook| hook.inputs).any(|(_, ty)| name == ty)
}

/// The `Hooks` of a class.
pub(crate) fn table(fields: &[TokenStream], home: &Path) -> TokenStream {
    match fields {
        [] => quote!(#home::Hooks::NONE),
        [first, ..] => quote_spanned!(first.span()=> #home::Hooks { #(#fields,)* ..#home::Hooks::NONE }),
    }
}
