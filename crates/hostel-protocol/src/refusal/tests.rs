//! Tests of codes and refusals, and of the pages that explain them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::connection::close;

#[test]
fn every_code_reads_back_from_its_text() {
    for code in Code::ALL {
        assert_eq!(code.as_str().parse(), Ok(*code));
    }
    assert!("nope".parse::<Code>().is_err());
    assert!("Unknown_Agent".parse::<Code>().is_err());
}

#[test]
fn codes_are_distinct_and_in_snake_case() {
    let texts: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(texts.len(), Code::ALL.len());
    for text in texts {
        assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{text}");
    }
}

#[test]
fn every_status_is_an_error_and_every_close_code_may_be_sent() {
    for code in Code::ALL {
        assert!((400..600).contains(&code.http_status()), "{code}");
        assert!(close::may_be_sent(code.close_code()), "{code}");
    }
}

#[test]
fn whoever_is_told_to_retry_is_not_closed_for_good() {
    for code in Code::ALL {
        if code.retry_after_secs().is_some() {
            assert!(!close::is_terminal(code.close_code()), "{code}");
        }
        if code.http_status() == 503 {
            assert!(code.retry_after_secs().is_some(), "{code}");
        }
    }
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    let pages: BTreeSet<String> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    let wanted = Code::ALL.iter().map(|code| format!("{code}.md")).collect();
    assert_eq!(pages, wanted);
}

#[test]
fn every_page_opens_with_its_code_and_is_in_the_index() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let index = fs::read_to_string(root.join("docs/errors/README.md")).unwrap();
    for code in Code::ALL {
        let page = fs::read_to_string(root.join(code.docs())).unwrap();
        assert!(page.starts_with(&format!("# `{code}`\n\n{}.", code.title())), "{code}");
        for heading in ["## What you see", "## Why", "## What to change", "## Who can fix it"] {
            assert!(page.contains(heading), "{code}: {heading}");
        }
        let (http, close) = (code.http_status(), code.close_code());
        let row = format!("| [`{code}`]({code}.md) | {http} | {close} | {} |", code.title());
        assert!(index.contains(&row), "the index lacks {row}");
        assert!(page.contains(&format!("HTTP {http}")), "{code}: HTTP status");
        assert!(page.contains(&format!("close code {close}")), "{code}: close code");
    }
}

#[test]
fn a_problem_document_has_the_members_of_rfc_9457_and_ours() {
    let refusal = Refusal::new(Code::UnknownAgent, "No agent \"x\".").with_fix("Use y.").with_detail("nearest", "y");
    assert_eq!(
        refusal.to_problem_json(Some("r-1")),
        r#"{"type":"urn:hostel:error:unknown_agent","title":"No agent class has this name","status":400,"detail":"No agent \"x\".","code":"unknown_agent","fix":"Use y.","docs":"docs/errors/unknown_agent.md","request_id":"r-1","details":{"nearest":"y"}}"#
    );
    let bare = Refusal::new(Code::Internal, "m").to_problem_json(None);
    for absent in ["fix", "request_id", "details"] {
        assert!(!bare.contains(&format!("\"{absent}\"")), "{bare}");
    }
}

#[test]
fn an_error_frame_is_one_flat_object() {
    let refusal = Refusal::new(Code::ForeignDialect, "a \"b\"");
    assert_eq!(refusal.to_error_frame(), r#"{"type":"hostel_error","code":"foreign_dialect","error":"a \"b\""}"#);
    assert_eq!(
        refusal.with_fix("c").to_error_frame(),
        r#"{"type":"hostel_error","code":"foreign_dialect","error":"a \"b\"","fix":"c"}"#
    );
}

#[test]
fn known_sentences_keep_their_wording() {
    let refusal = missing_namespace_or_room("CoderAgent");
    assert_eq!(refusal.code, Code::MissingNamespaceOrRoom);
    assert_eq!(
        refusal.message,
        "Missing namespace or room headers when connecting to CoderAgent. Did you try connecting directly to this Durable Object? Try using getServerByName(namespace, id) instead."
    );
    assert_eq!(
        connection_issues_text("CoderAgent", "default", Code::AgentStartFailed),
        "The CoderAgent is experiencing connection issues. Please try again later.\n\nTechnical details: The system tried to connect to CoderAgent/default but was unable to establish a connection.\n\nReason: agent_start_failed: The agent failed to start"
    );
}

proptest! {
    #[test]
    fn a_close_reason_fits_a_close_frame(message in any::<String>()) {
        let reason = Refusal::new(Code::MissingNamespaceOrRoom, message).close_reason();
        prop_assert!(reason.len() <= close::MAX_REASON_BYTES);
        prop_assert!(reason.starts_with("missing_namespace_or_room: "));
    }
}

#[test]
fn a_long_close_reason_ends_in_an_ellipsis_between_characters() {
    let reason = Refusal::new(Code::Internal, "é".repeat(200)).close_reason();
    assert!(reason.ends_with('…') && (122..=123).contains(&reason.len()));
    assert_eq!(Refusal::new(Code::Internal, "short").close_reason(), "internal: short");
}
