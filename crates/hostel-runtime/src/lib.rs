//! hostel-runtime
