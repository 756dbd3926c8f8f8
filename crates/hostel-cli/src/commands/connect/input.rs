//! What a typed line means.

use hostel_client::Call;
use hostel_protocol::connection::close;
use serde_json::Value;

pub(super) const HELP: &str = "\
/call METHOD [JSON...]   make a call
/state JSON              replace the state
/close [CODE [REASON]]   close the connection
//text                   send text that begins with a slash
anything else            is sent as it is";

/// What a typed line means.
#[derive(Debug)]
pub(super) enum Input {
    Nothing,
    Help,
    Send(String),
    Call(Call),
    State(Value),
    Close { code: u16, reason: String },
}

/// Reads a typed line; the error is a sentence for the person who typed it.
pub(super) fn read(line: &str) -> Result<Input, String> {
    let Some(command) = line.strip_prefix('/') else {
        return Ok(if line.is_empty() { Input::Nothing } else { Input::Send(line.to_owned()) });
    };
    if command.starts_with('/') {
        return Ok(Input::Send(command.to_owned()));
    }
    let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    match word {
        "call" => call(rest.trim()),
        "state" => match serde_json::from_str(rest) {
            Ok(state) => Ok(Input::State(state)),
            Err(error) => Err(format!("the new state is no JSON: {error}")),
        },
        "close" => close_with(rest.trim()),
        "help" => Ok(Input::Help),
        _ => Err(format!("there is no command /{word}; /help lists them")),
    }
}

fn call(rest: &str) -> Result<Input, String> {
    let (method, args) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if method.is_empty() {
        return Err("which method? /call METHOD [JSON...]".to_owned());
    }
    let args = serde_json::Deserializer::from_str(args).into_iter().collect::<Result<Vec<Value>, _>>();
    let args = args.map_err(|error| format!("the arguments are no JSON values: {error}"))?;
    Ok(Input::Call(Call::new(method, args)))
}

fn close_with(rest: &str) -> Result<Input, String> {
    if rest.is_empty() {
        return Ok(Input::Close { code: close::NORMAL, reason: String::new() });
    }
    let (code, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let code = code.parse().ok().filter(|code| close::may_be_sent(*code));
    let code = code.ok_or("the close code must be 1000 or between 3000 and 4999")?;
    match reason.len() > close::MAX_REASON_BYTES {
        true => Err("the reason is longer than 123 bytes".to_owned()),
        false => Ok(Input::Close { code, reason: reason.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: &str) {
        let found = match read(line) {
            Ok(input) => format!("{input:?}"),
            Err(message) => message,
        };
        assert!(found.contains(expect), "{line}: {found}");
    }

    #[test]
    fn lines_are_messages_unless_they_begin_with_a_slash() {
        check("hello", "Send(\"hello\")");
        check("", "Nothing");
        check("//x", "Send(\"/x\")");
        check("/call add 1 {\"a\":2} \"x\"", "args: [Number(1), Object {\"a\": Number(2)}, String(\"x\")]");
        check("/call", "which method?");
        check("/call add x", "are no JSON values");
        check("/state {\"a\":1}", "State(Object");
        check("/state", "no JSON");
        check("/close", "code: 1000");
        check("/close 4001 bye now", "code: 4001, reason: \"bye now\"");
        check("/close 1006", "must be 1000 or");
        check("/nope", "no command /nope");
    }
}
