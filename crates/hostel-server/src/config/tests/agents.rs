//! Classes that are nothing but configuration.

use super::*;

const SUPPORT: &str = r#"
[agents.Support]
kind = "chat"
model = "main"
system = "You help."
tools = ["time", "fetch"]
fetch_hosts = ["docs.example.com"]
allow = "user"

[agents.Support.http.order]
description = "Looks up an order."
url = "https://shop.example/orders/{number}"
input.number = "The number of the order."
bearer = "secret:SHOP"

[[agents.Support.schedule]]
cron = "0 9 * * MON"
prompt = "Sum up last week."
"#;

#[test]
fn an_agent_can_be_nothing_but_configuration() {
    let config = from_text(SUPPORT).unwrap();
    let chat = config.sections.agents["Support"].chat.as_deref().unwrap();
    assert_eq!(chat.tool_names(), ["time", "fetch", "order"]);
    assert_eq!(chat.http.values().next().unwrap().schema()["required"], serde_json::json!(["number"]));
    assert!(!chat.open_settings && chat.agents.is_empty());
    assert!(config.spellings().contains(&"support".to_owned()));
    let shown: Vec<_> = config.agent_entries().iter().map(|(name, value, at)| format!("{name} {value} {at}")).collect();
    assert_eq!(shown[0], "agents.Support.kind chat hostel.toml:2");
    assert_eq!(shown[3], "agents.Support.path /agents/support/{name} hostel.toml:2");
}

#[test]
fn the_agent_on_the_page_can_be_read() {
    let page = include_str!("../../../../../docs/chat-agents-by-configuration.md");
    let example = page.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let config = from_text(example).unwrap();
    let chat = config.sections.agents["Support"].chat.as_deref().unwrap();
    assert_eq!(chat.tool_names(), ["time", "notes", "fetch", "order"]);
}

#[test]
fn a_mistake_in_an_agent_names_its_line_and_what_to_write() {
    let changed = |from: &str, to: &str| from_text(&SUPPORT.replace(from, to)).unwrap_err();
    for (from, to, line, expect) in [
        ("model =", "modle =", 4, "did you mean `model`?"),
        ("\"time\"", "\"tme\"", 6, "did you mean `time`?"),
        ("kind = \"chat\"", "", 2, "add kind = \"chat\""),
        ("kind = \"chat\"", "kind = \"chta\"", 3, "`chat`"),
        ("0 9 * * MON", "0 9 * MON", 17, "is no cron expression"),
        ("{number}", "{id}", 2, "add input.id = "),
        ("https://shop.example/", "https://{number}.example/", 12, "no fixed host"),
        ("fetch_hosts = [\"docs.example.com\"]", "", 2, "say fetch_hosts"),
        ("http.order]", "http.\"an order\"]", 10, "no name of a tool"),
        ("allow = \"user\"", "allow = \"usr\"", 8, ""),
        ("allow = \"user\"", "ask = [\"ordr\"]", 2, "ask: it has no tool \"ordr\"; did you mean \"order\"?"),
        ("allow = \"user\"", "trust = [\"fly\"]", 2, "its tools are time, fetch, order"),
        ("allow = \"user\"", "ask = [\"order\"]\ntrust = [\"order\"]", 2, "order stands in ask and in trust"),
        ("allow = \"user\"", "agents = [\"Order\"]", 2, "two of its tools are called order"),
        ("allow = \"user\"", "open_setings = true", 8, "did you mean `open_settings`?"),
    ] {
        let error = changed(from, to);
        assert!(error.starts_with(&format!("hostel.toml:{line}: agents: ")), "{to}: {error}");
        assert!(error.contains(expect), "{to}: {error}");
    }
}

#[test]
fn what_an_agent_has_besides_tools_of_its_own_is_read() {
    let more = "agents = [\"Researcher\"]\nmcp = [\"files\"]\nopen_settings = true\nask = [\"whatever_files_has\"]";
    let config = from_text(&SUPPORT.replace("allow = \"user\"", more)).unwrap();
    let chat = config.sections.agents["Support"].chat.as_deref().unwrap();
    assert!(chat.open_settings);
    assert_eq!(chat.tool_names(), ["time", "fetch", "order", "researcher", "mcp:files"]);
}
