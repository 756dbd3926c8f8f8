//! What is said between a coding agent and a machine that is lent to it, for whoever lends one.

pub use hostel_coder::{HandsOffer as Offer, HandsOrder as Order, HandsReport as Report, HandsState as State};
