//! hostel-store
