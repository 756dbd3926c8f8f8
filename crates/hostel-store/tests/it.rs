//! Tests from the outside: files, processes, faults.
