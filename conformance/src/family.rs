//! The recorded agents that have others under them, and those.

use hostel::prelude::*;
use serde_json::json;

use crate::text::{json, text};

/// Lets in everybody who is not for the child `denied`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ParentAgent(Value);

/// Says whose child it is.
#[derive(Debug, Serialize, Deserialize)]
pub struct ChildAgent(Value);

/// A child that has children.
#[derive(Debug, Serialize, Deserialize)]
pub struct MidAgent(Value);

type Value = serde_json::Value;

impl Default for ParentAgent {
    fn default() -> Self {
        Self(json!({"parent": true}))
    }
}

impl Default for ChildAgent {
    fn default() -> Self {
        Self(json!({"child": true}))
    }
}

impl Default for MidAgent {
    fn default() -> Self {
        Self(json!({"mid": true}))
    }
}

#[agent]
impl ParentAgent {
    #[callable]
    async fn call_child(cx: &Cx<Self>, name: String) -> Result<String> {
        cx.sub_agent::<ChildAgent>(&name)?.hi("parent").await
    }

    #[callable]
    fn children(&self, cx: &Cx<Self>) -> Result<Vec<String>> {
        Ok(cx.list_sub_agents()?.into_iter().map(|child| format!("{} {}", child.class_name, child.name)).collect())
    }

    #[callable]
    fn delete_child(&self, cx: &Cx<Self>, name: &str) -> Result<bool> {
        cx.delete_sub_agent::<ChildAgent>(name)
    }

    fn on_before_sub_agent(&self, request: Request, child: &SubAgent) -> Result<BeforeSubAgent> {
        if child.name == "denied" {
            let mut refused = text("no")?;
            *refused.status_mut() = hostel::http::StatusCode::FORBIDDEN;
            return Ok(BeforeSubAgent::Respond(refused));
        }
        Ok(BeforeSubAgent::Continue(request))
    }

    fn on_request(&self, request: &Request) -> Result<Response> {
        let body = format!("parent {}", request.uri().path());
        let builder = hostel::http::Response::builder().header("content-type", crate::text::PLAIN);
        Ok(builder.body(Body::from(body))?)
    }
}

#[agent]
impl ChildAgent {
    #[callable]
    fn hi(&self, cx: &Cx<Self>, who: &str) -> String {
        let parents: Vec<Value> = cx.parent_path().iter().map(step).collect();
        format!("hi {who} from {} parent {}", cx.name(), Value::from(parents))
    }

    fn on_request(&self, cx: &Cx<Self>, request: &Request) -> Result<Response> {
        let uri = request.uri();
        json(&json!({"child": cx.name(), "url": uri.to_string(), "path": uri.path()}))
    }
}

#[agent]
impl MidAgent {
    #[callable]
    async fn call_child(cx: &Cx<Self>, name: String) -> Result<String> {
        cx.sub_agent::<ChildAgent>(&name)?.hi("mid").await
    }
}

fn step(id: &hostel::AgentId) -> Value {
    let class = match id.namespace() {
        "parent-agent" => "ParentAgent",
        "mid-agent" => "MidAgent",
        other => other,
    };
    json!({"className": class, "name": id.name()})
}
