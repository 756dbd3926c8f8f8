#![allow(unused, reason = "only errors matter here")]

use hostel_macros::agent;

struct Counter<T>(T);

#[agent]
impl<T> Counter<T> {}

#[agent]
impl Counter<i64> {}

fn main() {}
