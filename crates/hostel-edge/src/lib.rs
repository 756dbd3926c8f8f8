//! hostel-edge
