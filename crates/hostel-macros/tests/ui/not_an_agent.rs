use hostel::Cx;

struct Counter;

fn look<A>(cx: &Cx<A>) {
    cx.agent::<Counter>("other");
}

fn main() {}
