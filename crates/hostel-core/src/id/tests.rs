//! Tests of addresses: where an agent is, and that no name makes it another.

use hostel_protocol::name::sub_path;
use proptest::prelude::*;

use super::*;

/// Names that a router could hand over, and some that try to be something else.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,3}",
        "[a/:%._~ é2F]{1,6}",
        Just("sub".to_owned()),
        Just("a/sub/b/c".to_owned()),
        Just("p/x:c".to_owned()),
        Just("%3A".to_owned()),
        any::<String>().prop_filter("can be called that", |name| check_child_name(name).is_ok()),
    ]
    .prop_filter("no dots alone", |name| check_child_name(name).is_ok())
}

/// An agent, by its steps.
fn steps() -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::vec(("[a-z]{1,3}(-[a-z])?", name()), 1..5)
}

fn built(steps: &[(String, String)]) -> AgentId {
    let top = AgentId::new(&steps[0].0, &steps[0].1);
    steps[1..].iter().fold(top, |parent, (class, name)| parent.sub_agent(class, name).unwrap())
}

proptest! {
    #[test]
    fn an_agent_is_where_it_was_put(steps in steps()) {
        let id = built(&steps);
        prop_assert!(id.is_sound());
        let whole: Vec<_> = id.parents().into_iter().chain([id.clone()]).collect();
        let again: Vec<_> = whole.iter().map(|id| (id.namespace().to_owned(), id.name().to_owned())).collect();
        prop_assert_eq!(again, steps);
    }

    #[test]
    fn two_agents_are_never_stored_under_the_same_texts(one in steps(), other in steps()) {
        prop_assert_eq!(built(&one).stored() == built(&other).stored(), one == other);
    }

    #[test]
    fn no_name_makes_an_agent_of_the_top_a_sub_agent(class in "\\PC{0,12}", name in any::<String>()) {
        prop_assert!(!AgentId::new(&class, &name).is_sub_agent());
        let forged = format!("sub_{class}");
        prop_assert!(!AgentId::new(&forged, &name).is_sub_agent());
    }

    #[test]
    fn stored_texts_of_any_kind_are_read_without_panic(namespace in "(sub_)?\\PC{0,8}", name in "[a:/%2]{0,12}|\\PC{0,8}") {
        let id = AgentId::from_stored(&namespace, &name);
        let _ = (id.parent(), id.parents(), id.name(), id.to_string(), id.is_sound());
        prop_assert_eq!(id.stored(), (&*namespace, &*name));
    }

    #[test]
    fn what_is_printed_is_read_back(steps in steps(), top in "[a-z0-9%-]{1,6}") {
        let mut steps = steps;
        steps[0].1 = top;
        let id = built(&steps);
        prop_assert_eq!(id.to_string().parse::<AgentId>().unwrap(), id);
    }

    #[test]
    fn a_printed_address_is_the_path_of_its_url(steps in steps()) {
        let printed = built(&steps).to_string();
        let top = format!("{}/{}", steps[0].0, steps[0].1.escape_debug());
        let mut rest = printed.strip_prefix(&top).unwrap().to_owned();
        for (class, name) in &steps[1..] {
            let found = sub_path(&rest, |known| known == class).unwrap();
            prop_assert_eq!((found.class, &*found.name), (&**class, &**name));
            rest = found.rest.into_owned();
        }
        prop_assert!(rest.is_empty() || rest == "/");
    }
}

#[test]
fn names_that_no_sub_agent_can_have_are_refused() {
    let parent = AgentId::new("Lobby", "a");
    for name in ["", ".", "..", "a\0b"] {
        assert_eq!(parent.sub_agent("Room", name).unwrap_err().code(), Some(Code::NameInvalid), "{name:?}");
    }
    assert_eq!(parent.sub_agent("Room", &"x".repeat(1025)).unwrap_err().code(), Some(Code::NameTooLong));
    assert!(parent.sub_agent("Room", &"/".repeat(1024)).is_ok());
}

#[test]
fn agents_are_at_most_sixteen_deep() {
    let mut id = AgentId::new("Lobby", "a");
    for _ in 1..16 {
        id = id.sub_agent("Room", "a").unwrap();
    }
    assert_eq!(id.sub_agent("Room", "a").unwrap_err().code(), Some(Code::NameTooLong));
}

#[test]
fn texts_that_name_no_agent_are_refused() {
    for text in
        ["", "a", "a/", "/b", "a/b/sub/", "a/b/sub/c", "a/b/sub/c/", "a/b/sub//d", "a/b/sub/c/d/e", "a/b/sub/c/%"]
    {
        assert!(text.parse::<AgentId>().is_err(), "{text}");
    }
    assert_eq!(
        "ParentAgent/p/sub/ChildAgent/c%201".parse::<AgentId>().unwrap().to_string(),
        "parent-agent/p/sub/child-agent/c%201"
    );
}
