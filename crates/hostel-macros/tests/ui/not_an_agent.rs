use hostel::erased::ClassOf;

struct Counter;

fn main() {
    let _ = ClassOf::<Counter>::new();
}
