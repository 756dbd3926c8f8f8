//! A file system for SQLite that keeps the write-ahead log of a database in memory, and has a descriptor of the database
//! itself only while there are few; everything else is the file system that SQLite uses anyway.
//!
//! The log beside an agent's database need not survive the process: the node's journal has every commit, and what a log
//! file held would be thrown away after an unclean stop. So a commit is a copy in memory and not three system calls, and
//! whoever has to know what it changed reads it here: [`log_of`].
//!
//! The file of a database is read when it is opened, and written when its log is copied: between that it needs no
//! descriptor, so many thousands may be open. SQLite's own file system would keep one for each, and look through all
//! open files whenever another is opened.
//!
//! This is the one crate of the workspace with `unsafe`: SQLite calls a file system through C function pointers. It is all
//! in `ffi.rs` and its one part, and each use says why it is sound. Above that, [`Log`] is safe code.

mod base;
mod ffi;
mod log;

pub use base::keep_descriptors;
pub use ffi::system::{give_back_memory, raise_descriptors};
pub use ffi::{log_of, register};
pub use log::{Bytes, Log, Offer};

/// The name by which SQLite knows this file system, once [`register`] has been called.
pub const NAME: &std::ffi::CStr = c"hostel";
