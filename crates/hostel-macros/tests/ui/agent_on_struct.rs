use hostel_macros::agent;

#[agent]
struct Counter {
    count: i64,
}

fn main() {}
