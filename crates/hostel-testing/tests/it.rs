//! What the test kit promises, and what the examples do.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

#[path = "it/kit.rs"]
mod kit;

#[allow(dead_code, reason = "its tests are run here, its `main` is not")]
#[path = "../../../examples/departments.rs"]
mod departments;

#[allow(dead_code, reason = "its tests are run here, its `main` is not")]
#[path = "../../../examples/keys.rs"]
mod keys;

#[allow(dead_code, reason = "its tests are run here, its `main` is not")]
#[path = "../../../examples/order.rs"]
mod order;

#[allow(dead_code, reason = "its tests are run here, its `main` is not")]
#[path = "../../../examples/parcels.rs"]
mod parcels;

#[allow(dead_code, reason = "its tests are run here, its `main` is not")]
#[path = "../../../examples/private_notes.rs"]
mod private_notes;

#[allow(dead_code, reason = "its tests are run here, its `main` is not")]
#[path = "../../../examples/reminders.rs"]
mod reminders;

#[allow(dead_code, reason = "its tests are run here, its `main` is not")]
#[path = "../../../examples/rooms.rs"]
mod rooms;
