//! What of the chat can be had over HTTP.

mod approvals;
mod ask;
mod events;
mod path;
mod settings;

use hostel::{
    Body, BoxFuture, Code, Cx, Error, Request, Response, Result,
    http::{HeaderValue, header::CONTENT_TYPE},
    protocol::chat::{Dialect, UiMessage, to_v4},
};

use self::path::Wants;
use crate::{
    agent::ChatAgent,
    agents::{self, Knock},
    store::{self, transcript, turns},
};

/// Whether a request is for the chat.
pub(crate) fn wants(request: &Request) -> bool {
    request.extensions().get::<Knock>().is_some() || path::read(request).is_some()
}

/// Answers it.
pub(crate) fn answer<A: ChatAgent>(cx: Cx<A>, request: Request) -> BoxFuture<Result<Response>> {
    Box::pin(async move {
        if let Some(knock) = request.extensions().get::<Knock>() {
            return agents::answer(&cx, knock.clone()).await;
        }
        let wants = path::read(&request);
        if matches!(wants, Some(Wants::Ask | Wants::Decide(_) | Wants::Set))
            && !cx.read(|me| me.may_speak(&cx, &request))?
        {
            return Err(Error::coded(Code::ConnectionReadonly, "Whoever asks may only look at this chat.")
                .with_fix("read it, or ask as somebody who may write"));
        }
        match wants {
            Some(Wants::Ask) => ask::ask(cx, request).await,
            Some(Wants::Approvals) => approvals::list(&cx).await,
            Some(Wants::Decide(id)) => approvals::decide(cx, &id, request).await,
            Some(Wants::Settings) => settings::show(&cx),
            Some(Wants::Set) => settings::set(cx, request).await,
            Some(Wants::Stream) => events::stream(&cx, &request),
            _ => messages(&cx, &request),
        }
    })
}

/// A parameter of the query.
fn query<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let pairs = request.uri().query()?.split('&');
    pairs.filter_map(|pair| pair.split_once('=')).find_map(|(key, value)| (key == name).then_some(value))
}

/// The transcript, oldest first (agents-protocol, 5.2).
fn messages<A: ChatAgent>(cx: &Cx<A>, request: &Request) -> Result<Response> {
    let host = &**cx.host();
    let (mut texts, mut is_old) = (Vec::new(), false);
    host.aside(&mut || {
        texts = transcript::texts(host)?;
        // Pages of that time ask without a query, and only they talk to this agent.
        is_old = request.uri().query().is_none()
            && store::is_begun(host)?
            && turns::last_asked(host)?.is_some_and(|turn| turn.ask.dialect() == Dialect::V4);
        Ok(())
    })?;
    if is_old {
        let parsed = texts.iter().filter_map(|text| UiMessage::parse(text).ok());
        texts = parsed.map(|message| to_v4(&message).to_string()).collect();
    }
    Ok(json(format!("[{}]", texts.join(","))))
}

fn json(body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
