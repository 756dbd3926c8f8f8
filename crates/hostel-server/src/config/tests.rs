//! Tests of the layers, the table and its page.

mod agents;

use std::path::Path;

use super::*;

fn flag(name: &str, value: &str) -> (String, Vec<String>) {
    (name.to_owned(), vec![value.to_owned()])
}

fn from_text(text: &str) -> Result<Config, String> {
    let mut config = Config::default();
    file::apply_text(&mut config, Path::new("hostel.toml"), text).map(|()| config).map_err(|error| error.to_string())
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let dir = std::env::temp_dir().join(format!("hostel-config-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("layers.toml");
    std::fs::write(&path, "listen = \"127.0.0.1:1\"\nprefix = \"a\"\ndata = \"d\"\n").unwrap();
    let sources = Sources {
        flags: vec![flag("listen", "127.0.0.1:3")],
        env: vec![("HOSTEL_LISTEN".into(), "127.0.0.1:2".into()), ("HOSTEL_PREFIX".into(), "b".into())],
        file: Some(path.clone()),
    };
    let (config, warnings) = Config::load(&sources).unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.listen.origin.to_string(), "--listen");
    assert_eq!(config.prefix.value, "b");
    assert_eq!(config.prefix.origin.to_string(), "HOSTEL_PREFIX");
    assert_eq!(config.data.origin, Origin::File { path, line: 3 });
    assert_eq!(config.mode.origin, Origin::Default);
    assert!(warnings.is_empty());
}

#[test]
fn an_unknown_key_of_the_file_is_an_error_with_its_line_and_the_nearest_key() {
    let error = from_text("data = \"x\"\n\n# a comment\nmax_conections = 5\n").unwrap_err();
    assert_eq!(error, "hostel.toml:4: max_conections: there is no such setting; did you mean max_connections?");
    let error = from_text("[limits]\nx = 1\n").unwrap_err();
    assert!(error.starts_with("hostel.toml:1: limits: there is no such setting"), "{error}");
}

#[test]
fn a_class_may_keep_another_history_than_the_others() {
    let config =
        from_text("history_age = \"7d\"\nhistory_bytes = \"1GiB\"\n[history.CoderAgent]\nage = \"off\"\n").unwrap();
    assert_eq!(config.history_age.value, OrOff::UpTo(std::time::Duration::from_secs(7 * 86_400)));
    let kept = &config.histories["coder-agent"];
    assert_eq!((kept.age.as_ref().map(|age| age.value), kept.bytes.is_some()), (Some(OrOff::Off), false));
    let entries = config.history_entries();
    let shown: Vec<_> = entries.iter().map(|(name, value, at)| format!("{name} {value} {at}")).collect();
    assert_eq!(shown, ["history.coder-agent.age off hostel.toml:4"]);
}

#[test]
fn a_wrong_table_of_a_history_is_an_error_with_its_line_and_what_to_write() {
    for (text, expect) in [
        ("[history.coder-agent]\nages = 1", "2: history.coder-agent.ages: there is no such key; did you mean age?"),
        ("[history.coder-agent]\n\nage = \"ever\"", "3: history.coder-agent.age: expected a time such as"),
        ("[history]\nage = \"1d\"", "2: history.age: this is for one class, as in [history.coder-agent]; for all"),
        ("[history]\ncoder = 1", "2: history.coder: expected a table with age and bytes"),
        ("history = true", "1: history: expected a table for a class"),
        ("[history.CoderAgent]\n[history.coder-agent]", "the class stands at hostel.toml:"),
    ] {
        let error = from_text(text).unwrap_err();
        assert!(error.contains(expect), "{text:?}: {error}");
    }
}

#[test]
fn the_history_of_an_unknown_class_is_a_warning_that_names_the_nearest() {
    let config = from_text("data = \"d\"\n[history.codr-agent]\nage = \"1d\"\n").unwrap();
    let warnings = config.history_warnings(&crate::builtin::spellings());
    let expect = "hostel.toml:2: no agent class is called codr-agent, so its history table is ignored. \
                  Did you mean [history.coder-agent]?";
    assert_eq!(warnings, [expect]);
    let config = from_text("[history.coder]\nage = \"1d\"\n").unwrap();
    assert!(config.history_warnings(&crate::builtin::spellings()).is_empty());
}

#[test]
fn a_wrong_value_is_an_error_that_says_where_it_stands_and_what_was_expected() {
    let error = from_text("data = \"x\"\nmax_message_bytes = \"lots\"").unwrap_err();
    assert!(error.starts_with("hostel.toml:2: max_message_bytes: expected a size"), "{error}");
    let sources = Sources { env: vec![("HOSTEL_HIBERNATE_AFTER".into(), "soon".into())], ..Sources::default() };
    let error = Config::load(&sources).unwrap_err().to_string();
    assert!(error.starts_with("the variable HOSTEL_HIBERNATE_AFTER: expected a time"), "{error}");
    let sources =
        Sources { flags: vec![flag("allow_origins", "x"), flag("listen", "everywhere")], ..Sources::default() };
    let error = Config::load(&sources).unwrap_err().to_string();
    assert!(error.starts_with("the flag --listen: expected ADDRESS:PORT"), "{error}");
}

#[test]
fn a_file_that_is_no_toml_is_an_error_with_its_line() {
    let error = from_text("data = \"x\"\nlisten = \n").unwrap_err();
    assert!(error.starts_with("hostel.toml:2: "), "{error}");
}

#[test]
fn a_named_file_must_exist() {
    let sources = Sources { file: Some("/nonexistent/hostel.toml".into()), ..Sources::default() };
    let error = Config::load(&sources).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }), "{error}");
}

#[test]
fn a_misspelt_variable_is_a_warning_that_names_the_right_one() {
    let sources = Sources {
        env: vec![
            ("HOSTEL_LISTNE".into(), "127.0.0.1:1".into()),
            ("HOSTEL_URL".into(), "http://x".into()),
            ("PATH".into(), "/bin".into()),
        ],
        ..Sources::default()
    };
    let (_, warnings) = Config::load(&sources).unwrap();
    assert_eq!(warnings, ["The variable HOSTEL_LISTNE is no setting and is ignored. Did you mean HOSTEL_LISTEN?"]);
}

#[test]
fn lists_come_from_arrays_commas_and_repeated_flags() {
    let config = from_text("allow_origins = [\"https://a\", \"https://b\"]").unwrap();
    assert_eq!(config.allow_origins.value, ["https://a", "https://b"]);
    let sources = Sources {
        env: vec![("HOSTEL_ALLOW_ORIGINS".into(), "https://a, https://b".into())],
        flags: vec![("allow_hosts".into(), vec!["a".into(), "b".into()])],
        ..Sources::default()
    };
    let (config, _) = Config::load(&sources).unwrap();
    assert_eq!(config.allow_origins.value, ["https://a", "https://b"]);
    assert_eq!(config.allow_hosts.value, ["a", "b"]);
}

#[test]
fn every_default_is_shown_as_it_is_written_in_the_table() {
    for entry in Config::default().entries() {
        assert_eq!(entry.value, entry.setting.default, "{}", entry.setting.name);
    }
}

#[test]
fn listening_beyond_loopback_is_refused_unless_asked_for_by_name() {
    for (listen, named, fine) in [
        ("127.0.0.1:8787", "false", true),
        ("[::1]:8787", "false", true),
        ("0.0.0.0:8787", "false", false),
        ("192.168.1.5:80", "false", false),
        ("0.0.0.0:8787", "true", true),
    ] {
        let sources =
            Sources { flags: vec![flag("listen", listen), flag("insecure_no_auth", named)], ..Sources::default() };
        let (config, _) = Config::load(&sources).unwrap();
        assert_eq!(config.check().is_ok(), fine, "{listen} {named}");
    }
}

#[test]
fn what_cannot_be_kept_is_refused_with_what_to_change() {
    for (name, value, text) in [
        ("tls_cert", "c.pem", "add --tls-key"),
        ("tls_key", "k.pem", "add --tls-cert"),
        ("prefix", "/", "is no path"),
        ("prefix", "a/../b", "is no path"),
        ("prefix", "a b", "is no path"),
        ("max_message_bytes", "64MiB", "32MiB is the most"),
    ] {
        let mut config = Config::default();
        config.set(name, &[value.to_owned()], Origin::Default).unwrap();
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn refusals_are_detailed_on_loopback_only_unless_told_otherwise() {
    for (listen, mode, detailed) in [
        ("127.0.0.1:1", "auto", true),
        ("0.0.0.0:1", "auto", false),
        ("0.0.0.0:1", "development", true),
        ("127.0.0.1:1", "production", false),
    ] {
        let sources = Sources { flags: vec![flag("listen", listen), flag("mode", mode)], ..Sources::default() };
        let (config, _) = Config::load(&sources).unwrap();
        assert_eq!(config.is_development(), detailed, "{listen} {mode}");
    }
}

#[test]
fn the_page_has_the_table_of_the_code() {
    let page = include_str!("../../../../docs/configuration.md");
    let begin = "<!-- settings -->\n";
    let end = "<!-- end of settings -->";
    let from = page.find(begin).expect("the mark") + begin.len();
    let to = page.find(end).expect("the mark");
    assert_eq!(page[from..to].trim(), page_table().trim());
}

fn page_table() -> String {
    let mut table = "| in `hostel.toml` | variable | flag | default | what it does |\n\
                     | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for setting in SETTINGS {
        let default = match setting.default {
            "" => "none".to_owned(),
            text => format!("`{text}`"),
        };
        table += &format!(
            "| `{}` | `{}` | `--{}` | {default} | {} |\n",
            setting.name,
            setting.env(),
            setting.flag,
            setting.doc
        );
    }
    table
}

#[test]
fn agents_behave_under_the_binary_as_the_page_of_promises_says() {
    let (config, own) = (Config::default(), hostel::Options::default());
    assert_eq!(*config.hibernate_after, own.idle_after);
    assert_eq!(*config.turn_deadline, own.turn_deadline);
    assert_eq!(config.outbox_bytes.as_usize(), own.outbox_bytes);
    assert_eq!(config.state_warn_bytes.as_usize(), own.state_warn_bytes);
    assert_eq!(config.state_bytes.as_usize(), own.state_bytes);
    assert_eq!((*config.task_queue, *config.dead_letters), (own.orders, own.dead_letters));
    assert_eq!(*config.run_retention, own.run_retention);
    assert_eq!((*config.run_steps, *config.call_hops), (own.steps_per_run as usize, own.call_hops as usize));
}

#[test]
fn mcp_has_a_section_whose_mistakes_are_errors_with_their_line() {
    let wrong = |text: &str| from_text(text).unwrap_err();
    let said = wrong("[mcp]\nallow_hosts = [\"10.0.0.0/99\"]");
    assert!(said.contains("hostel.toml:2: mcp: ") && said.contains("is no host"), "{said}");
    let said = wrong("[mcp]\nserve = [\"coder\"]\npublic_url = \"agents.example\"");
    assert!(said.contains("hostel.toml:3: mcp: ") && said.contains("https://agents.example"), "{said}");
    for (server, expected) in [
        ("args = [\"-v\"]", "where is it? say command = "),
        ("command = \"x\"\nurl = \"https://mcp.example\"", "say one of command"),
        ("command = \"x\"\nbearer = \"secret:X\"", "bearer goes with url"),
        ("command = \"x\"\ntransport = \"sse\"", "transport goes with url"),
        ("url = \"https://mcp.example\"\ntransport = \"ws\"", "unknown variant `ws`, expected one of `auto`, "),
        ("url = \"https://mcp.example\"\nenv = {}", "env goes with command"),
        ("url = \"mcp.example\"", "begins with https://"),
        ("url = \"https://mcp.example\"\nbearer = \"abc\"", "write secret:NAME"),
        ("url = \"https://mcp.example\"\ntoken = \"abc\"", "unknown field `token`"),
    ] {
        let said = wrong(&format!("[mcp.servers.files]\n{server}"));
        assert!(said.contains("mcp: ") && said.contains(expected), "{said}");
    }
    let said = wrong("[mcp]\nserver = []");
    assert!(said.contains("hostel.toml:2: mcp: unknown field `server`"), "{said}");
}

#[test]
fn budgets_of_coding_agents_have_a_section_whose_mistakes_are_errors_with_their_line() {
    let text = "[coder.budget]\nturn = { steps = 40 }\nrun = { cost = 2.5, seconds = 3600 }\n";
    let config = from_text(text).unwrap();
    let entries = config.coder_entries();
    let shown: Vec<_> = entries.iter().map(|(name, value, _)| (name.as_str(), value.as_str())).collect();
    let expected =
        [("coder.budget.turn.steps", "40"), ("coder.budget.run.cost", "2.5"), ("coder.budget.run.seconds", "3600")];
    assert_eq!(shown, expected);
    let said = from_text("[coder.budget]\nturn = { step = 40 }").unwrap_err();
    assert!(said.contains("hostel.toml:2: coder: unknown field `step`") && said.contains("steps"), "{said}");
}

#[test]
fn policy_and_commands_of_coding_agents_have_sections_whose_mistakes_are_errors_with_their_line() {
    let text = "[coder.policy]\nmode = \"plan\"\nrules = [{ tool = \"command\", pattern = \"git push*\", action = \"deny\" }]\n\
                [coder.commands]\nread = [\"/opt/tools\"]\nports = [443]\nmemory = \"1GiB\"\ntime = \"5m\"\nunsandboxed = \"never\"\n\
                env = { CARGO_HOME = \"/opt/cargo\" }\nhands = false\nhands_wait = \"5s\"\n";
    let config = from_text(text).unwrap();
    let shown: Vec<_> = config.coder_entries().into_iter().map(|(name, value, _)| format!("{name} {value}")).collect();
    for line in
        ["coder.policy.mode plan", "coder.policy.rules deny command git push*", "coder.commands.env.CARGO_HOME (set)"]
    {
        assert!(shown.contains(&line.to_owned()), "{shown:?}");
    }
    let options = config.sections.coder.unwrap().0.commands.options();
    assert_eq!((options.limits.memory, options.limits.time.as_secs(), options.only_sandboxed), (1 << 30, 300, true));
    assert_eq!((options.hands, options.hands_wait.as_secs()), (false, 5));
    for (text, line, expected) in [
        ("[coder.policy]\nmode = \"yolo\"", 2, "unknown variant `yolo`"),
        ("[coder.policy]\nrules = [{ tool = \"x\" }]", 2, "action"),
        ("[coder.commands]\n\nport = 3", 3, "unknown field `port`"),
    ] {
        let said = from_text(text).unwrap_err();
        assert!(said.contains(&format!("hostel.toml:{line}: coder: ")) && said.contains(expected), "{said}");
    }
}

#[test]
fn mcp_is_shown_without_secrets() {
    let text = "[mcp]\nserve = [\"coder\"]\nidle = \"1m\"\n[mcp.servers.files]\ncommand = \"/bin/files\"\nargs = [\"--token\", \"hidden1\"]\n\
                env = { TOKEN = \"secret:FILES\", KEY = \"hidden2\" }\n[mcp.servers.far]\nurl = \"https://mcp.example/x?key=hidden3\"\n\
                transport = \"sse\"\nbearer = \"secret:FAR\"\nheaders = { x-tenant = \"hidden4\" }";
    let entries = from_text(text).unwrap().mcp_entries();
    let shown: Vec<_> = entries.iter().map(|(name, value, _)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("mcp.serve", "coder"),
        ("mcp.idle", "1m"),
        ("mcp.servers.far.url", "https://mcp.example/x"),
        ("mcp.servers.far.transport", "sse"),
        ("mcp.servers.far.bearer", "secret:FAR"),
        ("mcp.servers.far.headers.x-tenant", "(hidden)"),
        ("mcp.servers.files.command", "/bin/files (+2 arguments)"),
        ("mcp.servers.files.env.KEY", "(hidden)"),
        ("mcp.servers.files.env.TOKEN", "secret:FILES"),
    ];
    assert_eq!(shown, expected);
    assert!(from_text("").unwrap().mcp_entries().is_empty());
}

#[test]
fn models_are_read_shown_without_keys_and_wrong_ones_are_errors_with_their_line() {
    let text = "model = \"big\"\n[models.main]\nprovider = \"openai\"\nkey = \"sk-12345678\"\n\n[models.big]\n\
                provider = \"ollama\"\nmodel = \"qwen3\"\nprice = { input = 1, output = 2.5 }\nextra = { seed = 1 }\n";
    let config = from_text(text).unwrap();
    assert_eq!(config.model.value, "big");
    let rows: Vec<_> =
        config.model_entries().into_iter().map(|(name, value, at)| format!("{name} {value} {at}")).collect();
    assert_eq!(rows.len(), 8);
    assert!(rows.contains(&"models.big.base_url http://127.0.0.1:11434/v1 hostel.toml:2".to_owned()), "{rows:?}");
    assert!(rows.contains(&"models.main.key (hidden) hostel.toml:2".to_owned()), "{rows:?}");
    for (text, line, expect) in [
        ("[models.a]\nprovider = \"openai\"\n[models.b]\nprovider = \"opnai\"\n", 4, "unknown variant `opnai`"),
        ("[models.a]\nprovider = \"openai\"\ntimout = \"5s\"\n", 3, "unknown field `timout`"),
        ("x = 1\n", 1, "there is no such setting"),
        (
            "[models.a]\nprovider = \"openai\"\n[models.b]\nprovider = \"ollama\"\n",
            3,
            "needs a model: model = \"NAME\"",
        ),
        ("[models.a]\nprovider = \"scripted\"\nscript = \"sing\"\n", 1, "line 1 of the script: a script begins"),
        ("[models.a]\nprovider = \"openai\"\nstall = \"soon\"\n", 3, "expected a time such as"),
        ("models = 1\n", 1, "expected a table"),
    ] {
        let error = from_text(text).unwrap_err();
        assert!(error.starts_with(&format!("hostel.toml:{line}: ")) && error.contains(expect), "{error}");
    }
}

#[test]
fn the_coding_agent_has_a_section_whose_mistakes_are_errors_with_their_line() {
    let text = "[coder]\nold_tools = true\n[coder.github]\napi_url = \"https://git.corp.example/api/v3\"\ntoken = \"secret:BOT\"\n";
    let (coder, _) = from_text(text).unwrap().sections.coder.unwrap();
    let options = coder.github.options();
    assert_eq!(options.settings.api.as_str(), "https://git.corp.example/api/v3");
    assert_eq!(options.token.unwrap().to_string(), "secret:BOT");
    assert!(coder.old_tools);
    let wrong = |text: &str| from_text(text).unwrap_err();
    let said = wrong("[coder.github]\napi_url = \"git.corp.example\"");
    assert!(said.contains("hostel.toml:2: coder: ") && said.contains("https://git.corp.example/api/v3"), "{said}");
    let said = wrong("[coder]\nold_tool = true");
    assert!(said.contains("did you mean `old_tools`"), "{said}");
}
