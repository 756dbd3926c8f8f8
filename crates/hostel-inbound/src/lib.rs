//! What comes from elsewhere without a client: signed webhooks and e-mail, each kept in an agent's queue before it is
//! answered; and outgoing mail.
//!
//! A webhook or a mail becomes an order of a task ([`hostel_core::task`]): durable when the sender hears that it was taken,
//! kept once however often it is sent, tried again when it fails, and never lost without a reason. What is not here: the
//! queue itself (hostel-runtime), secrets (hostel-vault). Start with [`Webhook`] and
//! [`Mail`].

mod delivery;
pub mod mail;
mod throttle;
pub mod webhook;

pub use delivery::Delivery;
pub use mail::{Email, Letter, Mail, SendMail};
pub use webhook::{Target, Webhook};
