//! hostel
