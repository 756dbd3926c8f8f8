//! hostel-client
