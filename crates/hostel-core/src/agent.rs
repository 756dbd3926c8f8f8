//! The trait that makes a type an agent class. `#[agent]` implements it.

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    allow::Rule,
    call::Stub,
    extension::Extension,
    handler::{Hooks, Method},
    state::StateField,
    task::{Task, TaskOrders},
    typescript::TypeBook,
};

/// An agent class. The value itself is the state that clients see; its default is the initial state.
///
/// Implement it with `#[agent]`, which turns the methods of an `impl` block into [`Agent::METHODS`] and [`Agent::HOOKS`].
/// Fields with `#[serde(skip)]` live in memory only: they start from their default whenever the agent wakes, whenever a
/// turn is rolled back, and whenever a client replaces the state.
///
/// A type that serialises to `null` (a unit struct) has no state until somebody sets one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an agent class",
    label = "this type has no `#[agent]` implementation",
    note = "put `#[agent]` on an `impl {Self} {{ .. }}` block, and derive `Default`, `Serialize` and `Deserialize` for the type"
)]
pub trait Agent: Default + Serialize + DeserializeOwned + Send + Sync + Sized + 'static {
    /// Class name, e.g. `CoderAgent`. Its kebab case names the namespace.
    const CLASS: &'static str;
    /// The doc comment of the `impl` block.
    const DOC: &'static str = "";
    /// Options of the class.
    const OPTIONS: ClassOptions = ClassOptions::DEFAULT;
    /// Fields of the state that clients may not see or may not write, by their names in JSON. `#[derive(State)]` on the
    /// type declares them for `#[agent]`.
    const FIELDS: &'static [StateField] = &[];
    /// Every method, callable or not.
    const METHODS: &'static [Method<Self>];
    /// Every task.
    const TASKS: &'static [Task<Self>] = &[];
    /// The hooks.
    const HOOKS: Hooks<Self> = Hooks::NONE;
    /// What a library adds to the class.
    const EXTENSION: &'static Extension<Self> = &Extension::NONE;

    /// What other agents and the application hold to call this one.
    type Stub: From<Stub> + Send;

    /// What the agent itself holds to order runs of its tasks.
    type Tasks: From<TaskOrders>;

    /// The state's TypeScript type.
    fn state_type(_book: &mut TypeBook) -> String {
        "unknown".to_owned()
    }
}

/// A type whose fields can be declared.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`#[state(..)]` declares fields of an agent's own struct, and `{Self}` is not an agent class",
    label = "clients would see all of it",
    note = "keep what clients may not see in a field of the agent itself, and mark that field"
)]
pub trait OwnStruct {
    /// How many fields its agent class knows of.
    const KNOWN: usize;
}

impl<A: Agent> OwnStruct for A {
    const KNOWN: usize = A::FIELDS.len();
}

/// The fields that `#[derive(State)]` declares.
#[doc(hidden)]
pub trait DeclaredFields {
    const DECLARED: &'static [StateField];
}

/// Finds the fields that `T` declares. Used by generated code: the inherent constant exists only for types with
/// `#[derive(State)]`, and wins over the trait's.
#[doc(hidden)]
#[derive(Debug)]
pub struct FieldsProbe<T>(PhantomData<fn() -> T>);

impl<T: DeclaredFields> FieldsProbe<T> {
    pub const DECLARED: &'static [StateField] = T::DECLARED;
}

/// What [`FieldsProbe`] says of a type that declares none.
#[doc(hidden)]
pub trait NoDeclaredFields {
    const DECLARED: &'static [StateField] = &[];
}

impl<T> NoDeclaredFields for FieldsProbe<T> {}

/// Options of an agent class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassOptions {
    /// Whether a connection is told whom it reached. On by default.
    pub send_identity_on_connect: bool,
    /// Who may reach its agents; without rules, whom the application lets in by default.
    pub allow: Option<&'static [Rule]>,
    /// Which clients may write the state by themselves; without rules, all that may reach the agent.
    pub state_write: Option<&'static [Rule]>,
}

impl ClassOptions {
    /// The defaults.
    pub const DEFAULT: Self = Self { send_identity_on_connect: true, allow: None, state_write: None };

    /// Sets [`ClassOptions::send_identity_on_connect`].
    #[must_use]
    pub const fn send_identity_on_connect(mut self, on: bool) -> Self {
        self.send_identity_on_connect = on;
        self
    }

    /// Sets [`ClassOptions::allow`].
    #[must_use]
    pub const fn allow(mut self, rules: &'static [Rule]) -> Self {
        self.allow = Some(rules);
        self
    }

    /// Sets [`ClassOptions::state_write`].
    #[must_use]
    pub const fn state_write(mut self, rules: &'static [Rule]) -> Self {
        self.state_write = Some(rules);
        self
    }
}

impl Default for ClassOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}
