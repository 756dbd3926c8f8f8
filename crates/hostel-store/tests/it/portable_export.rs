//! An agent leaves as one file and arrives elsewhere; a file that is not what it says is refused with a reason.

use std::io::Write;

use hostel_journal::record::{ALIGN, HEADER, Header};
use hostel_journal::{Entry, EntryHead, Kind};
use hostel_store::{
    AgentKey, Attached, Author, Cause, ExportOptions, HistoryOptions, Image, Options, Retention, SqlValue, Store,
    make_durable,
};

use super::{Disk, files, keep};

pub(super) fn export(store: &Store, key: &AgentKey) -> Vec<u8> {
    let mut out = Vec::new();
    store.export(key, ExportOptions::default(), &mut out).unwrap();
    out
}

pub(super) fn key(name: &str) -> AgentKey {
    AgentKey::new("counter", name)
}

/// Some turns with rows, an alarm and causes.
pub(super) fn busy(disk: &Disk, name: &str) {
    disk.store.register_alarm(&key(name), 1_000_020).unwrap();
    let mut agent = disk.agent(name);
    agent.sql("CREATE TABLE t (n INTEGER PRIMARY KEY, filler TEXT)", &[]).unwrap();
    make_durable(&agent.commit().unwrap().unwrap()).unwrap();
    for n in 1..=20 {
        agent.begin().unwrap();
        agent.set_cause(Cause { event: "call", what: "add", author: Author::Connection("c1") });
        agent.sql("INSERT INTO t VALUES (?1, hex(randomblob(700)))", &[n.into()]).unwrap();
        agent.set_state(&format!("{{\"count\":{n}}}")).unwrap();
        agent.set_alarm(Some(1_000_000 + n)).unwrap();
        make_durable(&agent.commit().unwrap().unwrap()).unwrap();
    }
}

fn rows(store: &Store, name: &str) -> Vec<Vec<SqlValue>> {
    let mut agent = store.agent("counter", name).unwrap();
    let rows = agent.sql("SELECT * FROM t ORDER BY n", &[]).unwrap().rows;
    agent.rollback().unwrap();
    rows
}

fn install(store: &Store, from: &[u8]) {
    let parcel = store.unpack(&mut &*from).unwrap();
    let key = AgentKey::new(&*parcel.namespace, &*parcel.name);
    if let Some(history) = &parcel.history {
        store.keep_imported_history(&key, history).unwrap();
    }
    install_image(store, parcel.image);
}

fn install_image(store: &Store, image: Image) {
    let key = image.identity().unwrap().unwrap();
    let mut agent = store.agent(key.namespace(), key.name()).unwrap();
    agent.replace(image, Cause { event: "import", what: "", author: Author::Operator }).unwrap();
}

/// The members of an export by name.
fn members(tar: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(tar);
    let read = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        std::io::copy(&mut entry, &mut bytes).unwrap();
        (entry.path().unwrap().to_string_lossy().into_owned(), bytes)
    };
    archive.entries().unwrap().map(read).collect()
}

fn pack(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        // As a stranger would: any name at all.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        builder.append(&header, &**bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn refused(store: &Store, tar: &[u8]) -> String {
    let error = store.unpack(&mut &*tar).unwrap_err();
    assert_eq!(error.code(), "export_invalid", "{error}");
    error.to_string()
}

/// The members with others in the place of `database` and `history`, and a manifest that fits them.
fn forge(good: &[(String, Vec<u8>)], database: Vec<u8>, history: Vec<u8>, turns: u64) -> Vec<u8> {
    let mut manifest: serde_json::Value = serde_json::from_slice(&good[0].1).unwrap();
    for (at, bytes) in [&database, &history].into_iter().enumerate() {
        let sum = data_encoding::HEXLOWER.encode(&<sha2::Sha256 as sha2::Digest>::digest(bytes));
        manifest["members"][at]["sha256"] = sum.into();
        manifest["members"][at]["bytes"] = bytes.len().into();
    }
    manifest["members"][1]["turns"] = turns.into();
    let mut forged = good.to_vec();
    (forged[0].1, forged[1].1, forged[2].1) = (manifest.to_string().into_bytes(), database, history);
    pack(&forged)
}

/// The bytes of a database after some SQL.
fn changed(database: &[u8], sql: &str) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().write_all(database).unwrap();
    let conn = rusqlite::Connection::open(file.path()).unwrap();
    conn.execute_batch(sql).unwrap();
    conn.close().unwrap();
    std::fs::read(file.path()).unwrap()
}

/// A history of one turn, which leaves this database behind. The other facts are those of the first turn of `like`.
fn history_of(database: &[u8], like: &[u8]) -> Vec<u8> {
    let header = Header::decode(&like[32..32 + HEADER], 0).unwrap();
    let pages = database.chunks_exact(4096);
    let head = EntryHead {
        agent: header.agent,
        namespace: "counter",
        name: "a",
        epoch: header.epoch,
        kind: Kind::Create,
        time_ms: header.time_ms,
        cause: b"",
        page_size: 4096,
        db_pages: pages.len() as u32,
    };
    let entry = Entry::new(&head, (1..).zip(pages));
    let body = entry.body();
    let header = Header {
        kind: Kind::Create,
        body_len: body.len() as u32,
        body_crc: crc32fast::hash(body),
        page_size: head.page_size,
        db_pages: head.db_pages,
        ..header
    };
    let mut history = [&like[..16], &1_u64.to_le_bytes(), &[0; 8], &header.encode(0), body].concat();
    history.resize(32 + (history.len() - 32).next_multiple_of(ALIGN), 0);
    history
}

#[test]
fn a_database_in_an_imported_history_is_believed_no_more_than_the_one_beside_it() {
    let (here, there) = (Disk::new(), Disk::new());
    busy(&here, "a");
    let good = members(&export(&here.store, &key("a")));
    let on = |table: &str, does: &str| format!("CREATE TRIGGER x AFTER UPDATE ON {table} BEGIN {does}; END;");
    for (sql, why) in [
        (on("cf_agents_state", "DELETE FROM t"), "the trigger x"),
        (on("hostel_meta", "DELETE FROM t"), "not as Hostel makes them"),
        ("CREATE TABLE child (k REFERENCES hostel_idempotency (key) ON DELETE CASCADE)".to_owned(), "the table child"),
    ] {
        let hostile = changed(&good[1].1, &format!("{sql}; PRAGMA journal_mode=WAL"));
        install(&there.store, &forge(&good, good[1].1.clone(), history_of(&hostile, &good[2].1), 1));
        let mut past = there.store.image(&key("a"), hostel_store::Moment::Turn(-1)).unwrap();
        let error = past.rename_to(&key("b")).unwrap_err();
        assert!(error.code() == "storage_corrupt" && error.to_string().contains(why), "{error}");
        let error = there.agent("a").replace(past, Cause { event: "", what: "", author: Author::Operator });
        assert_eq!(error.unwrap_err().code(), "storage_corrupt");
        assert_eq!(rows(&there.store, "a").len(), 20);
    }
}

#[test]
fn an_export_is_a_manifest_a_plain_database_and_the_history_in_this_order() {
    let disk = Disk::new();
    busy(&disk, "a");
    let members = members(&export(&disk.store, &key("a")));
    let names: Vec<_> = members.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["manifest.json", "agent.db", "history.hist"]);
    let manifest: serde_json::Value = serde_json::from_slice(&members[0].1).unwrap();
    assert_eq!(manifest["format"], "hostel-export");
    assert_eq!((&manifest["namespace"], &manifest["name"]), (&"counter".into(), &"a".into()));
    assert_eq!(manifest["members"][1]["turns"], 21);
    // Neither a log nor a reader of logs is needed: the header says so.
    assert_eq!(members[1].1[18..20], [1, 1]);
}

#[test]
fn tables_that_layers_above_made_arrive_with_the_agent() {
    let disk = Disk::new();
    busy(&disk, "a");
    let good = members(&export(&disk.store, &key("a")));
    let made = "CREATE TABLE hostel_chat_log (seq INTEGER PRIMARY KEY, body TEXT UNIQUE);
        CREATE INDEX hostel_chat_log_body ON hostel_chat_log (body); INSERT INTO hostel_chat_log VALUES (1, 'hello');
        PRAGMA journal_mode=DELETE";
    let parcel = disk.store.unpack(&mut &*forge(&good, changed(&good[1].1, made), good[2].1.clone(), 21)).unwrap();
    let conn = rusqlite::Connection::open(parcel.image.path()).unwrap();
    let body: String = conn.query_row("SELECT body FROM hostel_chat_log", [], |row| row.get(0)).unwrap();
    assert_eq!(body, "hello");
}

#[test]
fn what_an_agents_own_tables_declare_arrives_as_it_is() {
    let disk = Disk::new();
    busy(&disk, "a");
    let good = members(&export(&disk.store, &key("a")));
    let made = "CREATE TABLE own (n CHECK (n > 0), twice AS (n * 2), at TEXT DEFAULT (hex(9)), UNIQUE (n));
        CREATE VIEW seen AS SELECT n FROM own; CREATE INDEX own_twice ON own (n * 2) WHERE n > 1;
        CREATE TRIGGER x AFTER INSERT ON own BEGIN DELETE FROM t WHERE n = new.n; END; PRAGMA journal_mode=DELETE";
    let parcel = disk.store.unpack(&mut &*forge(&good, changed(&good[1].1, made), good[2].1.clone(), 21)).unwrap();
    let there = Disk::new();
    install_image(&there.store, parcel.image);
    let mut agent = there.agent("a");
    agent.sql("INSERT INTO own (n, at) VALUES (3, '')", &[]).unwrap();
    assert_eq!(agent.sql("SELECT twice FROM own JOIN seen USING (n)", &[]).unwrap().rows, [[SqlValue::Integer(6)]]);
    agent.rollback().unwrap();
}

#[test]
fn what_was_allowed_on_another_server_does_not_arrive() {
    let disk = Disk::new();
    busy(&disk, "a");
    let good = members(&export(&disk.store, &key("a")));
    let tables = ["hostel_mcp_servers", "hostel_mcp_grants", "hostel_chat_permissions", "coder_mcp", "coder_rule_pins"];
    let made = tables.map(|name| format!("CREATE TABLE {name} (id TEXT); INSERT INTO {name} VALUES ('x');")).concat();
    for (mode, arrives) in [("auto", ""), ("whatever", ""), ("ask", "ask"), ("plan", "plan")] {
        let made = format!("{made} {CODER_POLICY} INSERT INTO coder_policy VALUES ('mode', '{mode}'); {DELETE}");
        let forged = forge(&good, changed(&good[1].1, &made), good[2].1.clone(), 21);
        let parcel = disk.store.unpack(&mut &*forged).unwrap();
        let conn = rusqlite::Connection::open(parcel.image.path()).unwrap();
        let one = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        for name in tables {
            assert_eq!(one(&format!("SELECT count(*) || '' FROM {name}")), "0", "{name}");
        }
        assert_eq!(one("SELECT coalesce(group_concat(value), '') FROM coder_policy"), arrives);
        assert_eq!(one("SELECT group_concat(id || action || tool) FROM coder_rules"), "2askedit,3denycommand");
    }
}

/// The coding agent's own tables, as it makes them, with a rule of each kind, and one that nobody knows.
const CODER_POLICY: &str = "CREATE TABLE coder_policy (name text primary key, value text not null) without rowid;
    CREATE TABLE coder_rules (id integer primary key, tool text not null, pattern text,
    action text not null, since integer not null, given_by text);
    INSERT INTO coder_rules (tool, action, since) VALUES
    ('run_command', 'allow', 1), ('edit', 'ask', 1), ('command', 'deny', 1), ('x', 'ALLOW', 1);";
const DELETE: &str = "PRAGMA journal_mode=DELETE";

#[test]
fn an_archive_cannot_allow_anew_what_did_not_arrive() {
    let disk = Disk::new();
    busy(&disk, "a");
    let good = members(&export(&disk.store, &key("a")));
    let allow = "BEGIN INSERT INTO CODER_RULES (tool, action, since) VALUES ('*', 'allow', 1); END";
    for (sql, why) in [
        (format!("CREATE TRIGGER x AFTER DELETE ON coder_rules {allow}"), "the trigger x hangs on coder_rules"),
        (format!("CREATE TABLE own (n); CREATE TRIGGER x AFTER INSERT ON own {allow}"), "the trigger x names"),
        (
            "CREATE TABLE own (n); CREATE TRIGGER x AFTER INSERT ON own BEGIN DELETE FROM \"Coder_Policy\"; END".to_owned(),
            "the trigger x names",
        ),
        (
            "CREATE TABLE coder_mcp (id TEXT); CREATE TRIGGER x AFTER DELETE ON coder_mcp BEGIN INSERT INTO coder_mcp VALUES ('x'); END"
                .to_owned(),
            "the trigger x hangs on coder_mcp",
        ),
        ("CREATE TABLE coder_rule_pins (id TEXT, n AS (id))".to_owned(), "the table coder_rule_pins declares more"),
        ("CREATE TABLE own (n REFERENCES coder_rules (id))".to_owned(), "refers to coder_rules"),
    ] {
        let made = format!("{CODER_POLICY} {sql}; {DELETE}");
        let refused = disk.store.unpack(&mut &*forge(&good, changed(&good[1].1, &made), good[2].1.clone(), 21));
        let refused = refused.map(drop).unwrap_err();
        assert!(refused.code() == "export_invalid" && refused.to_string().contains(why), "{why}: {refused}");
    }
}

#[test]
fn what_was_allowed_elsewhere_does_not_come_back_out_of_an_imported_history() {
    let (here, there) = (Disk::new(), Disk::new());
    busy(&here, "a");
    let good = members(&export(&here.store, &key("a")));
    let tables = ["hostel_mcp_servers", "hostel_mcp_grants", "hostel_chat_permissions"];
    let made = tables.map(|name| format!("CREATE TABLE {name} (id TEXT); INSERT INTO {name} VALUES ('x');")).concat();
    let past = changed(&good[1].1, &format!("{made} PRAGMA journal_mode=WAL"));
    install(&there.store, &forge(&good, good[1].1.clone(), history_of(&past, &good[2].1), 1));
    for name in ["a", "forked"] {
        let mut image = there.store.image(&key("a"), hostel_store::Moment::Turn(-1)).unwrap();
        if name == "forked" {
            image.rename_to(&key(name)).unwrap();
        }
        install_image(&there.store, image);
        let image = there.agent(name).image().unwrap();
        let conn = rusqlite::Connection::open(image.path()).unwrap();
        for table in tables {
            let left: u32 = conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
            assert_eq!(left, 0, "{name} {table}");
        }
    }

    let hostile = changed(
        &good[1].1,
        "CREATE TABLE cf_ai_chat_agent_messages (id text primary key, message text not null, created_at text);
        CREATE TRIGGER x AFTER INSERT ON cf_ai_chat_agent_messages BEGIN DELETE FROM t; END; PRAGMA journal_mode=WAL",
    );
    install(&there.store, &forge(&good, good[1].1.clone(), history_of(&hostile, &good[2].1), 1));
    let image = there.store.image(&key("a"), hostel_store::Moment::Turn(-1)).unwrap();
    let error = there.agent("a").replace(image, Cause { event: "", what: "", author: Author::Operator }).unwrap_err();
    assert!(error.code() == "storage_corrupt" && error.to_string().contains("the trigger x"), "{error}");
}

#[test]
fn an_arrival_is_known_by_its_number_before_and_after_turns_and_starts() {
    let (here, there) = (Disk::new(), Disk::new());
    busy(&here, "a");
    assert_eq!((here.store.arrival(&key("a")), here.store.arrival(&key("nobody"))), (None, None));
    let mut image = there.store.unpack(&mut &*export(&here.store, &key("a"))).unwrap().image;
    image.note_arrival(77).unwrap();
    install_image(&there.store, image);
    assert_eq!(there.store.arrival(&key("a")), Some(77));
    keep(&mut there.agent("a"), "\"later\"");
    let there = there.reopen();
    assert_eq!(there.store.arrival(&key("a")), Some(77));
    let hash: [u8; 16] = <sha2::Sha256 as sha2::Digest>::digest(b"counter\0a")[..16].try_into().unwrap();
    assert!(there.store.has_file(&hash) && !there.store.has_file(&[7; 16]));
}

#[test]
fn what_is_kept_of_an_agent_elsewhere_goes_with_it() {
    let disk = Disk::new();
    busy(&disk, "a");
    let export = |attached: &[Attached<'_>]| {
        let mut out = Vec::new();
        disk.store.export_with(&key("a"), ExportOptions::default(), attached, &mut out).map(|_| out)
    };
    let has = |out: &mut dyn Write| out.write_all(b"files").map(|()| true);
    let has_not = |_: &mut dyn Write| Ok(false);
    let attached = [Attached { name: "none", write: &has_not }, Attached { name: "workspace", write: &has }];
    let good = members(&export(&attached).unwrap());
    assert_eq!(good.iter().map(|(name, _)| &**name).next_back(), Some("attachments/workspace.tar"));
    let parcel = disk.store.unpack(&mut &*pack(&good)).unwrap();
    let [workspace] = &parcel.attachments[..] else { panic!("{parcel:?}") };
    assert_eq!(
        (&*workspace.name, std::io::read_to_string(workspace.open().unwrap()).unwrap()),
        ("workspace", "files".into())
    );
    drop(parcel);

    let manifest = String::from_utf8(good[0].1.clone()).unwrap();
    for (path, why) in [
        ("../workspace.tar", "among the attachments"),
        ("attachments/../x.tar", "among the attachments"),
        ("attachments/.tar", "among the attachments"),
        ("attachments/elsewhere.tar", "where attachments/elsewhere.tar should be"),
    ] {
        let mut bad = good.clone();
        bad[0].1 = manifest.replace("attachments/workspace.tar", path).into_bytes();
        let said = refused(&disk.store, &pack(&bad));
        assert!(said.contains(why), "{said}");
    }
    let mut bad = good.clone();
    bad[3].1[0] ^= 1;
    assert!(refused(&disk.store, &pack(&bad)).contains("checksum of attachments/workspace.tar"));
    assert!(refused(&disk.store, &pack(&good[..3])).contains("ends where attachments/workspace.tar"));
    let mut more = good.clone();
    more.push(("attachments/more.tar".to_owned(), Vec::new()));
    assert!(refused(&disk.store, &pack(&more)).contains("more in it"));
    let fails = |_: &mut dyn Write| Err(std::io::Error::other("not today"));
    let error = export(&[Attached { name: "workspace", write: &fails }]).unwrap_err();
    assert!(error.to_string().contains("not today"), "{error}");
    assert!(files(&disk.dir.path().join("tmp")).is_empty());
}

#[test]
fn an_open_agent_with_turns_under_way_is_exported_as_far_as_it_is_durable() {
    let disk = Disk::new();
    busy(&disk, "a");
    let mut agent = disk.agent("a");
    agent.begin().unwrap();
    agent.set_state("\"half\"").unwrap();
    let parcel = disk.store.unpack(&mut &*export(&disk.store, &key("a"))).unwrap();
    assert_eq!(parcel.image.state().unwrap().as_deref(), Some("{\"count\":20}"));
    assert_eq!(parcel.image.identity().unwrap(), Some(key("a")));
    assert_eq!(parcel.image.alarm().unwrap(), Some(1_000_020));
    agent.rollback().unwrap();
}

#[test]
fn an_import_has_every_row_and_its_history_comes_before_its_first_turn_here() {
    let (here, there) = (Disk::new(), Disk::new());
    busy(&here, "a");
    keep(&mut there.agent("other"), "1");
    install(&there.store, &export(&here.store, &key("a")));
    assert_eq!(rows(&there.store, "a"), rows(&here.store, "a"));
    let query = hostel_store::HistoryQuery { limit: 100, ..Default::default() };
    let page = there.store.history(&key("a"), &query).unwrap();
    let turns: Vec<i64> = page.turns.iter().map(|turn| turn.turn).collect();
    assert_eq!(turns[1..], (-21..=-1).rev().collect::<Vec<_>>());
    assert!(turns[0] > 0);
    assert_eq!(page.turns[0].cause.event, "import");
    assert_eq!(page.turns[1].cause.to_string(), "call add by connection c1");
    let past = there.store.image(&key("a"), hostel_store::Moment::Turn(-11)).unwrap();
    assert_eq!(past.state().unwrap().as_deref(), Some("{\"count\":10}"));
    // After a restart too, and from there it goes on to a third place with all of it.
    let there = there.reopen();
    keep(&mut there.agent("a"), "\"later\"");
    let third = Disk::new();
    install(&third.store, &export(&there.store, &key("a")));
    let page = third.store.history(&key("a"), &query).unwrap();
    assert_eq!(page.turns.len(), 24);
    assert_eq!(page.turns[1].turn, -1);
    assert_eq!(page.turns.last().unwrap().turn, -23);
    assert_eq!(rows(&third.store, "a"), rows(&here.store, "a"));
}

#[test]
fn no_image_is_carried_across_a_gap_that_was_known_where_the_history_comes_from() {
    let (here, there) = (Disk::new(), Disk::new());
    keep(&mut here.agent("a"), "1");
    keep(&mut here.agent("a"), "2");
    let here = here.reopen();
    keep(&mut here.agent("a"), "3");
    keep(&mut here.agent("a"), "4");
    let turns = here.store.history(&key("a"), &hostel_store::HistoryQuery::default()).unwrap().turns;
    let gap = format!("all {}", turns[2].turn);
    std::fs::create_dir_all(here.dir.path().join("history")).unwrap();
    let line = format!("{gap} {:08x}\n", crc32fast::hash(gap.as_bytes()));
    std::fs::write(here.dir.path().join("history/gaps.list"), line).unwrap();
    let image = |store: &Store, turn| store.image(&key("a"), hostel_store::Moment::Turn(turn)).map(drop);
    assert_eq!(image(&here.store, turns[0].turn).unwrap_err().code(), "history_gone");
    install(&there.store, &export(&here.store, &key("a")));
    for gone in [-2, -1] {
        assert_eq!(image(&there.store, gone).unwrap_err().code(), "history_gone");
    }
    image(&there.store, -3).unwrap();
    let page = there.store.history(&key("a"), &hostel_store::HistoryQuery::default()).unwrap();
    assert_eq!(page.damage, ["what was between turn #-3 and turn #-2 is lost"]);
}

#[test]
fn without_a_history_nothing_of_the_past_leaves() {
    let disk = Disk::new();
    busy(&disk, "a");
    let mut out = Vec::new();
    let exported = disk.store.export(&key("a"), ExportOptions { history: false }, &mut out).unwrap();
    assert_eq!(exported.turns, 0);
    assert_eq!(members(&out).len(), 2);
    assert!(disk.store.unpack(&mut &*out).unwrap().history.is_none());
}

#[test]
fn what_does_not_exist_cannot_be_exported() {
    let disk = Disk::new();
    keep(&mut disk.agent("gone"), "1");
    disk.agent("gone").destroy().unwrap();
    for name in ["never", "gone"] {
        let error = disk.store.export(&key(name), ExportOptions::default(), &mut Vec::new()).unwrap_err();
        assert_eq!(error.code(), "agent_not_found");
    }
}

#[test]
fn no_name_in_a_hostile_file_is_ever_a_path() {
    let disk = Disk::new();
    busy(&disk, "a");
    let good = members(&export(&disk.store, &key("a")));
    let before = files(disk.dir.path());
    for name in ["../../evil", "/tmp/evil", "agent.db/../x", "manifest.json", "./agent.db", "AGENT.DB", ""] {
        let mut bad = good.clone();
        bad[1].0 = name.to_owned();
        assert!(refused(&disk.store, &pack(&bad)).contains("where agent.db should be"), "{name}");
    }
    assert_eq!(files(disk.dir.path()), before);
}

#[test]
fn links_directories_and_names_for_the_next_entry_are_refused() {
    let disk = Disk::new();
    for kind in
        [tar::EntryType::Symlink, tar::EntryType::Directory, tar::EntryType::GNULongName, tar::EntryType::XHeader]
    {
        let mut header = tar::Header::new_gnu();
        header.set_path("manifest.json").unwrap();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, &b""[..]).unwrap();
        assert!(refused(&disk.store, &builder.into_inner().unwrap()).contains("manifest.json"));
    }
}

#[test]
fn a_file_that_claims_more_than_there_is_room_for_is_refused_before_it_is_read() {
    let disk = Disk::new();
    busy(&disk, "a");
    let mut bomb = members(&export(&disk.store, &key("a")));
    let manifest = String::from_utf8(bomb[0].1.clone()).unwrap();
    let bytes = format!("\"bytes\": {}", bomb[1].1.len());
    for claim in [u64::MAX, 1 << 60] {
        bomb[0].1 = manifest.replacen(&bytes, &format!("\"bytes\": {claim}"), 1).into_bytes();
        let error = disk.store.unpack(&mut &*pack(&bomb)).unwrap_err();
        assert!(["storage_full", "export_invalid"].contains(&error.code()), "{error}");
    }
    let mut header = tar::Header::new_gnu();
    header.set_path("manifest.json").unwrap();
    header.set_size(1 << 62);
    header.set_cksum();
    assert!(refused(&disk.store, header.as_bytes()).contains("claims"));
    assert!(files(&disk.dir.path().join("tmp")).is_empty());
}

#[test]
fn a_cut_file_and_a_changed_byte_are_refused_wherever_they_are() {
    let disk = Disk::new();
    keep(&mut disk.agent("a"), "1");
    let good = export(&disk.store, &key("a"));
    disk.store.unpack(&mut &*good).unwrap();
    let used: usize = members(&good).iter().map(|(_, bytes)| 512 + bytes.len().next_multiple_of(512)).sum();
    for cut in (0..used).step_by(977) {
        disk.store.unpack(&mut &good[..cut]).unwrap_err();
    }
    for at in (0..used).step_by(331) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        if let Ok(parcel) = disk.store.unpack(&mut &*bad) {
            // A byte that fills up a block, or one of the tar's own that says nothing.
            assert_eq!(parcel.image.state().unwrap().as_deref(), Some("1"), "byte {at}");
        }
    }
}

#[test]
fn a_database_that_is_not_the_agents_or_not_as_hostel_makes_it_is_refused() {
    let disk = Disk::new();
    busy(&disk, "a");
    let good = members(&export(&disk.store, &key("a")));
    let tamper = |sql: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().write_all(&good[1].1).unwrap();
        let conn = rusqlite::Connection::open(file.path()).unwrap();
        conn.execute_batch(sql).unwrap();
        drop(conn);
        let mut bad = good.clone();
        bad[1].1 = std::fs::read(file.path()).unwrap();
        let (old, new) = (&good[1].1, &bad[1].1);
        let sum = |bytes: &[u8]| data_encoding::HEXLOWER.encode(&<sha2::Sha256 as sha2::Digest>::digest(bytes));
        let manifest = String::from_utf8(bad[0].1.clone()).unwrap();
        let manifest = manifest.replace(&sum(old), &sum(new));
        let sizes = (format!("\"bytes\": {}", old.len()), format!("\"bytes\": {}", new.len()));
        bad[0].1 = manifest.replacen(&sizes.0, &sizes.1, 1).into_bytes();
        refused(&disk.store, &pack(&bad))
    };
    let check = |sql: &str, why: &str| {
        let said = tamper(sql);
        assert!(said.contains(why), "{said}");
    };
    check("UPDATE hostel_meta SET name = 'b'", "not of counter/a");
    check("DELETE FROM hostel_meta", "does not say whose");
    check("PRAGMA user_version = 99", "schema version 99");
    check("CREATE TRIGGER x AFTER UPDATE ON cf_agents_state BEGIN DELETE FROM t; END", "the trigger x");
    check("CREATE TRIGGER x AFTER UPDATE ON hostel_meta BEGIN DELETE FROM t; END", "not as Hostel makes them");
    check("ALTER TABLE hostel_meta ADD COLUMN extra", "not as Hostel makes them");
    check("CREATE TABLE hostel_more (n)", "not as Hostel makes them");
    // Those of the layers above, which are made when they are first needed, run nothing.
    let of_chat = "CREATE TABLE hostel_chat_log (seq INTEGER PRIMARY KEY, body TEXT UNIQUE);";
    check(
        &format!("{of_chat} CREATE TRIGGER x AFTER INSERT ON hostel_chat_log BEGIN DELETE FROM t; END"),
        "not as Hostel makes them",
    );
    check("CREATE VIEW hostel_chat_log AS SELECT 1 AS seq", "not as Hostel makes them");
    // Nor do they compute, or those that the Agents SDK would write too.
    for of_ours in [
        "CREATE TABLE hostel_chat_log (seq INTEGER PRIMARY KEY, body TEXT CHECK (length(body)))".to_owned(),
        "CREATE TABLE hostel_chat_log (seq INTEGER PRIMARY KEY, body TEXT, more AS (body))".to_owned(),
        "CREATE TABLE cf_ai_chat_agent_messages (id text primary key, message text default (hex(1)))".to_owned(),
        "CREATE VIEW cf_ai_chat_agent_messages AS SELECT 1 AS id, 2 AS message".to_owned(),
        format!("{of_chat} CREATE INDEX of_mine ON hostel_chat_log (json(body))"),
    ] {
        check(&of_ours, "declares more than the server's tables have");
    }
    check("CREATE TABLE mine (k REFERENCES Cf_Ai_Chat_Agent_Messages (id) ON DELETE CASCADE)", "the table mine");
    check("CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM \"Hostel_Meta\"; END", "names a table of Hostel's");
    check("CREATE TABLE t2 (n); CREATE INDEX hostel_chat_open ON t2 (n)", "not as Hostel makes them");
    check("DROP TABLE cf_agents_state; CREATE TABLE cf_agents_state (id TEXT, state TEXT)", "its primary key");
    check("CREATE TABLE child (k REFERENCES hostel_idempotency (key) ON DELETE CASCADE)", "the table child");
    let pattern = "_".repeat(600);
    check(&format!("CREATE TABLE slow (v CHECK (v NOT LIKE '{pattern}')); INSERT INTO slow VALUES (1)"), "too complex");
    let long = "CREATE TABLE slow (v CHECK (length(zeroblob(300000000 + v)))); INSERT INTO slow VALUES (0)";
    check(long, "too big");
    check("DROP TABLE cf_agents_state; CREATE VIEW cf_agents_state AS SELECT 1 AS id, 2 AS state", "cf_agents_state");
    check("PRAGMA writable_schema=ON; UPDATE sqlite_schema SET rootpage = 3 WHERE name = 't'", "the database");
}

#[test]
fn a_history_that_was_tampered_with_is_refused() {
    let disk = Disk::new();
    busy(&disk, "a");
    let good = members(&export(&disk.store, &key("a")));
    // The last bytes are what fills the last turn up, which has no sum.
    let length = good[2].1.len();
    for at in (0..length).step_by(501).chain(length - 16..length) {
        let mut bad = good.clone();
        bad[2].1[at] ^= 0x10;
        let sum = |bytes: &[u8]| data_encoding::HEXLOWER.encode(&<sha2::Sha256 as sha2::Digest>::digest(bytes));
        let manifest = String::from_utf8(bad[0].1.clone()).unwrap();
        bad[0].1 = manifest.replace(&sum(&good[2].1), &sum(&bad[2].1)).into_bytes();
        assert!(refused(&disk.store, &pack(&bad)).contains("history.hist"), "byte {at}");
    }
}

#[test]
fn a_class_that_keeps_no_history_takes_none_in_either() {
    let disk = Disk::new();
    busy(&disk, "a");
    let exported = export(&disk.store, &key("a"));
    let history = HistoryOptions { default: Retention::NONE, ..HistoryOptions::default() };
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options { history, ..Options::default() }).unwrap();
    let parcel = store.unpack(&mut &*exported).unwrap();
    let error = store.keep_imported_history(&key("a"), parcel.history.as_ref().unwrap()).unwrap_err();
    assert_eq!(error.code(), "history_off");
    // Nor is one needed to leave.
    install_image(&store, parcel.image);
    let again = members(&export(&store, &key("a")));
    assert_eq!(again[1].1.len(), members(&exported)[1].1.len());
}
