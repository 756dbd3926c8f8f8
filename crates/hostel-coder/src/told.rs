//! News for front ends of what is no part of the state: who shows it asks for it again.

use hostel::Cx;
use serde_json::json;

use crate::CoderAgent;

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// What `getHands` answers.
    Hands,
    /// What `getModels` answers.
    Models,
    /// What `getPolicy` answers.
    Policy,
    /// What `terminals` answers.
    Terminals,
}

/// Tells every front end, once it is so: `{"type": "hostel_changed", "what": ".."}`.
pub(crate) fn tell(cx: &Cx<CoderAgent>, news: News) {
    let what = match news {
        News::Hands => "hands",
        News::Models => "models",
        News::Policy => "policy",
        News::Terminals => "terminals",
    };
    cx.broadcast(json!({"type": "hostel_changed", "what": what}).to_string());
}
