//! Tests of writers and readers.
