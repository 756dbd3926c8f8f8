//! The TypeScript of a class that the macro made.

#![allow(clippy::needless_pass_by_value, reason = "arguments are owned, used or not")]

use hostel::{Cx, Result, Stream, erased::ClassOf, typescript};
use hostel_macros::agent;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A point on the board.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
struct Point {
    x: i32,
    /// Height, if known.
    y: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct NoSchema;

/// Two players share it.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Board {
    points: Vec<Point>,
    last_move: Option<Point>,
    #[serde(skip)]
    _memory_only: u8,
}

/// A board to play on.
#[agent(crate = "crate::hostel_core")]
impl Board {
    /// Places a point.
    ///
    /// It stays there.
    #[callable]
    fn place(&mut self, point: Point, color: Option<String>) -> Result<Board> {
        let _ = color;
        self.points.push(point);
        Ok(Board::default())
    }

    #[callable(name = "clear-all")]
    fn clear(&mut self, r#default: bool) {
        let _ = r#default;
    }

    #[callable]
    fn load(&mut self, _data: NoSchema, more: Value) -> Vec<(i32, String)> {
        let _ = more;
        Vec::new()
    }

    #[callable(streaming)]
    async fn watch(_cx: &Cx<Self>, stream: Stream<Point>) {
        stream.end();
    }
}

#[test]
fn a_class_prints_its_state_and_its_methods() {
    let printed = typescript::declaration(&ClassOf::<Board>::new());
    let expected = include_str!("board.ts");
    assert_eq!(printed, expected, "\n{printed}");
}
