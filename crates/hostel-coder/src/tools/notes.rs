//! Notes, for the model.

use hostel::JsonSchema;
use hostel_chat::Tool;
use serde::Deserialize;
use serde_json::json;

use super::Call;
use crate::{
    CoderAgent,
    work::{notes, when},
};

#[derive(Deserialize, JsonSchema)]
struct Note {
    /// What is worth knowing the next time.
    text: String,
}

#[derive(Deserialize, JsonSchema)]
struct Which {
    /// The number of the note.
    #[serde(deserialize_with = "when::number")]
    id: i64,
}

pub(super) fn tools() -> Vec<Tool<CoderAgent>> {
    let about = "Keeps a note that outlives this conversation. Notes stand above every conversation.";
    let add = Tool::new("note", about, |cx: Call, Note { text }: Note| async move {
        let id = cx.try_update(|_| notes::add(cx.cx(), &text))?;
        Ok(json!({"id": id}))
    });
    let all = Tool::new("read_notes", "All notes.", |cx: Call, (): ()| async move { notes::list(cx.cx()) });
    let forget = Tool::new("forget_note", "Forgets a note.", |cx: Call, Which { id }: Which| async move {
        Ok(json!({"forgotten": cx.try_update(|_| notes::forget(cx.cx(), id))?}))
    });
    vec![add, all.repeatable(), forget.repeatable()]
}
