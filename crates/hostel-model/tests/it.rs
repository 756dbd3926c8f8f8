//! Tests of the models from outside.

#[path = "it/scripted.rs"]
mod scripted;
