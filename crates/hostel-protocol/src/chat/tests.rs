//! Tests of the chat protocol, many of them on what real servers and clients said.

mod fold;
mod frames;
mod old;
mod reconcile;
mod recorded;
