//! `POST …/chat`: something is said, and the answer comes as server-sent events, or whole.

use hostel::{
    Code, Cx, Error, Identity, Request, Response, Result,
    http::{HeaderMap, StatusCode},
    protocol::chat::{ChatFault, UiMessage},
};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    events::{self, End},
    json as json_response, query,
};
use crate::{
    agent::ChatAgent,
    room::{Room, Say, TurnInfo},
};

/// Greatest body.
const BYTES: usize = 16 << 20;
/// The header that makes saying the same again say it once.
const KEY: &str = "idempotency-key";
/// The header with the turn's id.
const TURN: &str = "x-hostel-turn";

pub(super) async fn ask<A: ChatAgent>(cx: Cx<A>, request: Request) -> Result<Response> {
    let whole = query(&request, "stream").is_some_and(|stream| stream == "false");
    let who = request.extensions().get().cloned();
    let (parts, body) = request.into_parts();
    let bytes = body.bytes(BYTES).await?;
    let mut say = read(&String::from_utf8_lossy(&bytes))?.by(who);
    let key = if say.id.is_none() { key(&parts.headers) } else { None };
    say.id = match (say.id, key) {
        (Some(id), _) => Some(own(id, say.who.as_ref())),
        (None, key) => key.map(|key| set_apart(key, say.who.as_ref())),
    };
    let fingerprint = key.map(|_| hex(Sha256::new().chain_update(&bytes)));
    let room = Room::of(&cx);
    let said = room.say_once(say, fingerprint.as_deref())?;
    if !said.is_taken {
        return Err(Error::coded(Code::RunBusy, "The agent takes nothing while it is busy.")
            .with_fix("say it again when the answer under way is over"));
    }
    let turn = said.turn.clone();
    let past = past(&room, &turn)?;
    let mut response = match (past, whole) {
        (Some(info), true) => whole_answer(&room, &turn, &End::from(info))?,
        (Some(info), false) => {
            let message = message_of(&room, &info.message)?;
            events::of_the_past(&turn, &End::from(info), message.as_ref())
        }
        (None, true) => {
            let end = events::wait_for_end(&room, &said).await?;
            whole_answer(&room, &turn, &end)?
        }
        (None, false) => events::of_turn(room, said),
    };
    if let Ok(turn) = turn.parse() {
        response.headers_mut().insert(TURN, turn);
    }
    Ok(response)
}

/// A text is what is said; an object has `message`, or `messages` as pages have them.
fn read(body: &str) -> Result<Say> {
    let text = body.trim();
    match text.starts_with('{') {
        true => {
            object(serde_json::from_str(text).map_err(|error| malformed(&format!("The body is no JSON: {error}.")))?)
        }
        false if text.is_empty() => Err(malformed("The body is empty.")),
        false => Ok(Say::text(text)),
    }
}

fn key(headers: &HeaderMap) -> Option<&str> {
    headers.get(KEY).and_then(|key| key.to_str().ok()).filter(|key| !key.is_empty())
}

/// The turn's id for one that was asked for: whoever has an identity has ids of their own.
fn own(id: String, who: Option<&Identity>) -> String {
    match who {
        Some(_) => set_apart(&format!("id {id}"), who),
        None => id,
    }
}

/// The turn's id for a key: nobody may hear what another was answered, nor be in their way, by guessing a key. Those without
/// an identity share theirs.
fn set_apart(key: &str, who: Option<&Identity>) -> String {
    let who = who.map_or_else(String::new, |who| {
        let issuer = who.issuer().map_or(String::new(), |issuer| format!("{}:{issuer}", issuer.len()));
        hex(Sha256::new().chain_update(issuer).chain_update([0]).chain_update(who.subject()))
    });
    format!("key-{}", hex(Sha256::new().chain_update(who).chain_update([0]).chain_update(key)))
}

fn hex(digest: Sha256) -> String {
    data_encoding::HEXLOWER.encode(&digest.finalize())
}

fn object(mut body: Map<String, Value>) -> Result<Say> {
    let message = body.remove("message");
    let messages = body.remove("messages");
    let mut say = match (message, messages) {
        (Some(Value::String(text)), None) => Say::text(text),
        (Some(message @ Value::Object(_)), None) => Say { messages: vec![one(message)?], ..Say::default() },
        (None, Some(Value::Array(all))) => {
            Say { messages: all.into_iter().map(one).collect::<Result<_>>()?, ..Say::default() }
        }
        _ => return Err(malformed("Nothing is said in it.")),
    };
    say.id = body.remove("id").and_then(|id| id.as_str().map(str::to_owned));
    say.body = body;
    Ok(say)
}

fn one(message: Value) -> Result<UiMessage> {
    UiMessage::from_value(message).map_err(|fault: ChatFault| malformed(&fault.to_string()))
}

fn malformed(message: &str) -> Error {
    Error::coded(Code::MalformedRequest, message)
        .with_fix("send a text, {\"message\": \"a text\"}, or {\"messages\": [..]} as pages do")
}

/// The turn, if it is over and the log has nothing of it any more: nothing more will come.
fn past<A: ChatAgent>(room: &Room<A>, turn: &str) -> Result<Option<TurnInfo>> {
    Ok(room.turn(turn)?.filter(|info| !info.is_open && info.seq.is_none()))
}

impl From<TurnInfo> for End {
    fn from(info: TurnInfo) -> Self {
        Self { state: info.state, error: info.error }
    }
}

fn message_of<A: ChatAgent>(room: &Room<A>, id: &str) -> Result<Option<UiMessage>> {
    Ok(room.transcript()?.into_iter().find(|message| message.id == id))
}

/// The answer once it is whole.
fn whole_answer<A: ChatAgent>(room: &Room<A>, turn: &str, end: &End) -> Result<Response> {
    let id = room.turn(turn)?.map(|info| info.message).unwrap_or_default();
    let message = message_of(room, &id)?;
    let text = message.as_ref().map(UiMessage::text).unwrap_or_default();
    let body = json!({"turn": turn, "state": end.state, "error": end.error, "text": text, "message": message});
    let mut response = json_response(body.to_string());
    if end.state == "failed" {
        *response.status_mut() = StatusCode::BAD_GATEWAY;
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> Result<(String, Option<String>)> {
        let say = read(body)?;
        Ok((say.messages.iter().map(UiMessage::text).collect::<Vec<_>>().join("|"), say.id))
    }

    #[test]
    fn a_text_or_an_object_says_something() {
        assert_eq!(said("hello there\n").unwrap(), ("hello there".to_owned(), None));
        assert_eq!(said(r#"{"message": "hi"}"#).unwrap(), ("hi".to_owned(), None));
        let message = r#"{"id":"u1","role":"user","parts":[{"type":"text","text":"a"}]}"#;
        assert_eq!(
            said(&format!(r#"{{"id": "t", "messages": [{message}]}}"#)).unwrap(),
            ("a".to_owned(), Some("t".to_owned()))
        );
    }

    #[test]
    fn what_says_nothing_is_refused_with_what_to_send() {
        for body in ["", "  ", "{}", "{\"message\": 5}", "{broken"] {
            let error = said(body).unwrap_err();
            assert_eq!(error.code(), Some(Code::MalformedRequest), "{body}");
            assert!(error.fix().unwrap().contains("a text"), "{body}");
        }
    }

    #[test]
    fn the_key_of_one_is_not_the_key_of_another() {
        let (ada, bob) = (Identity::new("ada"), Identity::new("bob"));
        let elsewhere = ada.clone().with_issuer("https://id.example");
        let ids = [None, Some(&ada), Some(&bob), Some(&elsewhere)].map(|who| set_apart("k1", who));
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), 4);
        assert_eq!(set_apart("k1", Some(&ada)), ids[1]);
        assert_ne!(set_apart("k2", Some(&ada)), ids[1]);
    }

    #[test]
    fn the_id_of_one_with_an_identity_is_not_that_of_another() {
        let (ada, bob) = (Identity::new("ada"), Identity::new("bob"));
        assert_eq!(own("t1".to_owned(), None), "t1");
        let theirs = [None, Some(&ada), Some(&bob)].map(|who| own("t1".to_owned(), who));
        assert_eq!(std::collections::BTreeSet::from(theirs).len(), 3);
        // An id is no key.
        assert_ne!(own("t1".to_owned(), Some(&ada)), set_apart("t1", Some(&ada)));
    }
}
