//! Reading, listing, matching names, searching.

use hostel_workspace::{Content, Kind, Limits, Lines, ListOptions, Pattern, SearchOptions};

use crate::Place;

#[test]
fn a_range_of_lines_is_read_and_numbered() {
    let place = Place::new();
    place.write("f", (1..=100).map(|n| format!("line {n}\n")).collect::<String>());
    let page = place.workspace.read("f", Lines { first: 10, count: Some(2) }).unwrap();
    assert_eq!(page.text(), Some("line 10\nline 11\n"));
    assert_eq!(page.numbered(), "    10\tline 10\n    11\tline 11\n(11 lines of 100 shown so far; the next is 12)\n");
    let end = place.workspace.read("f", Lines { first: 100, count: Some(5) }).unwrap();
    assert!(matches!(end.content, Content::Text { more: false, total: Some(100), .. }));
    let beyond = place.workspace.read("f", Lines { first: 500, count: None }).unwrap();
    assert_eq!(beyond.text(), Some(""));
}

#[test]
fn a_file_larger_than_may_be_edited_is_read_in_part() {
    let place = Place::with(Limits { file_bytes: 10_000, ..Limits::default() });
    place.write("big", (1..=20_000).map(|n| format!("{n}\n")).collect::<String>());
    let page = place.workspace.read("big", Lines { first: 15_000, count: Some(2) }).unwrap();
    assert_eq!(page.text(), Some("15000\n15001\n"));
    assert!(matches!(page.content, Content::Text { more: true, total: None, .. }));
    assert!(place.workspace.plan_replace("big", "15000", "x", hostel_workspace::Occurrence::Unique).is_err());
}

#[test]
fn long_lines_and_long_answers_are_cut() {
    let place = Place::with(Limits { line_chars: 10, answer_bytes: 40, ..Limits::default() });
    place.write("f", format!("{}\nshort\n{}", "x".repeat(1000), "y\n".repeat(100)));
    let page = place.workspace.read("f", Lines::default()).unwrap();
    let text = page.text().unwrap();
    assert!(text.starts_with("xxxxxxxxxx [cut]\nshort\n") && text.len() <= 60, "{text:?}");
    assert!(matches!(page.content, Content::Text { more: true, cut: 1, .. }));
}

#[test]
fn what_is_not_text_is_named_not_shown() {
    let place = Place::new();
    place.write("p.png", b"\x89PNG\r\n\x1a\n\0\0\0");
    let page = place.workspace.read("p.png", Lines::default()).unwrap();
    assert_eq!(page.numbered(), "p.png is not text: a picture (PNG), 11 bytes");
}

#[test]
fn other_encodings_are_read_as_text() {
    let place = Place::new();
    place.write("latin", b"caf\xe9\n");
    place.write("wide", b"\xff\xfeh\0i\0\n\0");
    assert_eq!(place.workspace.read("latin", Lines::default()).unwrap().text(), Some("café\n"));
    assert_eq!(place.workspace.read("wide", Lines::default()).unwrap().text(), Some("hi\n"));
}

fn tree() -> Place {
    let place = Place::new();
    place.write("src/lib.rs", "fn alpha() {}\nfn beta() { alpha() }\n");
    place.write("src/deep/more.rs", "// Alpha\n");
    place.write("target/out.rs", "fn alpha() {}\n");
    place.write("kept.log", "alpha\n");
    place.write("a.log", "alpha\n");
    place.write(".github/ci.yml", "alpha: 1\n");
    place.write("src/deep/.gitignore", "local\n");
    place.write("src/deep/local", "alpha\n");
    place.write("src/local", "nothing\n");
    place.write(".gitignore", "target/\n*.log\n!kept.log\n");
    place.write(".git/config", "alpha\n");
    place.write("bin", b"alpha\0");
    place
}

#[test]
fn listing_keeps_the_rules_of_gitignore_files() {
    let place = tree();
    let deep = ListOptions { depth: 9, ..ListOptions::default() };
    let paths = |options: &ListOptions| -> Vec<String> {
        place.workspace.list("", options).unwrap().entries.into_iter().map(|entry| entry.path).collect()
    };
    let expected = [
        ".github",
        ".github/ci.yml",
        ".gitignore",
        "bin",
        "kept.log",
        "src",
        "src/deep",
        "src/deep/.gitignore",
        "src/deep/more.rs",
        "src/lib.rs",
        "src/local",
    ];
    assert_eq!(paths(&deep), expected);
    assert!(paths(&ListOptions { ignored: true, ..deep.clone() }).contains(&"target/out.rs".to_owned()));
    let within = place.workspace.list("src/deep", &ListOptions::default()).unwrap().entries;
    assert!(within.iter().all(|entry| entry.path != "src/deep/local"), "{within:?}");
    let top = place.workspace.list("", &ListOptions::default()).unwrap().entries;
    assert!(top.iter().any(|entry| entry.path == "src" && entry.kind == Kind::Directory));
}

#[test]
fn listings_are_bounded_and_say_so() {
    let place = Place::with(Limits { entries: 3, ..Limits::default() });
    for n in 0..5 {
        place.write(&format!("f{n}"), "");
    }
    let listing = place.workspace.list("", &ListOptions::default()).unwrap();
    assert!(listing.entries.len() == 3 && listing.more);
    let globbed = place.workspace.glob("f*").unwrap();
    assert!(globbed.paths.len() == 3 && globbed.more);
}

#[test]
fn names_are_matched_by_patterns() {
    let place = tree();
    let glob = |pattern| place.workspace.glob(pattern).unwrap().paths;
    assert_eq!(glob("*.rs"), ["src/deep/more.rs", "src/lib.rs"]);
    assert_eq!(glob("src/*.rs"), ["src/lib.rs"]);
    assert_eq!(glob("**/*.{yml,rs}"), [".github/ci.yml", "src/deep/more.rs", "src/lib.rs"]);
    assert!(place.workspace.glob("[").is_err());
}

#[test]
fn text_is_searched_with_context_case_words_and_globs() {
    let place = tree();
    let search = |pattern: Pattern, options: SearchOptions| place.workspace.search(&pattern, &options).unwrap();
    let found = search(Pattern::Text("alpha()".into()), SearchOptions::default());
    assert_eq!(found.files.iter().map(|file| (&*file.path, file.count)).collect::<Vec<_>>(), [("src/lib.rs", 2)]);
    let all = search(Pattern::Regex("alpha".into()), SearchOptions { ignore_case: true, ..SearchOptions::default() });
    let paths: Vec<&str> = all.files.iter().map(|file| &*file.path).collect();
    assert_eq!(paths, [".github/ci.yml", "kept.log", "src/deep/more.rs", "src/lib.rs"]);
    let around = search(Pattern::Text("beta".into()), SearchOptions { context: 1, ..SearchOptions::default() });
    let lines: Vec<(u64, bool)> = around.files[0].lines.iter().map(|line| (line.number, line.is_match)).collect();
    assert_eq!(lines, [(1, false), (2, true)]);
    let words = search(Pattern::Text("alph".into()), SearchOptions { words: true, ..SearchOptions::default() });
    assert!(words.files.is_empty());
    let globs = vec!["*.rs".to_owned(), "!src/deep/**".to_owned()];
    let some = search(Pattern::Regex("(?i)alpha".into()), SearchOptions { globs, ..SearchOptions::default() });
    assert_eq!(some.files.len(), 1);
    let two = search(
        Pattern::Regex("\\{\\}\\nfn beta".into()),
        SearchOptions { multiline: true, ..SearchOptions::default() },
    );
    assert_eq!(two.files[0].path, "src/lib.rs");
}

#[test]
fn a_pattern_that_cannot_be_read_is_refused_with_its_reason() {
    let place = tree();
    let error = place.workspace.search(&Pattern::Regex("(".into()), &SearchOptions::default()).unwrap_err().to_string();
    assert!(error.contains("cannot be read") && error.contains("unclosed"), "{error}");
}

#[test]
fn searches_are_bounded_and_say_so() {
    let place = Place::with(Limits { matches: 5, ..Limits::default() });
    place.write("f", "x\n".repeat(100));
    let found = place.workspace.search(&Pattern::Text("x".into()), &SearchOptions::default()).unwrap();
    assert!(found.matches == 5 && found.more);
}

#[test]
fn the_size_of_a_workspace_is_counted_and_bounded() {
    let place = Place::with(Limits { workspace_bytes: 100, ..Limits::default() });
    place.write("a/b", "x".repeat(90));
    assert_eq!(place.workspace.check_size().unwrap().bytes, 90);
    place.write(".git/objects/x", "x".repeat(20));
    assert!(place.workspace.check_size().unwrap_err().to_string().contains("110 bytes; at most 100"));
}
