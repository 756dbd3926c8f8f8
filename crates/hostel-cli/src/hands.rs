//! This machine, lent to an agent: what may run here, what runs, and the connection over which it is ordered and told.

mod allowed;
mod asking;
mod inputs;
mod link;
mod order;
mod orders;
mod place;
mod typing;
mod work;

pub(crate) use allowed::Allowed;
pub(crate) use asking::Asking;
pub(crate) use link::Link;
pub(crate) use place::Place;
pub(crate) use work::Work;
