//! hostel-server
