//! The short way for the commonest frame: a call as `JSON.stringify` writes it.
//!
//! Whatever is out of the ordinary (white space, escapes, other keys, faults) is left to the long way, which decides
//! alone what is a fault. Where both understand a frame they agree.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::RpcRequest;

/// The call that `text` is, if it is an ordinary one.
pub(super) fn rpc(text: &str) -> Option<RpcRequest<'_>> {
    let mut rest = Rest(text);
    let (mut is_rpc, mut id, mut method, mut args, mut key) = (false, None, None, None, None);
    rest.skip("{").then_some(())?;
    loop {
        if rest.skip("\"args\":") {
            args = Some(rest.array()?);
        } else if rest.skip("\"id\":") {
            id = Some(rest.string()?);
        } else if rest.skip("\"method\":") {
            method = Some(rest.string()?);
        } else if rest.skip("\"type\":\"rpc\"") {
            is_rpc = true;
        } else if rest.skip("\"idempotencyKey\":") {
            key = Some(rest.string()?);
        } else {
            return None;
        }
        if !rest.skip(",") {
            break;
        }
    }
    (is_rpc && rest.0 == "}").then_some(RpcRequest {
        id: Cow::Borrowed(id?),
        method: Cow::Borrowed(method?),
        args: args?,
        idempotency_key: key.map(Cow::Borrowed),
    })
}

/// Bytes that end a plain string: its quote, and what makes it no plain one.
const ENDS: [bool; 256] = {
    let mut ends = [false; 256];
    let mut control = 0;
    while control < 0x20 {
        ends[control] = true;
        control += 1;
    }
    ends[b'"' as usize] = true;
    ends[b'\\' as usize] = true;
    ends
};

/// What has not been read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip(&mut self, text: &str) -> bool {
        let rest = self.0.strip_prefix(text);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// A string without escapes.
    fn string(&mut self) -> Option<&'a str> {
        let inner = self.0.strip_prefix('"')?;
        let end = inner.bytes().position(|byte| ENDS[usize::from(byte)])?;
        let (string, rest) = inner.split_at(end);
        self.0 = rest.strip_prefix('"')?;
        Some(string)
    }

    fn array(&mut self) -> Option<&'a RawValue> {
        if !self.0.starts_with('[') {
            return None;
        }
        let mut values = serde_json::Deserializer::from_str(self.0).into_iter::<&RawValue>();
        let array = values.next()?.ok()?;
        self.0 = &self.0[values.byte_offset()..];
        Some(array)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::client::{ClientFrame, JsonLimits, parse::long};

    fn parts(rpc: &RpcRequest<'_>) -> (String, String, String, Option<String>) {
        let key = rpc.idempotency_key.as_ref().map(ToString::to_string);
        (rpc.id.to_string(), rpc.method.to_string(), rpc.args.get().to_owned(), key)
    }

    #[test]
    fn a_call_as_javascript_writes_it_takes_the_short_way() {
        let text = r#"{"args":[1,{"a":"]\""}],"id":"é7","method":"add","type":"rpc"}"#;
        let expected = ("é7".to_owned(), "add".to_owned(), r#"[1,{"a":"]\""}]"#.to_owned(), None);
        assert_eq!(rpc(text).map(|rpc| parts(&rpc)), Some(expected));
        let text = r#"{"type":"rpc","id":"1","method":"add","args":[],"idempotencyKey":"k"}"#;
        assert_eq!(rpc(text).and_then(|rpc| parts(&rpc).3).as_deref(), Some("k"));
    }

    #[test]
    fn what_is_out_of_the_ordinary_goes_the_long_way() {
        for text in [
            r#"{"type":"rpc","id":"1","method":"add","args":[]} "#,
            r#"{"type":"rpc","id":"1","method":"add","args":[1,]}"#,
            r#"{"type":"rpc","id":"1","method":"add","args":[],}"#,
            r#"{"type":"rpc","id":"\u0031","method":"add","args":[]}"#,
            r#"{"type":"rpc","id":"1","method":"add","args":[],"more":1}"#,
            r#"{"type":"rpc","id":1,"method":"add","args":[]}"#,
            r#"{"type":"rpc","id":"1","method":"add"}"#,
            r#"{"type":"call","id":"1","method":"add","args":[]}"#,
            "{\"type\":\"rpc\",\"id\":\"\n\",\"method\":\"add\",\"args\":[]}",
            "{",
            "",
        ] {
            assert!(rpc(text).is_none(), "{text}");
        }
    }

    fn member() -> impl Strategy<Value = String> {
        let key = prop::sample::select(vec!["type", "id", "method", "args", "idempotencyKey", "params", "x"]);
        let value = prop::sample::select(vec![
            "\"rpc\"",
            "\"a\"",
            "\"\\n\"",
            "[]",
            "[1, 2]",
            "[\"]\"]",
            "null",
            "1",
            "{\"a\":[]}",
            "[",
            "\"",
            "",
        ]);
        (key, value).prop_map(|(key, value)| format!("\"{key}\":{value}"))
    }

    proptest! {
        #[test]
        fn both_ways_agree(members in prop::collection::vec(member(), 0..7), end in "[}]{0,2}[ x]?") {
            let text = format!("{{{}{end}", members.join(","));
            if let Some(short) = rpc(&text) {
                match long(&text, &JsonLimits::DEFAULT) {
                    Ok(ClientFrame::Rpc(long)) => prop_assert_eq!(parts(&short), parts(&long)),
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }

        #[test]
        fn every_ordinary_call_is_understood_alike(id in "[a-zA-Z0-9é-]{0,40}", method in "[a-zA-Z]{1,9}") {
            let text = format!(r#"{{"args":[1],"id":"{id}","method":"{method}","type":"rpc"}}"#);
            let Ok(ClientFrame::Rpc(long)) = long(&text, &JsonLimits::DEFAULT) else { panic!("{text}") };
            prop_assert_eq!(rpc(&text).map(|rpc| parts(&rpc)), Some(parts(&long)));
        }
    }
}
