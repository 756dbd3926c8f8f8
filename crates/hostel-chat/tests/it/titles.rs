//! Conversations get titles.

use hostel::prelude::*;
use hostel_chat::{
    Chat, ChatAgent, ChatSetup, Room,
    model::{Model, Models, Scripted},
};
use hostel_testing::TestHome;
use serde_json::json;

use super::support::{ask, until_end, user};

#[derive(Default, Serialize, Deserialize)]
struct Named;

#[agent(extend = Chat)]
impl Named {
    #[callable]
    fn title(&self, cx: &Cx<Self>) -> Result<Option<String>> {
        Ok(Room::of(cx).settings()?.title)
    }
}

impl ChatAgent for Named {
    fn chat(&self, _: &Cx<Self>) -> ChatSetup<Self> {
        ChatSetup::new()
    }
}

async fn home() -> TestHome {
    let model = |script| std::sync::Arc::new(Scripted::new(script).unwrap()) as std::sync::Arc<dyn Model>;
    let models =
        move || Models::of([("main", model("on *\n  say Yes.")), ("small", model("on *\n  say About orders"))]);
    TestHome::start(move || App::new().agent::<Named>().env(models())).await
}

#[tokio::test]
async fn a_conversation_is_named_by_the_small_model_even_if_its_answer_was_faster() {
    let home = home().await;
    for n in 0..20 {
        let mut page = home.connect(&format!("named/{n}")).await;
        page.send(ask("r1", &[user("u1", "where is order 7?")])).await;
        until_end(&mut page, "r1").await;
        home.settle().await;
        assert_eq!(page.call("title", json!([])).await, "About orders", "{n}");
    }
}
