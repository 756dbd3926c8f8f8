//! A lobby with rooms: agents under an agent, each with a database of its own.
//!
//! ```sh
//! cargo run -p hostel --example rooms
//! hostel call lobby/main open '"north east"'
//! hostel connect lobby/main/sub/room/north%20east
//! ```

use hostel::prelude::*;

/// People come in here, and open rooms.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
struct Lobby {
    opened: u64,
}

#[agent]
impl Lobby {
    /// Opens a room, and says how many there are.
    #[callable]
    async fn open(cx: &Cx<Self>, name: String) -> Result<usize> {
        cx.sub_agent::<Room>(&name)?.say(format!("Welcome to {name}.")).await?;
        cx.update(|me| me.opened += 1)?;
        Ok(cx.list_sub_agents()?.len())
    }

    /// Deletes a room with all that was said in it, and closes its sockets.
    #[callable]
    fn close(&self, cx: &Cx<Self>, name: &str) -> Result<bool> {
        cx.delete_sub_agent::<Room>(name)
    }

    /// The rooms there are.
    #[callable]
    fn rooms(&self, cx: &Cx<Self>) -> Result<Vec<String>> {
        Ok(cx.list_sub_agents()?.into_iter().map(|room| room.name).collect())
    }

    /// Nobody enters a room that was not opened.
    fn on_before_sub_agent(&self, request: Request, child: &SubAgent) -> Result<BeforeSubAgent> {
        if child.created_at.is_some() {
            return Ok(BeforeSubAgent::Continue(request));
        }
        let answer = hostel::http::Response::builder().status(404).body(Body::from("There is no such room."))?;
        Ok(BeforeSubAgent::Respond(answer))
    }
}

/// What is said here stays here.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
struct Room {
    said: Vec<String>,
}

#[agent]
impl Room {
    /// Says something to everybody in the room.
    #[callable]
    fn say(&mut self, text: String) {
        self.said.push(text);
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    App::new().agent::<Lobby>().sub_agent::<Room>().serve("127.0.0.1:8787").await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use hostel_client::Options;
    use hostel_testing::TestHome;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn what_is_said_in_a_room_stays_there_and_goes_with_it_and_nobody_enters_one_that_was_not_opened() {
        let home = TestHome::start(|| App::new().agent::<Lobby>().sub_agent::<Room>()).await;
        let mut lobby = home.connect("lobby/main").await;
        assert_eq!(lobby.call("open", json!(["east"])).await, 1);
        let mut east = home.connect("lobby/main/sub/room/east").await;
        east.call("say", json!(["hello"])).await;
        assert_eq!(east.state().await["said"], json!(["Welcome to east.", "hello"]));
        assert_eq!(lobby.state().await, json!({"opened": 1}));
        assert!(home.try_connect("lobby/main/sub/room/west", &Options::default()).await.is_err());
        assert_eq!(lobby.call("close", json!(["east"])).await, true);
        assert_eq!(lobby.call("rooms", json!([])).await, json!([]));
    }
}
