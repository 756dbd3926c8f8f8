//! `POST /hooks/{name}`: signature first, then the agent's queue, then the answer.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    response::Response,
    routing::post,
};
use hostel_core::{AgentId, Error, Result, task::Order};
use hostel_edge::{Edge, problem};
use hostel_protocol::{
    name::check_name,
    refusal::{Code, Refusal},
};
use hostel_runtime::Node;
use hostel_vault::Vault;
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Scheme, Webhook, reading, target::Untyped, verify::Signed};
use crate::{Delivery, Mail, mail::Taken, throttle::Throttle};

/// Recipients of one posted mail.
const MOST_RECIPIENTS: usize = 20;

/// What the handlers share.
struct Door {
    edge: Edge,
    vault: Option<Vault>,
    mail: Option<Mail>,
    hooks: BTreeMap<String, Webhook>,
    throttle: Throttle,
}

/// The routes of webhooks, to come before those of agents.
pub fn routes(edge: Edge, vault: Option<Vault>, mail: Option<Mail>, hooks: BTreeMap<String, Webhook>) -> Router {
    let door = Door { edge, vault, mail, hooks, throttle: Throttle::default() };
    Router::new().route("/hooks/{name}", post(receive)).with_state(Arc::new(door))
}

/// Whether every webhook has a class and a task to go to.
///
/// # Errors
/// `hook_unroutable`, with the name of the first that has not.
pub fn check(node: &Node, hooks: &BTreeMap<String, Webhook>) -> Result<()> {
    for (name, hook) in hooks.iter().filter(|(_, hook)| !hook.is_mail) {
        let Some(class) = &hook.class else {
            let message = format!("The webhook {name:?} goes nowhere.");
            return Err(Error::coded(Code::HookUnroutable, message).with_fix("say which agent: `.to::<Class>(..)`"));
        };
        let binding = node.directory().resolve(class, true).map_err(Error::from_refusal)?;
        if binding.class.info().task(&hook.task).is_none() {
            let message = format!("{} has no task {:?}, which the webhook {name:?} goes to.", class, hook.task);
            let fix = "write `#[task] fn on_webhook(&mut self, delivery: &Delivery)`, or name another task";
            return Err(Error::coded(Code::HookUnroutable, message).with_fix(fix));
        }
    }
    Ok(())
}

async fn receive(State(door): State<Arc<Door>>, Path(name): Path<String>, request: Request) -> Response {
    let address = door.edge.neighbourhood(request.headers(), request.extensions());
    if let Err(refusal) = door.throttle.check(address) {
        return problem(&refusal, None);
    }
    match door.take(&name, request).await {
        Ok(answer) => answer,
        Err(refusal) => {
            let wrong = matches!(refusal.code, Code::HookUnknown | Code::HookSignature | Code::HookStale);
            let refusal = if wrong { door.throttle.was_wrong(address, refusal) } else { refusal };
            tracing::warn!(hook = %name.escape_debug(), code = refusal.code.as_str(), "a webhook was refused: {}", refusal.message);
            problem(&refusal, None)
        }
    }
}

impl Door {
    async fn take(&self, name: &str, request: Request) -> std::result::Result<Response, Refusal> {
        let (name, hook) = self.hooks.get_key_value(name).ok_or_else(unknown)?;
        let (head, body) = request.into_parts();
        let body = whole(body, hook.most_bytes).await?;
        let secret = hook.secret.reveal(self.vault.as_ref()).await.map_err(|error| {
            tracing::error!(hook = name, error = %error, "the secret of a webhook cannot be had");
            Refusal::new(Code::VaultUnavailable, "The secret of this webhook cannot be had now.")
        })?;
        let now = Timestamp::now();
        let signed = Signed { headers: &head.headers, body: &body, now, tolerance: hook.tolerance };
        hook.scheme.verify(secret.expose(), signed)?;
        drop(secret);
        if hook.is_mail {
            return self.take_mail(&head.uri, &body).await;
        }
        let read = reading::read(name, hook, &head.headers, &body, now).map_err(|error| refused(&error))?;
        if let Some(answer) = greeting(&hook.scheme, &read.delivery) {
            return Ok(answer);
        }
        self.hand_over(hook, read).await.map_err(|error| refused(&error))
    }

    /// A posted mail: the body is the mail, the query has its envelope.
    async fn take_mail(&self, uri: &http::Uri, raw: &[u8]) -> std::result::Result<Response, Refusal> {
        let mail = self.mail.as_ref().ok_or_else(|| {
            Refusal::new(Code::MailUnroutable, "This server takes no mail.").with_fix("say [mail] in hostel.toml")
        })?;
        let (mut from, mut to) = (String::new(), Vec::new());
        for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            match &*name {
                "from" => from = value.into_owned(),
                "to" if to.len() < MOST_RECIPIENTS => to.push(value.into_owned()),
                _ => {}
            }
        }
        if to.is_empty() {
            let message = "The recipient is missing: post to ?from=..&to=..";
            return Err(Refusal::new(Code::MailUnroutable, message));
        }
        let agents = to.iter().map(|to| Ok((to.clone(), mail.resolve(self.edge.node(), &from, to)?)));
        let to = agents.collect::<std::result::Result<Vec<_>, Refusal>>()?;
        mail.take(self.edge.node(), Taken { from: &from, to: &to, raw }).await?;
        Ok(answer(StatusCode::ACCEPTED, &json!({"queued": to.len()})))
    }

    async fn hand_over(&self, hook: &Webhook, read: reading::Read) -> Result<Response> {
        let delivery = read.delivery;
        let choose = hook.choose.as_ref().ok_or_else(|| Error::from_refusal(unknown()))?;
        let Untyped { class, name, task, why } = choose(&delivery)?;
        let Some(name) = name else {
            tracing::info!(hook = delivery.hook, id = delivery.id, why, "a webhook is for nobody");
            return Ok(answer(StatusCode::OK, &json!({"ignored": true})));
        };
        check_name(&name).map_err(Error::from_refusal)?;
        let agent = AgentId::new(&class, &name);
        let order = Order {
            retry: hook.retry,
            source: Some(format!("webhook {} {}", delivery.hook, delivery.id)),
            ..Order::new(task.unwrap_or_else(|| hook.task.clone()), &(&delivery,))?
        };
        let run = self.edge.node().order(&agent, order, Some(&read.key)).await?;
        tracing::debug!(hook = delivery.hook, id = delivery.id, agent = %agent, run = %run, "a webhook is queued");
        Ok(answer(StatusCode::ACCEPTED, &json!({"queued": run})))
    }
}

/// Slack asks an address whether it is ours before it sends anything.
fn greeting(scheme: &Scheme, delivery: &Delivery) -> Option<Response> {
    if *scheme != Scheme::Slack || delivery.event.as_deref() != Some("url_verification") {
        return None;
    }
    Some(answer(StatusCode::OK, &json!({"challenge": delivery.pointer("/challenge")?})))
}

async fn whole(body: Body, most: usize) -> std::result::Result<Vec<u8>, Refusal> {
    match Limited::new(body, most).collect().await {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("The body of the webhook has more than {most} bytes.");
            Err(Refusal::new(Code::BodyTooLarge, message).with_fix("send less, or raise `max_bytes` of the webhook"))
        }
        Err(error) => Err(Refusal::new(Code::MalformedRequest, format!("The body cannot be read: {error}"))),
    }
}

fn unknown() -> Refusal {
    Refusal::new(Code::HookUnknown, "There is no webhook with this name.")
        .with_fix("name it in hostel.toml as [webhooks.NAME], or with `App::webhook`")
}

fn refused(error: &Error) -> Refusal {
    error.to_refusal(Code::Internal)
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
