//! The few words a command ends with. What it found stands on its card.

use serde_json::Value;

use super::table::Ending;

/// How much of an answer is repeated, in characters.
const SHORT: usize = 300;

/// What became of a command whose last call ended like this.
pub(super) fn words(ending: Ending<'_>) -> String {
    let output = ending.output.trim();
    if output.starts_with("The user did not allow this.") {
        let reason = output.split_once("The reason given: ").map(|(_, reason)| format!(" The reason: {reason}"));
        return format!("It was not done: somebody said no.{}", reason.unwrap_or_default());
    }
    if ending.failed {
        return format!("It did not work: {}", short(output));
    }
    match serde_json::from_str(output) {
        Ok(Value::Object(fields)) if fields.contains_key("servers") => of_servers(&fields["servers"]),
        Ok(Value::Object(fields)) => of_fields(&|name| fields.get(name).and_then(Value::as_str)),
        _ => of_text(output),
    }
}

fn of_fields<'a>(field: &dyn Fn(&str) -> Option<&'a str>) -> String {
    let said = field("ended").map(|ended| format!("The command: {ended}."));
    let changed = || field("changed").map(|changed| format!("Done: {}.", changed.trim().replace('\n', ", ")));
    let commit = || field("commit").map(|commit| format!("Done: commit {}.", &commit[..commit.len().min(12)]));
    let branch = || field("branch").map(|branch| format!("Done: on branch {branch}."));
    let url = || field("url").map(|url| format!("Done: {url}"));
    let server = || {
        let (server, state) = (field("server")?, field("state")?);
        Some(of_server(server, state, field("error")))
    };
    said.or_else(changed)
        .or_else(server)
        .or_else(url)
        .or_else(|| branch().filter(|_| field("commit").is_none()))
        .or_else(commit)
        .unwrap_or_else(|| "Done.".to_owned())
}

fn of_servers(servers: &Value) -> String {
    let line = |server: &Value| {
        let field = |name: &str| server[name].as_str();
        Some(format!("- {}", of_server(field("name")?, field("state")?, field("error"))))
    };
    let lines: Vec<String> = servers.as_array().into_iter().flatten().filter_map(line).collect();
    if lines.is_empty() { "The project names no MCP servers.".to_owned() } else { lines.join("\n") }
}

fn of_server(name: &str, state: &str, error: Option<&str>) -> String {
    let why = error.map(|why| format!(" ({})", short(why))).unwrap_or_default();
    format!("{name}: {state}{why}")
}

fn of_text(output: &str) -> String {
    match output.lines().count() {
        0 => "Done.".to_owned(),
        1 => short(output),
        lines => format!("{lines} lines."),
    }
}

fn short(text: &str) -> String {
    let end = text.char_indices().nth(SHORT).map_or(text.len(), |(at, _)| at);
    let mark = if end < text.len() { "…" } else { "" };
    format!("{}{mark}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_is_told_in_a_few_words() {
        let said = |output, failed| words(Ending { output, failed });
        assert_eq!(said(r#"{"exitCode":1,"ended":"exit code 1","output":"x"}"#, false), "The command: exit code 1.");
        assert_eq!(said(r#"{"changed":"added a (+1)\n","diff":"…"}"#, false), "Done: added a (+1).");
        assert_eq!(said(r#"{"commit":"0123456789abcdef"}"#, false), "Done: commit 0123456789ab.");
        let servers = r#"{"servers":[{"name":"a","state":"ready"},{"name":"b","state":"unusable","error":"no"}]}"#;
        assert_eq!(said(servers, false), "- a: ready\n- b: unusable (no)");
        assert_eq!(said(r#"{"server":"a","state":"failed","error":"no"}"#, false), "a: failed (no)");
        assert_eq!(said("a\nb\n", false), "2 lines.");
        assert_eq!(said("nothing differs", false), "nothing differs");
        assert_eq!(said("there is no \"x\"", true), "It did not work: there is no \"x\"");
        let no = "The user did not allow this. It was not run. The reason given: too late";
        assert_eq!(said(no, true), "It was not done: somebody said no. The reason: too late");
    }
}
