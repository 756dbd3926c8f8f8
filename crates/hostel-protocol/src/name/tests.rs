//! Tests of names and routes.

use proptest::prelude::*;

use super::*;

#[test]
fn kebab_follows_the_published_table() {
    let table = [
        ("CoderAgent", "coder-agent"),
        ("coder-agent", "coder-agent"),
        ("coderagent", "coderagent"),
        ("CODER_AGENT", "coder-agent"),
        ("CODER-AGENT", "coder-agent"),
        ("ROAgent", "r-o-agent"),
        ("ABTest2", "a-b-test2"),
        ("counter_agent", "counter-agent"),
        ("Counter_Agent", "counter--agent"),
        ("counterAgent", "counter-agent"),
        ("MyMCPAgent2", "my-m-c-p-agent2"),
        ("MyAgent_", "my-agent"),
        ("RO2", "ro2"),
        ("Agent2Go", "agent2-go"),
    ];
    for (name, slug) in table {
        assert_eq!(kebab(name), slug, "{name}");
    }
}

#[test]
fn kebab_drops_one_hyphen_at_each_end_as_the_rule_says() {
    let table = [
        ("", ""),
        ("A", "a"),
        ("a", "a"),
        ("-", ""),
        ("_", ""),
        ("__", "-"),
        ("_Agent", "--agent"),
        ("_agent", "-agent"),
        ("-agent", "agent"),
        ("Agent__", "agent-"),
        ("42", "42"),
        ("ÉcoleAgent", "École-agent"),
    ];
    for (name, slug) in table {
        assert_eq!(kebab(name), slug, "{name}");
    }
}

/// The rule of the reference, step by step, slowly.
fn kebab_by_the_book(s: &str) -> String {
    if s == s.to_uppercase() && s != s.to_lowercase() {
        return s.to_lowercase().replace('_', "-");
    }
    let mut t = String::new();
    for c in s.chars() {
        if c.is_ascii_uppercase() {
            t.push('-');
        }
        t.push(c.to_ascii_lowercase());
    }
    let t = t.strip_prefix('-').unwrap_or(&t).replace('_', "-");
    t.strip_suffix('-').unwrap_or(&t).to_owned()
}

proptest! {
    #[test]
    fn kebab_equals_the_rule_step_by_step(s in "[A-Za-z0-9_\\-É]{0,12}|\\PC{0,12}") {
        prop_assert_eq!(kebab(&s), kebab_by_the_book(&s));
    }

    #[test]
    fn every_spelling_of_a_class_has_its_loose_key(s in "[A-Z][a-z]{1,5}([A-Z][a-z]{1,5}){0,3}") {
        let slug = kebab(&s);
        let upper = slug.to_uppercase().replace('-', "_");
        for spelling in [&s.to_lowercase(), &slug, &upper, &slug.replace('-', "_")] {
            prop_assert_eq!(loose_key(spelling), loose_key(&s));
        }
        prop_assert_eq!(kebab(&upper), slug);
    }

    #[test]
    fn camel_case_undoes_snake_case(words in prop::collection::vec("[a-z]{1,6}", 1..4)) {
        let wanted: String = words.iter().enumerate().map(|(n, word)| match n {
            0 => word.clone(),
            _ => word[..1].to_uppercase() + &word[1..],
        }).collect();
        prop_assert_eq!(camel(&words.join("_")), wanted);
    }

    #[test]
    fn any_path_routes_to_pieces_of_itself(path in "(/|a|agents|%2f|\\?|#|\\PC){0,12}", prefix in "(/|a|agents|\\PC){0,4}") {
        if let Route::Agent(found) = route(&path, &prefix) {
            for piece in [found.agent, found.name, found.rest] {
                prop_assert!(path.contains(piece));
            }
            prop_assert!(!found.agent.is_empty() && !found.agent.contains('/'));
            prop_assert!(!found.name.is_empty() && !found.name.contains('/'));
            prop_assert!(!found.rest.starts_with('/'));
        }
    }

    #[test]
    fn a_slip_of_one_letter_finds_its_name(at in 0usize..9, letter in "[a-z]") {
        let mut wanted = "increment".to_owned();
        wanted.replace_range(at..at + 1, &letter);
        prop_assert_eq!(nearest(&wanted, ["ping", "increment", "reset"]), Some("increment"));
    }

    #[test]
    fn near_misses_never_panic(wanted in any::<String>(), known in prop::collection::vec(any::<String>(), 0..4)) {
        let found = nearest(&wanted, known.iter().map(String::as_str));
        prop_assert!(found.is_none_or(|name| known.iter().any(|k| k == name)));
    }
}

#[test]
fn camel_keeps_what_is_no_word_boundary() {
    let table = [
        ("increment_by", "incrementBy"),
        ("ping", "ping"),
        ("get_v2_state", "getV2State"),
        ("_private_thing", "_privateThing"),
        ("trailing_", "trailing"),
        ("two__bars", "twoBars"),
        ("", ""),
    ];
    for (snake, wire) in table {
        assert_eq!(camel(snake), wire);
    }
}

fn agent<'a>(agent: &'a str, name: &'a str, rest: &'a str) -> Route<'a> {
    Route::Agent(AgentPath { agent, name, rest })
}

#[test]
fn paths_route_by_the_published_rules() {
    let table = [
        ("/agents/x/y", agent("x", "y", "")),
        ("/agents//x//y/", agent("x", "y", "")),
        ("/agents/x/y/extra/path", agent("x", "y", "extra/path")),
        ("/agents/x/y//a//b/", agent("x", "y", "a//b/")),
        ("/agents/x/y?_pk=1/2", agent("x", "y", "")),
        ("/agents/c/hello%20world", agent("c", "hello%20world", "")),
        ("/agents/c/a%2Fb", agent("c", "a%2Fb", "")),
        ("/agents/c/%41", agent("c", "%41", "")),
        ("/agents/c/..%2f", agent("c", "..%2f", "")),
        ("/agents/CoderAgent/x", agent("CoderAgent", "x", "")),
        ("/agents", Route::NoMatch(NoMatch::MissingAgent)),
        ("/agents/", Route::NoMatch(NoMatch::MissingAgent)),
        ("/agents/x", Route::NoMatch(NoMatch::MissingName { agent: "x" })),
        ("/agents/x/", Route::NoMatch(NoMatch::MissingName { agent: "x" })),
        ("/agents/x?name=y", Route::NoMatch(NoMatch::MissingName { agent: "x" })),
        ("/Agents/x/y", Route::NoMatch(NoMatch::Prefix)),
        ("/x/agents/y/z", Route::NoMatch(NoMatch::Prefix)),
        ("/parties/x/y", Route::NoMatch(NoMatch::Prefix)),
        ("/agentsx/y/z", Route::NoMatch(NoMatch::Prefix)),
        ("/", Route::NoMatch(NoMatch::Prefix)),
        ("", Route::NoMatch(NoMatch::Prefix)),
    ];
    for (path, wanted) in table {
        assert_eq!(route(path, "agents"), wanted, "{path}");
    }
}

#[test]
fn a_prefix_may_have_several_segments() {
    assert_eq!(route("/api/v1/x/y/z", "api/v1"), agent("x", "y", "z"));
    assert_eq!(route("/api//v1/x/y", "/api/v1/"), agent("x", "y", ""));
    assert_eq!(route("/api/v2/x/y", "api/v1"), Route::NoMatch(NoMatch::Prefix));
    assert_eq!(route("/x/y", ""), agent("x", "y", ""));
}

#[test]
fn a_path_without_an_instance_is_refused_with_its_code() {
    let refuse = |path| match route(path, "agents") {
        Route::NoMatch(why) => why.refusal(path, "agents"),
        Route::Agent(found) => panic!("{found:?}"),
    };
    assert_eq!(refuse("/agents/x").code, Code::MissingName);
    assert_eq!(refuse("/agents").code, Code::NoRoute);
    let refusal = refuse("/elsewhere");
    assert_eq!(refusal.message, "Nothing is served at /elsewhere.");
    assert_eq!(refusal.fix.unwrap(), "Agents are at /agents/{agent}/{name}.");
}

#[test]
fn near_misses_are_close_and_share_something() {
    let known = ["coder-agent", "counter-agent", "rpc"];
    let table = [
        ("coder-agnet", Some("coder-agent")),
        ("CoderAgnt", Some("coder-agent")),
        ("conter_agent", Some("counter-agent")),
        ("rcp", Some("rpc")),
        ("xy", None),
        ("", None),
        ("billing", None),
    ];
    for (wanted, found) in table {
        assert_eq!(nearest(wanted, known), found, "{wanted}");
    }
    assert_eq!(nearest(&"a".repeat(1_000_000), known), None);
}

#[test]
fn a_name_of_1024_bytes_fits_and_one_more_does_not() {
    assert!(check_name(&"n".repeat(1024)).is_ok());
    let refusal = check_name(&"n".repeat(1025)).unwrap_err();
    assert_eq!(refusal.code, Code::NameTooLong);
}

#[test]
fn the_path_of_a_sub_agent_is_found_as_published_servers_find_it() {
    let known = |class: &str| matches!(class, "child-agent" | "mid-agent");
    let found =
        |path: &'static str| sub_path(path, known).map(|sub| (sub.class, sub.name.into_owned(), sub.rest.into_owned()));
    let some = |class, name: &str, rest: &str| Some((class, name.to_owned(), rest.to_owned()));
    for (path, expected) in [
        ("sub/child-agent/c%201/deep/path", some("child-agent", "c 1", "/deep/path")),
        ("sub/child-agent/c", some("child-agent", "c", "/")),
        ("/sub/child-agent/c/", some("child-agent", "c", "/")),
        ("sub//child-agent//c//x//y/", some("child-agent", "c", "/x/y")),
        ("sub/mid-agent/m/sub/child-agent/c/x", some("mid-agent", "m", "/sub/child-agent/c/x")),
        ("x/sub/child-agent/c", some("child-agent", "c", "/")),
        ("sub/sub/child-agent/c", some("child-agent", "c", "/")),
        ("sub/nope-agent/sub/child-agent/c", some("child-agent", "c", "/")),
        ("sub/child-agent/a%2Fb%00+", some("child-agent", "a/b\0+", "/")),
        ("sub/child-agent/%zz/sub/child-agent/c", some("child-agent", "c", "/")),
        ("sub/nope-agent/x", None),
        ("sub/ChildAgent/c1", None),
        ("sub/child-agent", None),
        ("sub/child-agent/%FF", None),
        ("Sub/child-agent/c", None),
        ("", None),
    ] {
        assert_eq!(found(path), expected, "{path}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_segment_and_back(text in any::<String>()) {
        let segment = encode_segment(&text);
        prop_assert!(segment.is_ascii() && !segment.contains(['/', ':', '?', '#', ' ']));
        prop_assert_eq!(decode_segment(&segment).unwrap(), &*text);
    }

    #[test]
    fn no_path_of_a_sub_agent_makes_a_panic(path in "[sub/a%2F ]{0,40}|\\PC{0,40}") {
        if let Some(found) = sub_path(&path, |class| class.len() < 3) {
            prop_assert!(found.rest.starts_with('/'));
        }
    }
}
