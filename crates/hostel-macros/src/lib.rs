//! hostel-macros
