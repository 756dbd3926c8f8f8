//! An agent that chats, with two tools, one of which asks first: `cargo run -p hostel-chat --example clerk`.
//!
//! It needs no key: a scripted model plays the provider. It asks for a refund, says yes by itself, and prints what the
//! conversation came to. Give it `--serve` to open it for pages with `useAgentChat({ agent: "clerk" })`.

#![allow(clippy::print_stdout, reason = "it is a program to look at")]

use std::time::Duration;

use hostel::{prelude::*, serde_json};
use hostel_chat::{
    Answering, Chat, ChatAgent, ChatSetup, Room, Say, Tool, ToolCx,
    model::{Models, Scripted},
};

const SCRIPT: &str = "\
on refund *
  call look_up {\"order\": \"$1\"}
then
  call refund {\"order\": \"$1\", \"cents\": 500}
then
  say Done: $result
on *
  say Ask me for a refund: refund 17
";

#[derive(Clone, Default, Serialize, Deserialize)]
struct Clerk {
    /// What was paid back, in cents.
    paid: u64,
}

#[derive(Deserialize, JsonSchema)]
struct Order {
    /// The number on the receipt.
    order: String,
}

#[derive(Deserialize, JsonSchema)]
struct Refund {
    /// The number on the receipt.
    order: String,
    /// How much.
    cents: u64,
}

#[agent(extend = Chat)]
impl Clerk {
    /// Says something to the clerk.
    #[callable]
    fn say(&self, cx: &Cx<Self>, text: String) -> Result<()> {
        Room::of(cx).say(Say::text(text)).map(drop)
    }

    /// Says yes to whatever waits for it; tells how much that was.
    #[callable]
    fn say_yes(&self, cx: &Cx<Self>) -> Result<usize> {
        let room = Room::of(cx);
        let waiting = room.approvals()?;
        for approval in &waiting {
            println!("{} with {}? Yes.", approval.tool, approval.input);
            room.decide(&approval.id, &Answering::yes().by("the owner"))?;
        }
        Ok(waiting.len())
    }

    /// The last thing that was said, once nothing is under way.
    #[callable]
    fn outcome(&self, cx: &Cx<Self>) -> Result<Option<String>> {
        let room = Room::of(cx);
        let is_done = room.last_turn()?.is_some_and(|turn| turn.state == "done");
        Ok(room.transcript()?.last().filter(|_| is_done).map(|message| message.text()))
    }
}

impl ChatAgent for Clerk {
    fn chat(&self, _: &Cx<Self>) -> ChatSetup<Self> {
        ChatSetup::new()
            .system("You are the clerk of a small shop. Look an order up before you pay anything back.")
            .tool(
                Tool::new("look_up", "Finds an order by its number.", |_: ToolCx<Self>, order: Order| async move {
                    Ok(serde_json::json!({"order": order.order, "cents": 500}))
                })
                .repeatable(),
            )
            .tool(
                Tool::new("refund", "Pays an order back.", |cx: ToolCx<Self>, refund: Refund| async move {
                    cx.update(|me| me.paid += refund.cents)?;
                    Ok(format!("{} cents for order {} are on their way", refund.cents, refund.order))
                })
                .ask(),
            )
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let app = App::new().agent::<Clerk>().env(Models::one(Scripted::new(SCRIPT)?)).data("clerk-data");
    if std::env::args().any(|arg| arg == "--serve") {
        return Ok(app.serve("127.0.0.1:8787").await?);
    }
    let home = app.start().await?;
    let clerk = home.edge().node().agent::<Clerk>("front");
    clerk.say("refund 17".to_owned()).await?;
    loop {
        clerk.say_yes().await?;
        if let Some(said) = clerk.outcome().await? {
            println!("{said}");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
