//! hostel-coder
