//! Secrets by name: from a sealed file, the environment, or a command; and the mask over what leaks all the same.
//!
//! An agent names a secret ([`SecretName`]); code that talks to the outside asks the [`Vault`] for its value at the last
//! moment. Settings that are secrets are [`SecretValue`]s. What is not here: configuration (hostel-server), and where the
//! mask is laid on (hostel-runtime, through [`hostel_core::Scrub`]).

mod command;
pub mod environment;
mod error;
mod file;
mod mask;
mod name;
mod revealed;
mod seal;
mod shapes;
mod value;
mod vault;

pub use environment::Environment;
pub use error::VaultError;
pub use file::KeySource;
pub use name::{Scope, SecretName};
pub use revealed::Revealed;
pub use value::SecretValue;
pub use vault::{Options, Vault};
