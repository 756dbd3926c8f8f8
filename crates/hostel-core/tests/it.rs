//! A core that lives on a second host: no runtime, no database, no network, no clock.

#[path = "it/second_host.rs"]
mod second_host;

#[path = "it/handwritten.rs"]
mod handwritten;
