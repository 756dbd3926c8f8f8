//! The agents these tests talk to.

use std::collections::BTreeMap;

use hostel::prelude::*;
use serde_json::{Value, json};

/// The agent of most tests: it has a context, and shows requests as it saw them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct CoderAgent {
    branch: Option<String>,
    #[serde(skip)]
    props: Value,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Context {
    pub(crate) branch: String,
}

#[agent]
impl CoderAgent {
    fn on_start(&mut self, cx: &Cx<Self>) -> Result<()> {
        self.props = cx.props()?.unwrap_or_default();
        Ok(())
    }

    async fn on_request(cx: &Cx<Self>, request: Request) -> Result<Response> {
        let text = |value: &hostel::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers: BTreeMap<_, _> =
            request.headers().iter().map(|(name, value)| (name.as_str(), text(value))).collect();
        let props = cx.read(|me| me.props.clone())?;
        let seen = json!({"name": cx.name(), "url": request.uri().to_string(), "headers": headers, "props": props});
        Ok(Response::new(Body::from(seen.to_string())))
    }

    #[callable]
    fn set_project_context(&mut self, context: Context) -> Option<String> {
        self.branch = Some(context.branch);
        self.branch.clone()
    }

    #[callable]
    fn get_branch(&self) -> Option<String> {
        self.branch.clone()
    }

    /// Sends one message to the caller's own socket.
    #[callable]
    fn whisper(&self, cx: &Cx<Self>, text: String) {
        if let Some(connection) = cx.connection() {
            connection.send(text);
        }
    }

    /// Sets the caller's own state and returns what it was.
    #[callable]
    fn mark(&self, cx: &Cx<Self>, mark: &Value) -> Result<Option<Value>> {
        let Some(connection) = cx.connection() else { return Ok(None) };
        let before = connection.state()?;
        connection.set_state(mark)?;
        Ok(before)
    }

    /// Ids and keys of all connections.
    #[callable]
    fn crowd(&self, cx: &Cx<Self>) -> Vec<String> {
        cx.connections().iter().map(|connection| connection.id().to_owned()).collect()
    }

    #[expect(dead_code, reason = "it is there to be called by clients in vain")]
    fn secret(&self) -> &'static str {
        "secret"
    }
}

/// Sends large messages to everybody, and tells when somebody leaves.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Loud;

#[agent]
impl Loud {
    fn should_send_protocol_messages(&self) -> bool {
        false
    }

    fn on_close(&self, cx: &Cx<Self>, connection: &Connection) {
        cx.broadcast(format!("left {}", connection.id()));
    }

    /// Sends `count` messages of `size` bytes to everybody.
    #[callable]
    async fn shout(cx: &Cx<Self>, count: u32, size: usize) -> Result<()> {
        let message = hostel::bytes::Bytes::from(vec![b'x'; size]);
        for _ in 0..count {
            cx.broadcast(message.clone());
            cx.durable().await?;
        }
        Ok(())
    }

    /// How many clients are connected.
    #[callable]
    fn crowd(&self, cx: &Cx<Self>) -> usize {
        cx.connections().len()
    }

    #[callable]
    fn ping(&self) -> &'static str {
        "pong"
    }
}

/// Its `on_start` always fails, under the name that people know.
pub(crate) mod broken {
    use hostel::prelude::*;

    #[derive(Debug, Default, Serialize, Deserialize)]
    pub(crate) struct CoderAgent;

    #[agent]
    impl CoderAgent {
        fn on_start(&self) -> Result<()> {
            Err(Error::msg("the key in /etc/secret is missing"))
        }
    }
}
