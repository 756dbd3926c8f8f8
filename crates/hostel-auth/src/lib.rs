//! The built-in ways to find out who somebody is.
//!
//! [`Auth`] is an [`Authenticator`](hostel_edge::Authenticator): it takes a bearer token out of a request, wherever a client
//! can put one (a header, a subprotocol, a cookie, a query parameter), and finds out whose it is: a token from the
//! configuration ([`StaticToken`]), a JWT of an issuer that is trusted ([`Issuer`]), or a ticket that was given out for one
//! socket ([`Auth::tickets`]). What is not here: what somebody may do (the rules of the classes), and configuration files.

mod auth;
mod credentials;
mod fetch;
mod issuer;
mod jwt;
mod refusals;
mod static_token;
mod ticket;

pub use auth::{Auth, BadAuth, Builder};
pub use issuer::{Algorithm, Issuer, KeySource};
pub use static_token::{BadToken, StaticToken, TokenHash, new_token};
