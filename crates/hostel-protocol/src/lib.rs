//! hostel-protocol
