//! hostel-core
